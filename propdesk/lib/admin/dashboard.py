"""The admin's front page. Apps register what they want staff to see there, from their admin modules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.http import HttpRequest

from propdesk.lib.admin.labels import Colour
from propdesk.lib.admin.panels import Panel
from propdesk.lib.times import utc_now


@dataclass(frozen=True, kw_only=True)
class Card:
    """One number with a link to the list behind it. `colour` is for a number above zero; zero is always calm."""

    title: str
    value: int
    hint: str
    url: str
    colour: Colour = Colour.GREY

    @property
    def shade(self) -> str:
        return self.colour.value if self.value else Colour.GREY.value


@dataclass(frozen=True, slots=True)
class _Source:
    permission: str
    order: int
    build: Callable[[datetime], Sequence[Any]]


_cards: list[_Source] = []
_panels: list[_Source] = []


def register_cards(build: Callable[[datetime], Sequence[Card]], *, permission: str, order: int) -> None:
    """Show the cards that `build(now)` returns to everyone with `permission` (such as purchases.view_purchase)."""
    _cards.append(_Source(permission, order, build))


def register_panels(build: Callable[[datetime], Sequence[Panel]], *, permission: str, order: int) -> None:
    """Show the panels that `build(now)` returns below the cards."""
    _panels.append(_Source(permission, order, build))


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the theme calls for the front page (setting DASHBOARD_CALLBACK)."""
    now = utc_now()
    user: Any = request.user
    context["title"] = "Dashboard"
    context["cards"] = _collect(_cards, user, now)
    context["panels"] = _collect(_panels, user, now)
    return context


def _collect(sources: Sequence[_Source], user: AbstractUser, now: datetime) -> list[Any]:
    return [
        item
        for source in sorted(sources, key=lambda source: source.order)
        if user.has_perm(source.permission)
        for item in source.build(now)
    ]
