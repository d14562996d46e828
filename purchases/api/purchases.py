"""A purchase in JSON, and what a buy or a preview takes. The buy view shows challenges, so it lives with them.

Fields and their order: api-facts 4.3 (V2), 6.3 and 6.4.
"""

from typing import Any

from rest_framework import serializers

from propdesk.lib.mng.inputs import CommandInput, TextField, WholeNumberField
from propdesk.lib.times import unix
from purchases.models import Purchase

NEXT_ACTIONS = {
    Purchase.Status.PENDING: "WAIT_PAYMENT",
    Purchase.Status.PAID: "WAIT_ACCOUNT",
    Purchase.Status.ACCOUNT_CREATED: "WAIT_CHALLENGE",
    Purchase.Status.ACTIVE: "OPEN_CHALLENGE",
    Purchase.Status.FAILED: "BUY_AGAIN",
    Purchase.Status.REFUNDED: "NONE",
}
WAIT_REFUND = "WAIT_REFUND"


class PreviewInput(CommandInput):
    """What to buy, and which of the customer's own accounts pays."""

    program_id = WholeNumberField(minimum=1)
    payer_login = WholeNumberField(minimum=1)


class BuyInput(PreviewInput):
    """The same key never makes a second purchase for the same customer."""

    idempotency_key = TextField(max_length=128, required=False, allow_blank=True, default="")


class PurchaseOutput(serializers.Serializer[Any]):
    """A purchase. Times are Unix seconds."""

    id = serializers.IntegerField()
    program_id = serializers.IntegerField()
    customer_id = serializers.IntegerField()
    payer_login = serializers.IntegerField(help_text="0 for a grant.")
    account_login = serializers.IntegerField(help_text="0 until the account is ready.")
    status = serializers.ChoiceField(choices=Purchase.Status.choices)
    status_name = serializers.CharField()
    next_action = serializers.CharField(
        help_text=f"{', '.join(NEXT_ACTIONS.values())}, {WAIT_REFUND} while the price is on its way back, or "
        "CONTACT_SUPPORT while staff have to look at it."
    )
    can_retry = serializers.BooleanField(help_text="It failed before anything was paid: the customer may buy again.")
    can_cancel = serializers.BooleanField()
    amount = serializers.FloatField()
    currency = serializers.CharField()
    conversion_rate = serializers.FloatField()
    amount_account_currency = serializers.FloatField()
    comment = serializers.CharField()
    idempotency_key = serializers.CharField()
    payment_status = serializers.CharField()
    activation_status = serializers.CharField()
    failure_reason = serializers.CharField()
    created_time = serializers.IntegerField(help_text="Unix seconds.")
    updated_time = serializers.IntegerField(help_text="Unix seconds.")


def purchase_json(purchase: Purchase) -> dict[str, Any]:
    """The purchase as `PurchaseOutput` describes it; lists should load it with `payer__account`."""
    status = Purchase.Status(purchase.status)
    return {
        "id": purchase.pk,
        "program_id": purchase.program_id,
        "customer_id": purchase.customer_id,
        "payer_login": purchase.payer.account.login if purchase.payer else 0,
        "account_login": purchase.account_login,
        "status": status.value,
        "status_name": status.label,
        "next_action": _next_action(purchase),
        "can_retry": status is Purchase.Status.FAILED and purchase.payment_status == "failed",
        # There is no way to cancel yet: once the price is on its way, it cannot be called back.
        "can_cancel": False,
        "amount": purchase.amount,
        "currency": purchase.currency,
        "conversion_rate": purchase.conversion_rate,
        "amount_account_currency": purchase.amount_account_currency,
        "comment": purchase.comment,
        "idempotency_key": purchase.idempotency_key,
        "payment_status": purchase.payment_status,
        "activation_status": purchase.activation_status,
        "failure_reason": purchase.failure_reason,
        "created_time": unix(purchase.created_at),
        "updated_time": unix(purchase.updated_at),
    }


def _next_action(purchase: Purchase) -> str:
    if purchase.review_reason:
        return "CONTACT_SUPPORT"
    return WAIT_REFUND if purchase.is_being_refunded else NEXT_ACTIONS[Purchase.Status(purchase.status)]
