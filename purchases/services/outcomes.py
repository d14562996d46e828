"""How a purchase ends: active, or failed with a reason and, where money was taken, a mark for staff."""

from datetime import datetime

from django.db import transaction

from brokers.models import AccountOrder, BrokerOperation
from brokers.services import request_disable_and_flatten
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import transition
from purchases.errors import StillInFlightError
from purchases.models import Purchase

ACTIVE_COMMENT = "PROP_CHALLENGE_PURCHASE_ACTIVE"
FAILED_COMMENT = "PROP_CHALLENGE_PURCHASE_FAILED"

_UNFINISHED_ORDER = (AccountOrder.Status.REQUESTED, AccountOrder.Status.OPENING, AccountOrder.Status.NEEDS_REVIEW)


def mark_active(*, purchase_id: int, by: Actor, now: datetime) -> Purchase:
    """The challenge is open: account_created becomes active. Doing it twice is a no-op.

    Called in the transaction that opens the challenge; locks the purchase. Raises `IllegalTransitionError`.
    """
    with transaction.atomic():
        purchase = Purchase.objects.select_for_update().get(pk=purchase_id)
        transition(
            purchase,
            to=Purchase.Status.ACTIVE,
            by=by,
            now=now,
            reason="challenge opened",
            activation_status="active",
            comment=ACTIVE_COMMENT,
            review_reason="",
        )
        return purchase


def fail_purchase(*, purchase_id: int, failure_reason: str, by: Actor, now: datetime, detail: str = "") -> Purchase:
    """Give a purchase up that is not active yet: its account is disabled, money that was taken is shown to staff.

    `failure_reason` is a stable code. Failing it twice is a no-op. Raises `StillInFlightError` while its payment or its
    account order is unfinished or in doubt, `IllegalTransitionError` when it is active or refunded; nothing is written
    then.
    """
    with transaction.atomic():
        purchase = Purchase.objects.select_for_update().get(pk=purchase_id)
        if purchase.status in {Purchase.Status.PENDING, Purchase.Status.PAID}:
            _require_settled(purchase)
        # The account of a paid one may be ready as well, and the purchase not know of it yet.
        if purchase.status in {Purchase.Status.PAID, Purchase.Status.ACCOUNT_CREATED}:
            disable_its_account(purchase, by=by, now=now)
        fail(purchase, failure_reason=failure_reason, detail=detail or failure_reason, by=by, now=now)
        return purchase


def fail(purchase: Purchase, *, failure_reason: str, detail: str, by: Actor, now: datetime) -> bool:
    """The transition to failed and everything that goes with it, for a purchase that nothing is in flight for.

    Money taken ends as a refund or before staff (invariant 2): whether it goes back, staff decide (`refund_purchase`).
    """
    was_paid = purchase.payment is not None and purchase.payment.status == BrokerOperation.Status.DONE
    owed = f"Refund needed: {purchase.amount.normalize():f} {purchase.currency} was taken and {detail.rstrip('.')}."
    return transition(
        purchase,
        to=Purchase.Status.FAILED,
        by=by,
        now=now,
        reason=detail,
        payment_status="paid" if was_paid else "failed",
        activation_status="failed",
        failure_reason=failure_reason,
        comment=FAILED_COMMENT,
        review_reason=owed if was_paid else "",
    )


def disable_its_account(purchase: Purchase, *, by: Actor, now: datetime) -> None:
    """Have the account that is ready for a purchase disabled and flattened at the broker."""
    order = purchase.account_order
    if order is not None and order.status == AccountOrder.Status.READY and order.account is not None:
        request_disable_and_flatten(subject=f"purchase:{purchase.pk}:end", account=order.account, by=by, now=now)


def _require_settled(purchase: Purchase) -> None:
    payment, order = purchase.payment, purchase.account_order
    if payment is not None and BrokerOperation.objects.unfinished().filter(pk=payment.pk).exists():
        raise StillInFlightError(f"Operation {payment.pk} is unfinished: the price may have been taken.")
    if order is not None and order.status in _UNFINISHED_ORDER:
        raise StillInFlightError(f"Account order {order.pk} is unfinished: an account may still open.")
