from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest

from brokers.admin import colours
from brokers.models import BrokerOperation, TradingAccount
from propdesk.lib.admin import (
    NOTHING,
    Colour,
    Panel,
    RelatedFilter,
    Table,
    ViewOnlyAdmin,
    display,
    label,
    link_column,
    link_to,
    list_of,
    money_column,
    status_label,
)


@admin.register(TradingAccount)
class TradingAccountAdmin(ViewOnlyAdmin[TradingAccount]):
    list_display = (
        "number",
        link_column("group"),
        "state",
        money_column("balance", currency="group.currency"),
        money_column("equity", currency="group.currency"),
        "read_at",
        "held_by",
    )
    list_select_related = ("group", "connection", "enrollment__challenge__customer", "payer__customer")
    list_filter = ("is_enabled", "is_funded", "is_orphan", ("group", RelatedFilter), ("connection", RelatedFilter))
    search_fields = ("=login", "marker", "payer__customer__email", "enrollment__challenge__customer__email")
    search_help_text = "Account number, marker address or the customer's e-mail."
    empty_text = "Accounts appear when a purchase is paid and its account order has been carried out."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("number", "state"),
                    ("group", "connection"),
                    (
                        money_column("balance", currency="group.currency"),
                        money_column("equity", currency="group.currency"),
                        "read_at",
                    ),
                    ("held_by", "order"),
                    ("marker",),
                    ("created_at", "updated_at"),
                )
            },
        ),
    )

    @display(description="account", ordering="login")
    def number(self, account: TradingAccount) -> str:
        return str(account.login)

    @display(description="state", ordering="is_enabled")
    def state(self, account: TradingAccount) -> str:
        if account.is_orphan:
            return label("orphan", Colour.ORANGE, "An extra account that a lost reply left behind.")
        return label("enabled", Colour.GREEN) if account.is_enabled else label("disabled")

    @display(description="held by")
    def held_by(self, account: TradingAccount) -> str:
        if enrollment := getattr(account, "enrollment", None):
            return link_to(
                enrollment.challenge, f"{enrollment.challenge.customer}, challenge {enrollment.challenge_id}"
            )
        if payer := getattr(account, "payer", None):
            return link_to(payer.customer, f"{payer.customer} (payer)")
        return NOTHING

    def panels_below(self, request: HttpRequest, row: TradingAccount) -> Sequence[Panel]:
        operations = row.operations.order_by("-id")[:20]
        return [
            Table(
                title="Broker operations",
                note="The latest twenty calls that changed something on this account.",
                more=list_of(BrokerOperation, account__id__exact=row.pk),
                columns=("Operation", "Status", "Amount", "Attempts", "Created", "Finished"),
                rows=[
                    (
                        link_to(operation, f"{operation.get_kind_display()}, {operation.subject}"),
                        status_label(operation, colours.OPERATION),
                        NOTHING if operation.amount is None else f"{operation.amount:,.2f}",
                        operation.attempts,
                        operation.created_at,
                        operation.finished_at or NOTHING,
                    )
                    for operation in operations
                ],
                empty="No call has changed this account through PropDesk.",
            )
        ]
