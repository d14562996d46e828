from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from challenges.admin import colours
from challenges.models import Breach, DailySnapshot, MetricSnapshot
from propdesk.lib.admin import (
    NOTHING,
    Card,
    ChoicesFilter,
    Colour,
    DateRangeFilter,
    Facts,
    OptionsFilter,
    Panel,
    Sentences,
    Table,
    ViewOnlyAdmin,
    display,
    flag_column,
    link_column,
    link_to,
    list_of,
    money_column,
    register_cards,
)
from propdesk.lib.money import as_text
from propdesk.lib.times import utc_now

LATE = flag_column("is_late", "late")
RECENT = timedelta(hours=24)
AROUND = timedelta(minutes=10)


class RecentFilter(OptionsFilter):
    """What happened lately."""

    title = "age"
    parameter_name = "age"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("24", "last 24 hours")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Breach]) -> QuerySet[Breach]:
        return queryset.filter(at__gte=utc_now() - RECENT) if self.value() == "24" else queryset


@admin.register(Breach)
class BreachAdmin(ViewOnlyAdmin[Breach]):
    list_display = (
        "id",
        "rule_words",
        "action_words",
        link_column("enrollment.challenge", "challenge"),
        link_column("enrollment.challenge.customer", "customer"),
        link_column("enrollment.account", "account"),
        money_column("level"),
        money_column("observed"),
        "trading_day",
        "at",
    )
    list_display_links = ("id", "rule_words")
    list_select_related = ("enrollment__challenge__customer", "enrollment__account")
    list_filter = (RecentFilter, "rule", ("action", ChoicesFilter), ("at", DateRangeFilter), "trading_day")
    search_fields = (
        "=id",
        "rule",
        "=enrollment__account__login",
        "=enrollment__challenge__id",
        "enrollment__challenge__customer__email",
    )
    search_help_text = "Number, rule, account number, challenge number or customer's e-mail."
    empty_text = "Nobody has broken a rule. A breach is recorded here once, with the numbers around it."
    fieldsets = (("Record", {"fields": (("terms_digest", "created_at"),)}),)

    @display(description="rule", ordering="rule")
    def rule_words(self, breach: Breach) -> str:
        return colours.rule_name(breach.rule)

    @display(description="led to", ordering="action")
    def action_words(self, breach: Breach) -> str:
        return colours.action_label(breach)

    def panels_above(self, request: HttpRequest, row: Breach) -> Sequence[Panel]:
        enrollment = row.enrollment
        return [
            Facts(
                title="What happened",
                facts=[
                    ("Rule", self.rule_words(row)),
                    ("Led to", self.action_words(row)),
                    ("Level", NOTHING if row.level is None else as_text(row.level)),
                    ("Observed", NOTHING if row.observed is None else as_text(row.observed)),
                    ("Beyond the level by", _beyond(row)),
                    ("At", f"{row.at:%Y-%m-%d %H:%M:%S} UTC"),
                    ("Trading day", row.trading_day),
                    ("Challenge", link_to(enrollment.challenge)),
                    ("Customer", link_to(enrollment.challenge.customer)),
                    ("Account", link_to(enrollment.account)),
                ],
            ),
            Sentences(title="Evidence", groups=[("", [row.explanation, _gap(row)])]),
            _readings(row),
        ]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Breach | None:
        related = ("enrollment__challenge__customer", "enrollment__account")
        return Breach.objects.select_related(*related).filter(pk=object_id).first() if object_id.isdigit() else None


def _beyond(breach: Breach) -> str:
    if breach.level is None or breach.observed is None:
        return NOTHING
    return as_text(abs(breach.observed - breach.level))


def _gap(breach: Breach) -> str:
    """How far apart the readings were: what happened in between cannot be known."""
    if breach.previous_at is None:
        return "It was the first reading of this enrollment."
    seconds = (breach.at - breach.previous_at).total_seconds()
    equity = NOTHING if breach.previous_equity is None else as_text(breach.previous_equity)
    return f"The reading before was {seconds:,.0f} s earlier, with equity {equity}."


def _readings(breach: Breach) -> Table:
    near = MetricSnapshot.objects.filter(
        enrollment_id=breach.enrollment_id, at__gte=breach.at - AROUND, at__lte=breach.at + AROUND
    ).order_by("at")[:40]
    return Table(
        title="Readings around it",
        note="Kept readings within ten minutes before and after.",
        columns=("At (UTC)", "Balance", "Equity", "Daily loss level", "Total loss level"),
        rows=[
            (
                format_html("<b>{}</b>", f"{point.at:%H:%M:%S}") if point.at == breach.at else f"{point.at:%H:%M:%S}",
                *(
                    NOTHING if amount is None else as_text(amount)
                    for amount in (point.balance, point.equity, point.daily_loss_level, point.total_loss_level)
                ),
            )
            for point in near
        ],
        empty="No reading was kept around this time.",
    )


@admin.register(DailySnapshot)
class DailySnapshotAdmin(ViewOnlyAdmin[DailySnapshot]):
    list_display = (
        "trading_day",
        link_column("enrollment"),
        link_column("enrollment.account", "account"),
        money_column("start_balance"),
        money_column("start_equity"),
        money_column("low_equity", description="lowest equity"),
        money_column("high_equity", description="highest equity"),
        money_column("close_balance", description="closing balance"),
        LATE,
    )
    list_select_related = ("enrollment__account",)
    list_filter = (("trading_day", DateRangeFilter), "is_late")
    search_fields = ("=enrollment__id", "=enrollment__account__login", "=enrollment__challenge__id")
    search_help_text = "Enrollment, account or challenge number."
    ordering = ("-trading_day", "-id")
    empty_text = "A snapshot is taken when a trading day begins for a running challenge."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("enrollment", "trading_day", LATE),
                    ("boundary_at", "taken_at"),
                    (money_column("start_balance"), money_column("start_equity")),
                    (money_column("low_equity"), money_column("high_equity")),
                    (money_column("close_balance"), money_column("close_equity")),
                )
            },
        ),
    )


def _cards(now: datetime) -> list[Card]:
    return [
        Card(
            title="Breaches in 24 hours",
            value=Breach.objects.filter(at__gte=now - RECENT).count(),
            hint="broken rules, each with its evidence",
            url=list_of(Breach, age="24"),
            colour=Colour.RED,
        )
    ]


register_cards(_cards, permission="challenges.view_breach", order=30)
