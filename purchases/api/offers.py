"""Previews and payer accounts in JSON. Fields: api-facts 6.2 and 6.3."""

from typing import Any

from rest_framework import serializers

from purchases.reasons import MESSAGES, BlockReason
from purchases.services import Offer


class PayerAccountRow(serializers.Serializer[Any]):
    """One of the customer's payer accounts, and whether it can pay."""

    login = serializers.IntegerField()
    currency = serializers.CharField()
    balance = serializers.FloatField(allow_null=True, help_text="null: it cannot be read right now.")
    eligible = serializers.BooleanField()
    block_reason = serializers.ChoiceField(choices=[reason.value for reason in BlockReason], allow_null=True)
    block_reason_message = serializers.CharField(allow_null=True)


class PayerAccountRows(serializers.Serializer[Any]):
    rows = PayerAccountRow(many=True)


class PreviewOutput(serializers.Serializer[Any]):
    """Prices and balance when `can_buy`; the reason, what is needed and what there is when not."""

    can_buy = serializers.BooleanField()

    price = serializers.FloatField(required=False)
    currency = serializers.CharField(required=False)
    payer_balance = serializers.FloatField(required=False)
    amount_account_currency = serializers.FloatField(required=False)
    conversion_rate = serializers.FloatField(required=False)
    warnings = serializers.ListField(child=serializers.CharField(), required=False)

    reason = serializers.ChoiceField(choices=[reason.value for reason in BlockReason], required=False)
    message = serializers.CharField(required=False)
    required_amount = serializers.FloatField(required=False)
    available_balance = serializers.FloatField(required=False, allow_null=True)
    block_reason_message = serializers.CharField(required=False)


def payer_account_json(offer: Offer) -> dict[str, Any]:
    """The payer account as `PayerAccountRow` describes it."""
    return {
        "login": offer.login,
        "currency": offer.currency,
        "balance": offer.balance,
        "eligible": offer.reason is None,
        "block_reason": offer.reason,
        "block_reason_message": None if offer.reason is None else MESSAGES[offer.reason],
    }


def preview_json(offer: Offer) -> dict[str, Any]:
    """The answer as `PreviewOutput` describes it."""
    if offer.reason is None:
        return {
            "can_buy": True,
            "price": offer.program.price,
            "currency": offer.program.price_currency,
            "payer_balance": offer.balance,
            "amount_account_currency": offer.program.price,
            "conversion_rate": 1.0,
            "warnings": [],
        }
    return {
        "can_buy": False,
        "reason": offer.reason,
        "message": MESSAGES[offer.reason],
        "required_amount": offer.program.price,
        "available_balance": offer.balance,
        "block_reason_message": MESSAGES[offer.reason],
    }
