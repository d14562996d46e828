"""The front page shows which of our processes are alive, and whether an invariant is broken."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib import admin
from django.utils.html import format_html_join

from propdesk.lib.admin import (
    NOTHING,
    Card,
    Colour,
    Panel,
    Table,
    ViewOnlyAdmin,
    label,
    list_of,
    register_cards,
    register_panels,
)
from propdesk.lib.processes.models import InvariantViolation, ProcessHeartbeat

FRESH = timedelta(seconds=15)


def _panels(now: datetime) -> Sequence[Panel]:
    return [
        Table(
            title="Processes",
            note="Without the sweeper nothing moves on by itself.",
            columns=("Process", "State", "What fails", "Last sign of life", "Process id"),
            rows=[
                (
                    beat.name,
                    _state(beat, now),
                    format_html_join("", "<div>{}: {}</div>", beat.failing_jobs.items()) or NOTHING,
                    f"{beat.beat_at:%Y-%m-%d %H:%M:%S} UTC",
                    str(beat.pid),
                )
                for beat in ProcessHeartbeat.objects.all()
            ],
            empty="No process has reported yet. Start them all with: make run",
        )
    ]


def _state(beat: ProcessHeartbeat, now: datetime) -> str:
    if now - beat.beat_at > FRESH:
        return label("silent", Colour.RED)
    return label("jobs fail", Colour.RED) if beat.failing_jobs else label("alive", Colour.GREEN)


@admin.register(InvariantViolation)
class InvariantViolationAdmin(ViewOnlyAdmin[InvariantViolation]):
    list_display = ("invariant", "row_id", "detail", "found_at", "gone_at")
    list_filter = ("invariant", ("gone_at", admin.EmptyFieldListFilter))
    search_fields = ("detail", "=row_id")
    empty_text = "Nothing was ever found that must not be. The check runs every five minutes."


def _cards(_now: datetime) -> Sequence[Card]:
    return [
        Card(
            title="Invariants broken",
            value=InvariantViolation.objects.filter(gone_at=None).count(),
            hint="what must never be, was found",
            url=list_of(InvariantViolation, gone_at__isempty=1),
            colour=Colour.RED,
        )
    ]


register_cards(_cards, permission="processes.view_invariantviolation", order=50)
register_panels(_panels, permission="processes.view_processheartbeat", order=20)
