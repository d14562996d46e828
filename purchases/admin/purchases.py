from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

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
    label,
    link_column,
    link_to,
    list_of,
    money_column,
    register_cards,
    status_column,
    status_label,
    timeline,
)
from propdesk.lib.times import utc_now
from purchases.admin import colours
from purchases.admin.refunds import REFUND, refund_panels
from purchases.models import Purchase

STATUS = status_column(colours.PURCHASE)
RATE = money_column("conversion_rate")
IN_ACCOUNT_CURRENCY = money_column("amount_account_currency", description="in the payer account's currency")
AMOUNT = money_column("amount", currency="currency", description="amount")
# A sale that takes longer than this is worth a look, although nothing has said that it went wrong.
SLOW = timedelta(minutes=10)


class AttentionFilter(OptionsFilter):
    """Sales that staff should look at."""

    title = "attention"
    parameter_name = "attention"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("review", "needs review"),
            ("open", "not finished"),
            ("slow", "not finished after ten minutes"),
            ("refund", "refund under way"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Purchase]) -> QuerySet[Purchase]:
        if self.value() == "review":
            return queryset.exclude(review_reason="")
        if self.value() == "open":
            return queryset.filter(status__in=_OPEN)
        if self.value() == "slow":
            return queryset.filter(status__in=_OPEN, created_at__lt=utc_now() - SLOW)
        if self.value() == "refund":
            return queryset & Purchase.objects.being_refunded()
        return queryset


_OPEN = (Purchase.Status.PENDING, Purchase.Status.PAID, Purchase.Status.ACCOUNT_CREATED)


@admin.register(Purchase)
class PurchaseAdmin(ViewOnlyAdmin[Purchase]):
    list_display = (
        "id",
        link_column("customer"),
        link_column("program"),
        AMOUNT,
        STATUS,
        "payment_state",
        "activation_state",
        "account",
        "attention",
        "created_at",
    )
    list_select_related = ("customer", "program")
    list_filter = (
        AttentionFilter,
        ("status", ChoicesFilter),
        ("kind", ChoicesFilter),
        ("program", RelatedFilter),
        ("created_at", DateRangeFilter),
    )
    search_fields = (
        "=id",
        "customer__email",
        "customer__first_name",
        "customer__last_name",
        "=account_login",
        "idempotency_key",
    )
    search_help_text = "Number, customer's name or e-mail, account number, idempotency key."
    buttons = (REFUND,)
    empty_text = "A purchase appears when a customer buys a program, or staff grant one."
    fieldsets = (
        (
            "Money",
            {
                "fields": (
                    ("kind", AMOUNT, link_column("payer.account", "payer account")),
                    (RATE, IN_ACCOUNT_CURRENCY, "comment"),
                )
            },
        ),
        (
            "Record",
            {
                "fields": (
                    (link_column("program_version", "terms"), "idempotency_key"),
                    ("created_at", "updated_at", "next_at"),
                )
            },
        ),
    )

    @display(description="account", ordering="account_login")
    def account(self, purchase: Purchase) -> str:
        return str(purchase.account_login or NOTHING)

    @display(description="payment", ordering="payment_status")
    def payment_state(self, purchase: Purchase) -> str:
        return purchase.payment_status

    @display(description="activation", ordering="activation_status")
    def activation_state(self, purchase: Purchase) -> str:
        return purchase.activation_status

    @display(description="attention", ordering="review_reason")
    def attention(self, purchase: Purchase) -> str:
        if purchase.review_reason:
            return label("needs review", Colour.ORANGE, purchase.review_reason)
        return label("refund under way", Colour.BLUE) if purchase.is_being_refunded else NOTHING

    def panels_above(self, request: HttpRequest, row: Purchase) -> Sequence[Panel]:
        order = row.account_order
        facts: list[tuple[str, object]] = [
            ("Status", status_label(row, colours.PURCHASE)),
            ("Customer", link_to(row.customer)),
            ("Program", link_to(row.program)),
            ("Payment", _payment(row)),
            ("Account order", link_to(order, f"{order} ({order.get_status_display()})") if order else NOTHING),
            ("Trading account", link_to(order.account) if order else NOTHING),
            ("Activation", row.activation_status),
            ("Challenge", link_to(getattr(row, "challenge", None))),
        ]
        if row.failure_reason:
            facts.append(("Failed because", row.failure_reason))
        if row.review_reason:
            facts.append(("Needs review", row.review_reason))
        return [Facts(title="Where it stands", facts=facts), *refund_panels(row)]

    def panels_below(self, request: HttpRequest, row: Purchase) -> Sequence[Panel]:
        return [timeline(row, colours.PURCHASE)]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Purchase | None:
        related = (
            "payment__account",
            "refund",
            "account_order__account",
            "program_version",
            "payer__account",
            "challenge",
        )
        self_queryset = Purchase.objects.select_related("customer", "program", *related)
        return self_queryset.filter(pk=object_id).first() if object_id.isdigit() else None


def _payment(purchase: Purchase) -> str:
    """How the payment stands; the operation is the one that took the price."""
    if purchase.payment is None:
        return purchase.payment_status
    is_back = purchase.status == Purchase.Status.REFUNDED
    taken = f"operation {purchase.payment.pk}"
    return link_to(purchase.payment, f"paid by {taken}, refunded" if is_back else f"{purchase.payment_status}, {taken}")


def _cards(now: datetime) -> list[Card]:
    purchases = Purchase.objects
    return [
        Card(
            title="Purchases to review",
            value=purchases.exclude(review_reason="").count(),
            hint="stopped until staff decide",
            url=list_of(Purchase, attention="review"),
            colour=Colour.ORANGE,
        ),
        Card(
            title="Slow purchases",
            value=purchases.filter(status__in=_OPEN, created_at__lt=now - SLOW).count(),
            hint="unfinished for over ten minutes",
            url=list_of(Purchase, attention="slow"),
            colour=Colour.RED,
        ),
        Card(
            title="Refunds under way",
            value=purchases.being_refunded().count(),
            hint="prices on their way back",
            url=list_of(Purchase, attention="refund"),
            colour=Colour.BLUE,
        ),
        Card(
            title="Bought today",
            value=purchases.filter(created_at__gte=now.replace(hour=0, minute=0, second=0, microsecond=0)).count(),
            hint="since 00:00 UTC",
            url=list_of(Purchase, created_at_from=now.date().isoformat()),
            colour=Colour.BLUE,
        ),
    ]


register_cards(_cards, permission="purchases.view_purchase", order=10)
