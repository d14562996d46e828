"""The program form: what staff typed becomes one `save_program` call, and what it refuses returns to its field."""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from django import forms
from django.forms import BaseInlineFormSet

from brokers.models import AccountGroup
from programs.models import Phase, Program
from programs.services.drafts import PROGRAM_FIELDS, RULE_FIELDS
from propdesk.lib.mng.errors import Problem
from propdesk.lib.money import as_text

_STEP = re.compile(r"steps\[(\d+)\]\.(\w+)")


class _ServiceJudges:
    """The service judges the whole program, in words for staff; the form only reads what was typed.

    Were the model's own checks to run first, staff would read the names of database constraints.
    """

    _meta: Any

    def _get_validation_exclusions(self) -> set[str]:
        return {field.name for field in self._meta.model._meta.fields}


class ProgramForm(_ServiceJudges, forms.ModelForm[Program]):
    """`refusal`: what the service refused at the first try of this request, shown at the second."""

    refusal: ClassVar[Sequence[Problem]] = ()
    read_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Program
        fields = (*PROGRAM_FIELDS, "status")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["read_version"].initial = self.instance.version

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for problem in self.refusal:
            if not _STEP.match(problem.field) and problem.field != "steps":
                self.add_error(problem.field if problem.field in self.fields else None, problem.message)
        return cleaned

    def input(self) -> dict[str, Any]:
        """The program's part of `save_program`'s data."""
        return {name: value for name, value in self.cleaned_data.items() if name != "read_version"}


class PhaseForm(_ServiceJudges, forms.ModelForm[Phase]):
    """One phase. `place` is where it stands on the page; the theme numbers from 0 and only rows that were saved."""

    place = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Phase
        fields = ("phase_type", "name", "account_group", "profit_split", *RULE_FIELDS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["place"].initial = self.instance.phase_index

    def input(self, phase_index: int) -> dict[str, Any]:
        """One step of `save_program`'s data."""
        cleaned = self.cleaned_data
        group: AccountGroup | None = cleaned["account_group"]
        return {**{name: cleaned[name] for name in PhaseForm.Meta.fields if name in cleaned},
                "phase_index": phase_index, "account_group": group.name if group else ""}  # fmt: skip


class PhaseFormSet(BaseInlineFormSet[Phase, Program, Any]):
    """All phases of the page. A save replaces them all, so posted rows are new ones, whatever ids the page held."""

    refusal: ClassVar[Sequence[Problem]] = ()

    def add_fields(self, form: PhaseForm, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["account_group"].choices = self._group_choices  # type: ignore[attr-defined]

    @cached_property
    def _group_choices(self) -> list[tuple[Any, str]]:
        # Read once for the page: every phase has the same choices.
        groups = AccountGroup.objects.order_by("mode", "name")
        return [("", "Select a group"), *((group.pk, _group_text(group)) for group in groups)]

    def clean(self) -> None:
        super().clean()
        kept = self.in_order()
        for problem in self.refusal:
            if match := _STEP.match(problem.field):
                place, name = int(match[1]), match[2]
                form = kept[place]
                form.add_error(name if name in form.fields else None, problem.message)
            elif problem.field == "steps":
                raise forms.ValidationError(problem.message.replace("steps", "phases"))

    def in_order(self) -> list[PhaseForm]:
        """The forms that stay, in the order of the page; rows without a place come last, as they were added."""
        deleted = self.deleted_forms
        kept = [form for form in self.forms if form.has_changed() and form not in deleted]
        return sorted(kept, key=_place)


def _place(form: PhaseForm) -> tuple[bool, int]:
    place = getattr(form, "cleaned_data", {}).get("place")
    return place is None, place or 0


def _group_text(group: AccountGroup) -> str:
    deposit = as_text(group.default_deposit, group.currency)
    return f"{group.name} ({group.get_mode_display()}, {deposit}){'' if group.is_enabled else ', disabled'}"
