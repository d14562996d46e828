"""Cards on a record's page that show what belongs to it: facts, tables, a timeline of its events, a chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models import Model

from propdesk.lib.admin.labels import Colour, label
from propdesk.lib.transitions import Event


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A card with a title. `note` stands under the title; `more` is an address with the whole list."""

    template: ClassVar[str]
    title: str
    note: str = ""
    more: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts(Panel):
    """Names and values, side by side."""

    template = "admin/panels/facts.html"
    facts: Sequence[tuple[str, object]]


@dataclass(frozen=True, kw_only=True)
class Table(Panel):
    """Rows of cells; `empty` says what it means that there are none."""

    template = "admin/panels/table.html"
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    empty: str


@dataclass(frozen=True, kw_only=True)
class Sentences(Panel):
    """Plain sentences, grouped under small headings."""

    template = "admin/panels/sentences.html"
    groups: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True, kw_only=True)
class Timeline(Panel):
    """What happened, oldest first."""

    template = "admin/panels/timeline.html"
    entries: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Chart(Panel):
    """Lines over time; `data` is handed to the page's script as JSON. `series`: see static/propdesk/chart.js."""

    template = "admin/panels/chart.html"
    data: Mapping[str, Any] = field(default_factory=dict)
    empty: str = ""


def timeline(row: Any, colours: Mapping[int, Colour], title: str = "What happened") -> Timeline:
    """The row's status events, from its append-only event table."""
    names: dict[int, str] = dict(row._meta.get_field("status").flatchoices)
    events = row.EVENTS._default_manager.filter(subject_id=row.pk)
    return Timeline(title=title, entries=[_entry(event, names, colours) for event in events])


def _entry(event: Event, names: Mapping[int, str], colours: Mapping[int, Colour]) -> dict[str, Any]:
    def shown(status: int) -> str:
        text = str(names.get(status, status)).replace("_", " ")
        return label(text, colours.get(status, Colour.GREY))

    # A note about a row that stays where it is needs no arrow.
    is_note = event.from_status == event.to_status
    return {
        "at": event.at,
        "actor": event.actor,
        "reason": event.reason,
        "source": None if event.from_status is None or is_note else shown(event.from_status),
        "target": shown(event.to_status),
        "colour": colours.get(event.to_status, Colour.GREY).value,
    }


def rows_of(rows: Sequence[Model], *columns: Any) -> list[list[object]]:
    """Table rows: each column is a function of the row."""
    return [[column(row) for column in columns] for row in rows]
