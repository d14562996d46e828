from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest

from brokers.admin import colours
from brokers.models import AccountOrder
from brokers.services import resume_order
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    Button,
    ChoicesFilter,
    DateRangeFilter,
    Panel,
    RelatedFilter,
    Table,
    ViewOnlyAdmin,
    display,
    flag_column,
    link_column,
    link_to,
    money_column,
    status_column,
    status_label,
    timeline,
)
from propdesk.lib.times import utc_now


def _resume(order: AccountOrder, by: Actor, reason: str) -> str:
    resume_order(order_id=order.pk, reason=reason, by=by, now=utc_now())
    return "The machine goes on with the order and with its operations that were in review."


IN_DOUBT = flag_column("was_in_doubt", "was in doubt")
STATUS = status_column(colours.ORDER)
DEPOSIT = money_column("deposit", currency="group.currency")


@admin.register(AccountOrder)
class AccountOrderAdmin(ViewOnlyAdmin[AccountOrder]):
    list_display = (
        "reference",
        "holder",
        link_column("group"),
        DEPOSIT,
        STATUS,
        link_column("account"),
        "why",
        "created_at",
    )
    list_select_related = ("group", "account")
    list_filter = (
        ("status", ChoicesFilter),
        ("group", RelatedFilter),
        "was_in_doubt",
        ("created_at", DateRangeFilter),
    )
    search_fields = ("reference", "first_name", "last_name", "=account__login")
    search_help_text = "Reference, name or account number."
    empty_text = "An order appears when a purchase is paid or a challenge reaches its next phase."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("reference", STATUS),
                    ("holder", "group", DEPOSIT),
                    ("account", "ready_at"),
                    ("failure_reason", "review_reason"),
                    (IN_DOUBT, "next_at"),
                    ("created_at", "updated_at"),
                )
            },
        ),
    )
    buttons = (
        Button(
            name="resume",
            text="Try again",
            explanation="The machine goes on where the order stopped, and first reads at the broker what was done.",
            run=_resume,
            offered=lambda order: order.status == AccountOrder.Status.NEEDS_REVIEW,
            variant="primary",
            icon="replay",
        ),
    )

    @display(description="for", ordering="last_name")
    def holder(self, order: AccountOrder) -> str:
        return f"{order.first_name} {order.last_name}".strip() or NOTHING

    @display(description="why it stands still")
    def why(self, order: AccountOrder) -> str:
        return order.review_reason or order.failure_reason or NOTHING

    def panels_below(self, request: HttpRequest, row: AccountOrder) -> Sequence[Panel]:
        return [
            Table(
                title="Steps at the broker",
                note="Create, deposit, enable: each is one recorded operation.",
                columns=("Operation", "Status", "Account", "Amount", "Attempts", "Finished"),
                rows=[
                    (
                        link_to(operation, operation.get_kind_display()),
                        status_label(operation, colours.OPERATION),
                        link_to(operation.account),
                        NOTHING if operation.amount is None else f"{operation.amount:,.2f}",
                        operation.attempts,
                        operation.finished_at or NOTHING,
                    )
                    for operation in row.operations.select_related("account").order_by("id")
                ],
                empty="No step has been taken yet.",
            ),
            timeline(row, colours.ORDER),
        ]
