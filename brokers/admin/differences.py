from collections.abc import Sequence
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from brokers.admin import colours
from brokers.models import Difference
from brokers.services import acknowledge_difference, mend_difference, way_to_mend
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    Button,
    Card,
    ChoicesFilter,
    Colour,
    DateRangeFilter,
    Facts,
    Panel,
    RelatedFilter,
    ViewOnlyAdmin,
    display,
    label,
    link_column,
    link_to,
    list_of,
    money_column,
    number_column,
    register_cards,
    status_column,
    status_label,
    timeline,
)
from propdesk.lib.times import utc_now

STATUS = status_column(colours.DIFFERENCE)
GAP = money_column("gap", currency="account.group.currency", description="unexplained")
UNIT = number_column("unit")


def _mend(difference: Difference, by: Actor, reason: str) -> str:
    operation = mend_difference(difference_id=difference.pk, reason=reason, by=by, now=utc_now())
    return f"Operation {operation.pk} is to mend it; the next comparison shows whether it is gone."


def _acknowledge(difference: Difference, by: Actor, reason: str) -> str:
    acknowledge_difference(difference_id=difference.pk, reason=reason, by=by, now=utc_now())
    return "It may stay as it is. Should its amount change, it is open again."


@admin.register(Difference)
class DifferenceAdmin(ViewOnlyAdmin[Difference]):
    list_display = (
        "number",
        "what",
        STATUS,
        "both_sides",
        "likely_cause",
        "last_seen_at",
    )
    list_display_links = ("number", "what")
    list_select_related = ("account__group",)
    list_filter = (
        ("status", ChoicesFilter),
        ("kind", ChoicesFilter),
        ("connection", RelatedFilter),
        ("first_seen_at", DateRangeFilter),
    )
    search_fields = ("=login", "=unit", "cause", "theirs")
    search_help_text = "Account number, unit, or words of the cause."
    empty_text = "Every five minutes our books are compared with each broker unit. What differs is listed here."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("number", "what", STATUS),
                    ("ours", "theirs", GAP),
                    ("cause",),
                    (link_column("account", "our account"), link_column("order"), "mended_by"),
                    (link_column("connection"), UNIT),
                    ("first_seen_at", "last_seen_at", "resolved_at"),
                )
            },
        ),
    )
    buttons = (
        Button(
            name="mend",
            text="Mend",
            explanation="An operation at the broker mends this difference:",
            about=way_to_mend,
            run=_mend,
            offered=lambda difference: bool(way_to_mend(difference)),
            variant="primary",
            icon="build",
        ),
        Button(
            name="acknowledge",
            text="Acknowledge",
            explanation="The difference may stay: nothing is changed at the broker or in our books.",
            run=_acknowledge,
            offered=lambda row: row.status in {Difference.Status.OPEN, Difference.Status.MENDING},
            icon="done",
        ),
    )

    @display(description="account", ordering="login")
    def number(self, difference: Difference) -> str:
        return str(difference.login)

    @display(description="what", ordering="kind")
    def what(self, difference: Difference) -> str:
        return label(difference.get_kind_display(), colours.DIFFERENCE_KIND.get(difference.kind, Colour.GREY))

    @display(description="ours and theirs")
    def both_sides(self, difference: Difference) -> str:
        return format_html(
            '<span class="pd-wrap pd-narrow">{}<br><span class="pd-quiet">at the broker:</span> {}</span>',
            difference.ours,
            difference.theirs,
        )

    @display(description="likely cause")
    def likely_cause(self, difference: Difference) -> str:
        return format_html('<span class="pd-wrap">{}</span>', difference.cause)

    @display(description="mended by")
    def mended_by(self, difference: Difference) -> str:
        return link_to(difference.operation)

    def panels_below(self, request: HttpRequest, row: Difference) -> Sequence[Panel]:
        panels: list[Panel] = [timeline(row, colours.DIFFERENCE)]
        if row.operation is not None:
            facts = [
                ("Operation", link_to(row.operation)),
                ("Status", status_label(row.operation, colours.OPERATION)),
                ("Attempts", row.operation.attempts),
                ("Finished", row.operation.finished_at or NOTHING),
            ]
            panels.insert(0, Facts(title="Being mended by", facts=facts))
        return panels


def _cards(now: datetime) -> list[Card]:
    return [
        Card(
            title="Differences at brokers",
            value=Difference.objects.waiting().count(),
            hint="neither mended nor acknowledged",
            url=list_of(Difference, status__exact=int(Difference.Status.OPEN)),
            colour=Colour.ORANGE,
        )
    ]


register_cards(_cards, permission="brokers.view_difference", order=42)
