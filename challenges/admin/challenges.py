from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest

from challenges.admin import colours
from challenges.admin.chart import equity_chart
from challenges.admin.panels import breaches_table, enrollments_table, snapshots_table, standing_panel
from challenges.admin.standing import Distance, current, distance_bar, distances, rules_of
from challenges.models import Challenge, ChallengeStatus, Enrollment
from propdesk.lib.admin import (
    NOTHING,
    Card,
    ChoicesFilter,
    Colour,
    DateRangeFilter,
    Facts,
    OptionsFilter,
    Panel,
    RelatedFilter,
    ViewOnlyAdmin,
    display,
    link_column,
    link_to,
    list_of,
    number_column,
    register_cards,
    status_column,
    status_label,
    timeline,
)
from propdesk.lib.money import as_text, cents

STATUS = status_column(colours.STATUS)


class AttentionFilter(OptionsFilter):
    """Challenges that staff should look at."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("warning", "near a loss limit"), ("review", "needs review"), ("paused", "paused")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Challenge]) -> QuerySet[Challenge]:
        chosen = Enrollment.objects.filter(status__in=(ChallengeStatus.PENDING, ChallengeStatus.ACTIVE))
        if self.value() == "warning":
            chosen = chosen.exclude(running_state__warning="")
        elif self.value() == "review":
            chosen = Enrollment.objects.exclude(review_reason="")
        elif self.value() == "paused":
            chosen = chosen.filter(is_paused=True)
        else:
            return queryset
        return queryset.filter(pk__in=chosen.values("challenge"))


class PhaseFilter(OptionsFilter):
    """The phase that a challenge stands in."""

    title = "phase"
    parameter_name = "current_phase_index"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(index), f"phase {index}") for index in range(1, 6)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Challenge]) -> QuerySet[Challenge]:
        value = self.value()
        return queryset.filter(current_phase_index=value) if value else queryset


@admin.register(Challenge)
class ChallengeAdmin(ViewOnlyAdmin[Challenge]):
    list_display = (
        "id",
        link_column("customer"),
        link_column("program"),
        "phase",
        STATUS,
        number_column("account_login", "account"),
        "equity",
        "to_daily_loss",
        "to_total_loss",
        "started_at",
    )
    list_select_related = ("customer", "program", "program_version")
    list_filter = (
        ("status", ChoicesFilter),
        ("program", RelatedFilter),
        PhaseFilter,
        AttentionFilter,
        ("started_at", DateRangeFilter),
        ("ended_at", DateRangeFilter),
    )
    search_fields = (
        "=id",
        "=account_login",
        "customer__email",
        "customer__first_name",
        "customer__last_name",
    )
    search_help_text = "Number, account number, customer's name or e-mail."
    empty_text = "A challenge opens by itself once a purchase is paid and its account is ready."
    fieldsets = (("Record", {"fields": (("created_at", "updated_at"),)}),)

    class Media:
        js = ("propdesk/chart.js",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Challenge]:
        enrollments = Enrollment.objects.select_related("running_state", "account__group").order_by("id")
        return (
            super()
            .get_queryset(request)
            .select_related("customer", "program", "program_version", "purchase")
            .prefetch_related(Prefetch("enrollments", queryset=enrollments))
        )

    @display(description="phase", ordering="current_phase_index")
    def phase(self, challenge: Challenge) -> str:
        enrollment = current(challenge.enrollments.all())
        return f"{enrollment.phase_index}. {enrollment.phase_name}" if enrollment else NOTHING

    @display(description="equity")
    def equity(self, challenge: Challenge) -> str:
        enrollment = current(challenge.enrollments.all())
        state = getattr(enrollment, "running_state", None)
        return as_text(cents(state.last_equity)) if state else NOTHING

    @display(description="left to daily loss")
    def to_daily_loss(self, challenge: Challenge) -> str:
        return distance_bar(_distance(challenge, "daily_loss"))

    @display(description="left to total loss")
    def to_total_loss(self, challenge: Challenge) -> str:
        return distance_bar(_distance(challenge, "total_loss"))

    def panels_above(self, request: HttpRequest, row: Challenge) -> Sequence[Panel]:
        enrollments = list(row.enrollments.all())
        now_running = current(enrollments)
        about = Facts(
            title="Challenge",
            facts=[
                ("Status", status_label(row, colours.STATUS)),
                ("Customer", link_to(row.customer)),
                ("Program", link_to(row.program)),
                ("Terms", link_to(row.program_version, f"version {row.program_version.number}")),
                ("Purchase", link_to(row.purchase)),
                ("Phase", self.phase(row)),
                ("Started", row.started_at),
                ("Ended", row.ended_at or NOTHING),
            ],
        )
        if now_running is None:
            return [about]
        return [
            about,
            standing_panel(now_running),
            equity_chart(now_running, _currency(now_running)),
            enrollments_table(enrollments),
            breaches_table(enrollments),
            snapshots_table(now_running),
        ]

    def panels_below(self, request: HttpRequest, row: Challenge) -> Sequence[Panel]:
        return [timeline(row, colours.STATUS)]


def _distance(challenge: Challenge, rule: str) -> Distance | None:
    enrollment = current(challenge.enrollments.all())
    if enrollment is None or enrollment.status != ChallengeStatus.ACTIVE:
        return None
    return distances(enrollment, rules_of(enrollment)).get(rule)


def _currency(enrollment: Enrollment) -> str:
    return enrollment.account.group.currency if enrollment.account else ""


def _cards(now: datetime) -> list[Card]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    challenges, day = Challenge.objects, now.date().isoformat()
    ended_today = challenges.filter(ended_at__gte=today)
    active, passed, failed = ChallengeStatus.ACTIVE, ChallengeStatus.PASSED, ChallengeStatus.FAILED
    near = Enrollment.objects.filter(status=active).exclude(running_state__warning="")
    return [
        Card(
            title="Active challenges",
            value=challenges.filter(status=active).count(),
            hint="being watched now",
            url=list_of(Challenge, status__exact=int(active)),
            colour=Colour.BLUE,
        ),
        Card(
            title="Near a loss limit",
            value=near.filter(running_state__isnull=False).count(),
            hint="past the early warning today",
            url=list_of(Challenge, attention="warning"),
            colour=Colour.ORANGE,
        ),
        Card(
            title="Failed today",
            value=ended_today.filter(status=failed).count(),
            hint="since 00:00 UTC",
            url=list_of(Challenge, status__exact=int(failed), ended_at_from=day),
            colour=Colour.RED,
        ),
        Card(
            title="Passed today",
            value=ended_today.filter(status=passed).count(),
            hint="last phase passed, since 00:00 UTC",
            url=list_of(Challenge, status__exact=int(passed), ended_at_from=day),
            colour=Colour.GREEN,
        ),
    ]


register_cards(_cards, permission="challenges.view_challenge", order=20)
