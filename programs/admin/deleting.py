"""Deleting a program: what goes with it, its name typed out, and a reason."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from programs.models import Program
from programs.services import OperationsInFlightError, delete_program, preview_deletion
from propdesk.lib.actors import Actor
from propdesk.lib.admin import ReasonForm, TextInput
from propdesk.lib.times import utc_now


class DeletionForm(ReasonForm):
    """The program's name, typed: a click alone must not be enough."""

    field_order = ("typed_name", "reason")
    typed_name = forms.CharField(
        label="Name of the program", strip=True, widget=TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, program: Program, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.program = program
        self.fields["typed_name"].help_text = f"Type “{program.name}” to show that this is the one you mean."

    def clean_typed_name(self) -> str:
        typed = str(self.cleaned_data["typed_name"])
        if typed != self.program.name.strip():
            raise forms.ValidationError(f"This is not the name of the program: {self.program.name}.")
        return typed


def deletion_page(admin: ModelAdmin[Program], request: HttpRequest, program: Program) -> HttpResponse:
    """Ask (GET), then delete (POST)."""
    form = DeletionForm(program, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        try:
            delete_program(program_id=program.pk, by=Actor.of(request.user), now=utc_now(), reason=reason)
        except OperationsInFlightError as refusal:
            messages.error(request, str(refusal))
            return HttpResponseRedirect(reverse("admin:programs_program_delete", args=[program.pk]))
        admin.log_deletions(request, [program])  # type: ignore[arg-type]  # any iterable will do
        messages.success(request, f"{program} was deleted.")
        return HttpResponseRedirect(reverse("admin:programs_program_changelist"))
    preview = preview_deletion(program_id=program.pk)
    context = {
        **admin.admin_site.each_context(request),
        "opts": Program._meta,
        "title": f"Delete: {program}",
        "object": program,
        "form": form,
        "counters": [
            (kind.replace("_", " "), total) for kind, total in preview.counters.items() if total and kind != "programs"
        ],
        "in_flight": preview.in_flight,
    }
    return TemplateResponse(request, "admin/programs/program/delete_confirmation.html", context)
