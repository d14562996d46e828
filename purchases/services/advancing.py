"""Advancing: what takes a purchase from pending to account_created, or its price back, one committed step at a time.

Broker calls happen between the transactions, never inside one. Any number of workers may advance the same purchase at
once: brokers' operations and orders are leased and every transition is a conditional update, so the slower one finds
its work done.
"""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from brokers.models import AccountGroup, AccountOrder, BrokerOperation
from brokers.services import advance_order, place_order, run_operation
from programs.services import phase_terms
from propdesk.lib.nudge import nudge
from propdesk.lib.transitions import IllegalTransitionError, transition
from purchases.models import Purchase
from purchases.services.outcomes import fail
from purchases.services.paying_back import pay_back
from purchases.services.waiting import MACHINE, Clock, is_slow, wait

# The states of a money operation that let no other one of its account begin.
_AHEAD = (BrokerOperation.Status.CALLING, BrokerOperation.Status.IN_DOUBT, BrokerOperation.Status.NEEDS_REVIEW)


def advance_purchase(*, purchase_id: int, clock: Clock) -> Purchase:
    """Take the purchase as far as it goes now: payment, account order, account_created; or refund. Makes broker calls.

    A purchase that is elsewhere already, or waits for something, is returned as it stands. Must not be called inside a
    transaction. Raises `Purchase.DoesNotExist` when it was deleted meanwhile.
    """
    while True:
        related = ("payment", "account_order", "refund", "customer", "program_version")
        purchase = Purchase.objects.select_related(*related).get(pk=purchase_id)
        try:
            has_moved = _step(purchase, clock)
        except IllegalTransitionError:
            if Purchase.objects.filter(pk=purchase_id, status=purchase.status).exists():
                raise
            # Another worker was quicker: go on from what it left.
            continue
        if not has_moved:
            return purchase


def _step(purchase: Purchase, clock: Clock) -> bool:
    """Do the next step; whether the purchase has moved to another status by it."""
    match purchase.status:
        case Purchase.Status.PENDING:
            return _settle_payment(purchase, clock)
        case Purchase.Status.PAID:
            return _open_account(purchase, clock)
        case Purchase.Status.FAILED if purchase.is_being_refunded:
            return pay_back(purchase, clock)
        case _:
            return False


def _settle_payment(purchase: Purchase, clock: Clock) -> bool:
    payment = purchase.payment
    if payment is None:
        return wait(purchase, review_reason="It has no payment operation.", now=clock())
    payment = run_operation(operation_id=payment.pk, clock=clock)
    match payment.status:
        case BrokerOperation.Status.DONE:
            return transition(
                purchase,
                to=Purchase.Status.PAID,
                by=MACHINE,
                now=(now := clock()),
                reason=f"price withdrawn by operation {payment.pk}",
                payment_status="paid",
                review_reason="",
                next_at=now,
            )
        case BrokerOperation.Status.REFUSED | BrokerOperation.Status.CANCELLED:
            return fail(
                purchase,
                failure_reason=payment.error_code or "PAYMENT_CANCELLED",
                detail=payment.error_message or f"operation {payment.pk} was {payment.get_status_display()}",
                by=MACHINE,
                now=clock(),
            )
        case BrokerOperation.Status.NEEDS_REVIEW:
            return wait(purchase, review_reason=f"Payment in doubt: {payment.review_reason}", now=clock())
        case _:
            is_shown = is_slow(since=purchase.updated_at, now=(now := clock()))
            return wait(purchase, review_reason=_why_unpaid(payment) if is_shown else "", now=now)


def _why_unpaid(payment: BrokerOperation) -> str:
    """What keeps a payment that nothing has gone wrong with, in words for staff."""
    waits = f"Payment waits: operation {payment.pk}"
    if not payment.connection.is_enabled:
        return f"{waits} cannot be called, the connection {payment.connection} is switched off."
    # One money operation of an account at a time.
    ahead = BrokerOperation.objects.filter(account=payment.account, kind__in=BrokerOperation.MONEY, status__in=_AHEAD)
    other = ahead.exclude(pk=payment.pk).first()
    if payment.status == BrokerOperation.Status.INTENDED and other is not None:
        return f"{waits} comes after operation {other.pk} ({other}) of the same account, {other.get_status_display()}."
    return f"{waits} is not done yet ({payment.get_status_display()}). {payment.error_message}".rstrip()


def _open_account(purchase: Purchase, clock: Clock) -> bool:
    order = purchase.account_order
    if order is None:
        first = phase_terms(purchase.program_version, 1)
        group = AccountGroup.objects.filter(name=first.account_group).first()
        if group is None:
            return wait(purchase, review_reason=f"There is no account group {first.account_group}.", now=clock())
        order = _place_order(purchase, group, deposit=first.initial_balance, now=clock())
    order = advance_order(order_id=order.pk, clock=clock)
    match order.status:
        case AccountOrder.Status.READY if order.account is not None:
            moved = transition(
                purchase,
                to=Purchase.Status.ACCOUNT_CREATED,
                by=MACHINE,
                now=clock(),
                reason=f"account {order.account.login} is funded and enabled",
                account_login=order.account.login,
                review_reason="",
            )
            nudge("challenges.open", purchase.pk)
            return moved
        case AccountOrder.Status.FAILED | AccountOrder.Status.CANCELLED:
            why = order.failure_reason or order.cancel_reason
            return fail(
                purchase,
                failure_reason="ACCOUNT_NOT_OPENED",
                detail=f"account order {order.pk} {order.get_status_display()}: {why}",
                by=MACHINE,
                now=clock(),
            )
        case AccountOrder.Status.NEEDS_REVIEW:
            return wait(purchase, review_reason=f"Account order waits: {order.review_reason}", now=clock())
        case _:
            is_shown = is_slow(since=purchase.updated_at, now=(now := clock()))
            waits = f"Account order waits: order {order.pk} is not ready yet ({order.get_status_display()})."
            return wait(purchase, review_reason=waits if is_shown else "", now=now)


def _place_order(purchase: Purchase, group: AccountGroup, *, deposit: Decimal, now: datetime) -> AccountOrder:
    """Order the first account; the purchase knows of it in the same transaction."""
    with transaction.atomic():
        locked = Purchase.objects.select_for_update().get(pk=purchase.pk)
        if locked.account_order is not None:
            return locked.account_order
        if locked.status != Purchase.Status.PAID:
            raise IllegalTransitionError(locked, locked.status, Purchase.Status.ACCOUNT_CREATED)
        locked.account_order = place_order(
            reference=f"purchase:{locked.pk}",
            group=group,
            deposit=deposit,
            first_name=purchase.customer.first_name,
            last_name=purchase.customer.last_name,
            by=MACHINE,
            now=now,
        )
        locked.save(update_fields=["account_order"])
        return locked.account_order
