"""Buttons for what may legally happen to a record: a confirmation page with a reason, then one service call.

Showing the page (GET) changes nothing; only the POST does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from django import forms

from propdesk.lib.actors import Actor
from propdesk.lib.admin.theme import Textarea


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    """`run` gets the row, the actor and the reason, and returns the sentence that tells staff what was done.

    It may raise a `CodedError` or `IllegalTransitionError`, whose message is shown instead.
    """

    name: str
    text: str
    explanation: str
    run: Callable[[Any, Actor, str], str]
    offered: Callable[[Any], bool] = lambda row: True
    variant: Literal["default", "primary", "danger"] = "default"
    icon: str = ""
    asks_reason: bool = True
    # What the confirmation page adds to the explanation about this very row.
    about: Callable[[Any], str] = lambda row: ""

    @property
    def confirm_variant(self) -> str:
        """On the confirmation page it is the main button, whatever it is on the record's page."""
        return "danger" if self.variant == "danger" else "primary"


@dataclass(frozen=True, slots=True)
class Link:
    """A page to go to, offered under "More"."""

    text: str
    url: str
    icon: str = ""


class ReasonForm(forms.Form):
    """Why staff do it: kept on the event row."""

    reason = forms.CharField(
        max_length=500,
        strip=True,
        widget=Textarea(attrs={"rows": 3}),
        help_text="Kept with the record for good, together with your name and the time.",
    )


class NoReasonForm(forms.Form):
    """For actions that change no record."""
