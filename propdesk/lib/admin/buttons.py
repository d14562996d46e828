"""Buttons for what may legally happen to a record: a confirmation page with a reason, then one service call.

Showing the page (GET) changes nothing; only the POST does.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal
from uuid import uuid4

from django import forms
from django.db.models import Max

from propdesk.lib.actors import Actor
from propdesk.lib.admin.theme import Textarea


@dataclass(frozen=True, slots=True)
class Page:
    """An answer that is a page instead of a sentence: for what is shown once and kept nowhere."""

    template: str
    title: str
    context: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    """`run` gets the row, the actor and the reason, and returns the sentence that tells staff what was done.

    `run_once` is for what must not be done twice by a double click: it also gets a token, which is another one each
    time the confirmation page is shown. Both may raise a `CodedError` or `IllegalTransitionError`, whose message is
    shown instead.
    """

    name: str
    text: str
    explanation: str
    run: Callable[[Any, Actor, str], str | Page] | None = None
    run_once: Callable[[Any, Actor, str, str], str | Page] | None = None
    offered: Callable[[Any], bool] = lambda row: True
    # What is said to someone who asks for it where it is not offered.
    why_not: Callable[[Any], str] = "not possible for {} as it stands now.".format
    variant: Literal["default", "primary", "danger"] = "default"
    icon: str = ""
    asks_reason: bool = True
    # What the confirmation page adds to the explanation about this very row.
    about: Callable[[Any], str] = lambda row: ""

    @property
    def confirm_variant(self) -> str:
        """On the confirmation page it is the main button, whatever it is on the record's page."""
        return "danger" if self.variant == "danger" else "primary"

    def press(self, row: Any, by: Actor, reason: str, token: str) -> str | Page:
        """Do it."""
        if self.run_once is not None:
            return self.run_once(row, by, reason, token)
        if self.run is None:
            raise TypeError(f"The button {self.name} does nothing.")
        return self.run(row, by, reason)


@dataclass(frozen=True, slots=True)
class Link:
    """A page to go to, offered under "More"."""

    text: str
    url: str
    icon: str = ""


# What rows tell staff of how they stand. What a machine writes at every round (a lease, the time of a reading, also
# `updated_at` in places) is not among it: nobody would come to confirm anything.
TOLD = ("status", "review_reason", "halted_at", "ours", "theirs", "gap")


def standing_of(row: Any) -> str:
    """A digest of how the row stands. It is another one after anything has happened to the row, also when that led
    back to where it was: every status change and note adds an event.
    """
    events = row.EVENTS._default_manager.filter(subject_id=row.pk) if hasattr(row, "EVENTS") else None
    latest = None if events is None else events.aggregate(latest=Max("id"))["latest"]
    told = [str(getattr(row, name, "")) for name in TOLD]
    return sha256(json.dumps([latest, told]).encode()).hexdigest()


class ReasonForm(forms.Form):
    """Why staff do it: kept on the event row."""

    reason = forms.CharField(
        max_length=500,
        strip=True,
        widget=Textarea(attrs={"rows": 3}),
        help_text="Kept with the record for good, together with your name and the time.",
    )


class ConfirmationForm(forms.Form):
    """For actions that need no reason. Two posts of one page are one press: they carry the same token.

    `standing` is how the row stood when the page was shown.
    """

    standing = forms.CharField(required=False, widget=forms.HiddenInput)
    token = forms.CharField(max_length=32, required=False, widget=forms.HiddenInput, initial=lambda: uuid4().hex)

    def clean_token(self) -> str:
        return self.cleaned_data["token"] or uuid4().hex


class ReasonedConfirmationForm(ReasonForm, ConfirmationForm):
    """For all other actions."""
