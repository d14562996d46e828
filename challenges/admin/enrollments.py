from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest

from challenges.admin import colours
from challenges.admin.chart import equity_chart
from challenges.admin.panels import (
    breaches_table,
    earlier_orders_table,
    enrollment_label,
    snapshots_table,
    standing_panel,
)
from challenges.models import Enrollment
from challenges.services.ordering import earlier_orders, objection_to_ordering_again, order_account_again
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    Button,
    ChoicesFilter,
    DateRangeFilter,
    Facts,
    Panel,
    ViewOnlyAdmin,
    display,
    link_column,
    link_to,
    money_column,
    timeline,
)
from propdesk.lib.times import utc_now


def _order_again(enrollment: Enrollment, by: Actor, reason: str) -> str:
    order = order_account_again(enrollment_id=enrollment.pk, reason=reason, by=by, now=utc_now())
    return f"Account order {order.pk} is placed. The phase begins by itself once its account is ready."


@admin.register(Enrollment)
class EnrollmentAdmin(ViewOnlyAdmin[Enrollment]):
    list_display = (
        "id",
        link_column("challenge"),
        link_column("challenge.customer", "customer"),
        "phase",
        "state",
        link_column("account"),
        money_column("final_equity"),
        "why_over",
        "started_at",
        "ended_at",
    )
    list_select_related = ("challenge__customer", "account")
    list_filter = (
        ("status", ChoicesFilter),
        "is_paused",
        "phase_type",
        "close_reason",
        ("started_at", DateRangeFilter),
    )
    search_fields = ("=id", "=account__login", "=challenge__id", "challenge__customer__email", "phase_name")
    search_help_text = "Number, account number, challenge number, phase or customer's e-mail."
    empty_text = "An enrollment appears for every phase that a challenge reaches."
    fieldsets = (
        (
            "Record",
            {
                "fields": (
                    ("predecessor", "order"),
                    (money_column("initial_balance"), money_column("initial_equity")),
                    (money_column("final_balance"), money_column("final_equity"), "final_at"),
                    ("created_at", "updated_at"),
                )
            },
        ),
    )

    buttons = (
        Button(
            name="order_again",
            text="Order the account again",
            explanation="The account of this phase is ordered once more, in the account group and with the deposit of "
            "the terms that were bought. Put right first what stood in the way of the order before: its page says why "
            "it ended. That order stays for the record.",
            about=lambda row: f"Account order {row.order_id}: {row.order.failure_reason or row.order.cancel_reason}",
            run=_order_again,
            offered=lambda row: not objection_to_ordering_again(row),
            why_not=objection_to_ordering_again,
            variant="primary",
            icon="replay",
        ),
    )

    class Media:
        js = ("propdesk/chart.js",)

    @display(description="phase", ordering="phase_index")
    def phase(self, enrollment: Enrollment) -> str:
        return f"{enrollment.phase_index}. {enrollment.phase_name}"

    @display(description="status", ordering="status")
    def state(self, enrollment: Enrollment) -> str:
        return enrollment_label(enrollment)

    @display(description="why over", ordering="close_reason")
    def why_over(self, enrollment: Enrollment) -> str:
        return colours.rule_name(enrollment.close_reason) or NOTHING

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Enrollment | None:
        related = ("challenge__customer", "challenge__program_version", "account__group", "running_state", "order")
        found = Enrollment.objects.select_related(*related).filter(pk=object_id) if object_id.isdigit() else None
        return found.first() if found is not None else None

    def panels_above(self, request: HttpRequest, row: Enrollment) -> Sequence[Panel]:
        return [
            Facts(
                title="Enrollment",
                facts=[
                    ("Status", enrollment_label(row)),
                    ("Phase", self.phase(row)),
                    ("Kind", "funded" if row.phase_type else "evaluation"),
                    ("Challenge", link_to(row.challenge)),
                    ("Customer", link_to(row.challenge.customer)),
                    ("Account group", row.account_group),
                    ("Started", row.started_at or NOTHING),
                    ("Ended", row.ended_at or NOTHING),
                    ("Over because", self.why_over(row)),
                ],
            ),
            standing_panel(row),
            equity_chart(row, row.account.group.currency if row.account else ""),
            breaches_table([row]),
            snapshots_table(row),
        ]

    def panels_below(self, request: HttpRequest, row: Enrollment) -> Sequence[Panel]:
        earlier = list(earlier_orders(row))
        return [*([earlier_orders_table(earlier)] if earlier else []), timeline(row, colours.STATUS)]
