"""The review queue: everything that waits for staff, on one page. Apps register what of theirs may wait."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model

from propdesk.lib.admin.labels import link_to, page_of
from propdesk.lib.admin.panels import Panel


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

    @property
    def url(self) -> str:
        return page_of(self.row)

    @property
    def concerns(self) -> list[str]:
        return [link_to(row) for row in self.related]


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


@dataclass(frozen=True, kw_only=True)
class Queue(Panel):
    """What waits in one source, each item with the ways out."""

    template = "admin/panels/queue.html"
    items: Sequence[ReviewItem]


def review_panel(source: ReviewSource) -> Queue:
    """The oldest of what waits there."""
    total = source.total()
    return Queue(
        title=f"{source.title}: {total}" if total else source.title,
        note=f"The {SHOWN} that have waited longest." if total > SHOWN else "",
        more=source.more() if total else "",
        items=source.items(SHOWN) if total else (),
    )
