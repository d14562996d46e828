"""The review queue: everything that waits for staff, on one page. Apps register what of theirs may wait."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model
from django.utils.html import format_html, format_html_join

from propdesk.lib.admin.labels import NOTHING, label, link_to
from propdesk.lib.admin.panels import Table


@dataclass(frozen=True, kw_only=True)
class ReviewItem:
    """One row that waits: since when, why, what staff have to check, and the ways out they have."""

    row: Model
    title: str
    since: datetime
    why: str
    check: str
    ways_out: Sequence[str]
    related: Sequence[Model] = ()


@dataclass(frozen=True, slots=True)
class ReviewSource:
    """`total` counts what waits, `items(most)` returns the oldest of it."""

    title: str
    permission: str
    order: int
    total: Callable[[], int]
    items: Callable[[int], Sequence[ReviewItem]]
    more: Callable[[], str]


_sources: list[ReviewSource] = []


def register_reviews(source: ReviewSource) -> None:
    """Show what waits there to everyone with its permission (such as brokers.view_brokeroperation)."""
    _sources.append(source)


def review_sources(user: AbstractBaseUser | AnonymousUser) -> list[ReviewSource]:
    """The sources that the user may see, in order."""
    return [
        source
        for source in sorted(_sources, key=lambda source: source.order)
        if user.has_perm(source.permission)  # type: ignore[union-attr]
    ]


# A queue longer than this is read in the list behind it.
SHOWN = 50


def review_panel(source: ReviewSource) -> Table:
    """The oldest of what waits there."""
    total = source.total()
    return Table(
        title=f"{source.title}: {total}" if total else source.title,
        note=f"The {SHOWN} that have waited longest." if total > SHOWN else "",
        more=source.more() if total else "",
        columns=("What", "Waits since", "Why", "What to check", "Ways out", "Concerns"),
        rows=[_row(item) for item in source.items(SHOWN)] if total else (),
        empty="Nothing waits.",
    )


def _row(item: ReviewItem) -> tuple[object, ...]:
    return (
        link_to(item.row, item.title),
        item.since,
        _wrapped(item.why),
        _wrapped(item.check),
        format_html_join(" ", "{}", ((label(way),) for way in item.ways_out)) or NOTHING,
        format_html_join(", ", "{}", ((link_to(row),) for row in item.related)) or NOTHING,
    )


def _wrapped(text: str) -> str:
    return format_html('<span class="pd-wrap">{}</span>', text)
