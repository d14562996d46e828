"""The cards that the pages of challenges and enrollments share."""

from collections.abc import Sequence

from django.utils.html import format_html

from brokers.models import AccountOrder
from challenges.admin import colours
from challenges.admin.standing import distance_bar, distances, rules_of
from challenges.models import Breach, DailySnapshot, Enrollment
from propdesk.lib.admin import NOTHING, Colour, Facts, Table, label, link_to, list_of, percent, status_label
from propdesk.lib.money import as_text, cents


def standing_panel(enrollment: Enrollment) -> Facts:
    """Figures, levels and what remains to each."""
    state = getattr(enrollment, "running_state", None)
    if state is None:
        return Facts(title="Where it stands", facts=_waiting(enrollment))
    facts: list[tuple[str, object]] = [
        ("Account", link_to(enrollment.account)),
        ("Equity", as_text(cents(state.last_equity))),
        ("Balance", as_text(cents(state.last_balance))),
        ("Profit", percent(state.profit_pct)),
    ]
    for distance in distances(enrollment, rules_of(enrollment)).values():
        facts.append((f"{distance.name} level", as_text(cents(distance.level))))
        facts.append((f"Left to {distance.name.lower()}", distance_bar(distance)))
    if state.profit_target is not None:
        reached = percent(state.profit_target_progress_pct)
        facts.append(("Profit target", f"{as_text(cents(state.profit_target))} ({reached} of the way)"))
    if state.daily_profit is not None:
        facts.append(("Daily profit level", as_text(cents(state.daily_profit))))
    facts.append(("Trading days", state.trading_days))
    facts.append(("Trading day", state.trading_day))
    for name, text in (
        ("Not passed yet because", state.why_not_passed),
        ("Cannot judge", state.cannot_judge),
        ("Warning", state.warning),
        ("Needs review", enrollment.review_reason),
    ):
        if text:
            facts.append((name, text))
    note = f"Last reading {state.last_at:%Y-%m-%d %H:%M:%S} UTC." if state.last_at else "Not read yet."
    return Facts(title="Where it stands", note=note, facts=facts)


def _waiting(enrollment: Enrollment) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [("Waiting for", link_to(enrollment.order, "its trading account"))]
    return facts + ([("Needs review", enrollment.review_reason)] if enrollment.review_reason else [])


def earlier_orders_table(orders: Sequence[AccountOrder]) -> Table:
    """Account orders of a phase that another one has replaced."""
    return Table(
        title="Earlier account orders",
        note="The account was ordered again after them. What they left at the broker is settled under their names.",
        columns=("Account order", "How it ended", "Why", "Ordered"),
        rows=[
            (
                link_to(order),
                order.get_status_display(),
                order.failure_reason or order.cancel_reason or NOTHING,
                order.created_at,
            )
            for order in orders
        ],
        empty="There are none.",
    )


def enrollments_table(enrollments: Sequence[Enrollment]) -> Table:
    """The way through the phases, one row per enrollment."""
    return Table(
        title="Phases",
        columns=("Enrollment", "Phase", "Status", "Account", "Started with", "Ended with", "Started", "Ended", "Why"),
        rows=[
            (
                link_to(row, f"Enrollment {row.pk}"),
                f"{row.phase_index}. {row.phase_name}",
                enrollment_label(row),
                link_to(row.account),
                as_text(cents(row.initial_balance)),
                NOTHING if row.final_equity is None else as_text(cents(row.final_equity)),
                row.started_at or NOTHING,
                row.ended_at or NOTHING,
                colours.rule_name(row.close_reason) or NOTHING,
            )
            for row in enrollments
        ],
        empty="No phase has begun.",
    )


def enrollment_label(enrollment: Enrollment) -> str:
    """The status, or paused, which is a flag beside it."""
    if enrollment.is_paused:
        return label("paused", Colour.ORANGE)
    return status_label(enrollment, colours.STATUS)


def breaches_table(enrollments: Sequence[Enrollment]) -> Table:
    """Broken rules, newest first, with the evidence one click away."""
    breaches = Breach.objects.filter(enrollment__in=[row.pk for row in enrollments])[:20]
    return Table(
        title="Breaches",
        columns=("Rule", "Led to", "Level", "Observed", "At", "Evidence"),
        rows=[
            (
                link_to(breach, colours.rule_name(breach.rule)),
                colours.action_label(breach),
                NOTHING if breach.level is None else as_text(breach.level),
                NOTHING if breach.observed is None else as_text(breach.observed),
                breach.at,
                format_html('<span class="pd-wrap">{}</span>', breach.explanation),
            )
            for breach in breaches
        ],
        empty="No rule has been broken.",
    )


def snapshots_table(enrollment: Enrollment) -> Table:
    """The latest trading days."""
    days = enrollment.daily_snapshots.order_by("-trading_day")[:14]
    return Table(
        title="Trading days",
        note="The start values that the daily loss is counted from; the latest fourteen days of the present phase.",
        more=list_of(DailySnapshot, enrollment__id__exact=enrollment.pk),
        columns=("Day", "Start balance", "Start equity", "Lowest equity", "Highest equity", "Closing balance", ""),
        rows=[
            (
                link_to(day, day.trading_day.isoformat()),
                *(
                    NOTHING if amount is None else as_text(cents(amount))
                    for amount in (
                        day.start_balance,
                        day.start_equity,
                        day.low_equity,
                        day.high_equity,
                        day.close_balance,
                    )
                ),
                label("late", Colour.ORANGE, "Its start values are older than the monitor allows.")
                if day.is_late
                else "",
            )
            for day in days
        ],
        empty="The first trading day is still to begin.",
    )
