"""Asking for a refund: staff decide that a price that was taken goes back to where it came from.

The decision is one transaction, under the same lock as the opening of the challenge: a purchase that is not active yet
is called off by it and can no more become so. The money follows (`paying_back`) once its account is out of trading.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from brokers.models import AccountOrder, BrokerOperation
from brokers.services import cancel_order
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import CodedError, InvalidDataError
from propdesk.lib.nudge import nudge
from propdesk.lib.transitions import record, transition
from purchases.errors import NotRefundableError, StillInFlightError
from purchases.models import Purchase
from purchases.services.outcomes import FAILED_COMMENT, disable_its_account

CALLED_OFF = "CANCELLED"

Status = Purchase.Status


def refund_purchase(*, purchase_id: int, reason: str, by: Actor, now: datetime) -> Purchase:
    """Give the price back to the payer account, once; a purchase that is not active yet is called off by it.

    Returns at once, with the purchase failed and `refund_asked_at` set; it becomes refunded when the money is back.
    Asking twice is asking once; a refund that the broker has refused may be asked for again. Raises, having written
    nothing, `StillInFlightError` while nobody knows whether the price was taken, `NotRefundableError` when it was not,
    or when the purchase is active: ending a challenge is not for purchases to do. `InvalidDataError` without a reason.
    """
    if not reason.strip():
        raise InvalidDataError.at("reason", "Say why the price goes back.")
    with transaction.atomic():
        # Its related rows are read once it is locked: joined ones would be as they were before a wait for the lock.
        purchase = Purchase.objects.select_for_update().get(pk=purchase_id)
        if purchase.is_being_refunded or purchase.status == Status.REFUNDED:
            return purchase
        _require_refundable(purchase)
        asked = {
            "refund_asked_at": now, "refund_reason": reason, "refund_tries": purchase.refund_tries + 1, "refund": None,
            "review_reason": "", "next_at": now,
        }  # fmt: skip
        if purchase.status == Status.FAILED:
            _note(purchase, reason=f"refund asked for: {reason}", by=by, now=now, **asked)
        else:
            _call_off(purchase, reason=reason, by=by, now=now, **asked)
        nudge("purchases.advance", purchase.pk)
        return purchase


def is_refundable(purchase: Purchase) -> bool:
    """Whether a refund may be asked for as things stand."""
    return not why_not_refundable(purchase)


def why_not_refundable(purchase: Purchase) -> str:
    """What speaks against asking for a refund now, in words for staff; empty when nothing does."""
    if purchase.is_being_refunded:
        return f"The refund of purchase {purchase.pk} is under way."
    try:
        _require_refundable(purchase)
    except CodedError as refusal:
        return refusal.message
    return ""


def refund_refused(purchase: Purchase, refund: BrokerOperation, *, by: Actor, now: datetime) -> None:
    """The money did not go back, for certain: staff see it, and may ask again."""
    said = refund.error_message or refund.get_status_display()
    with transaction.atomic():
        locked = Purchase.objects.select_for_update().get(pk=purchase.pk)
        if not locked.is_being_refunded or locked.refund_id != refund.pk:
            return
        owed = f"Refund refused (operation {refund.pk}): {said} The payer account still waits for its money."
        _note(locked, reason=f"refund refused: {said}", by=by, now=now, refund_asked_at=None, review_reason=owed)


def _require_refundable(purchase: Purchase) -> None:
    payment = purchase.payment
    if purchase.status == Status.REFUNDED:
        raise NotRefundableError(f"Purchase {purchase.pk} is refunded.")
    if purchase.status == Status.ACTIVE:
        raise NotRefundableError(f"Purchase {purchase.pk} is active: a challenge that has begun is not refunded.")
    if payment is None:
        raise NotRefundableError(f"No price was taken for purchase {purchase.pk}.")
    if payment.status in {BrokerOperation.Status.REFUSED, BrokerOperation.Status.CANCELLED}:
        outcome = payment.get_status_display()
        raise NotRefundableError(
            f"No price was taken for purchase {purchase.pk}: operation {payment.pk} was {outcome}."
        )
    if payment.status == BrokerOperation.Status.NEEDS_REVIEW:
        raise StillInFlightError(f"Operation {payment.pk} is in review: decide first whether the price was taken.")
    if payment.status != BrokerOperation.Status.DONE or purchase.status == Status.PENDING:
        raise StillInFlightError(f"The payment of purchase {purchase.pk} (operation {payment.pk}) is not settled yet.")


def _call_off(purchase: Purchase, *, reason: str, by: Actor, now: datetime, **asked: Any) -> None:
    """End a purchase that was on its way: its account order is cancelled, a ready account is taken out of trading."""
    if purchase.account_order_id is not None:
        order = purchase.account_order = AccountOrder.objects.select_for_update().get(pk=purchase.account_order_id)
        if order.status == AccountOrder.Status.READY:
            disable_its_account(purchase, by=by, now=now)
        else:
            cancel_order(order_id=order.pk, reason=f"{purchase} is refunded", by=by, now=now)
    transition(
        purchase,
        to=Status.FAILED,
        by=by,
        now=now,
        reason=f"called off, refund asked for: {reason}",
        activation_status="failed",
        failure_reason=CALLED_OFF,
        comment=FAILED_COMMENT,
        **asked,
    )


def _note(purchase: Purchase, *, reason: str, by: Actor, now: datetime, **changes: Any) -> None:
    """Write down what happened to a purchase that stays where it is."""
    for name, value in {**changes, "updated_at": now}.items():
        setattr(purchase, name, value)
    purchase.save(update_fields=[*changes, "updated_at"])
    record(purchase, source=purchase.status, by=by, reason=reason, now=now)
