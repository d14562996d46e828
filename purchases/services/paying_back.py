"""Paying back: the way of a refund that was asked for. First its account, verified; then the money; then the status.

The account order is over and every account of it reads disabled and flat before the deposit is intended; the purchase
is refunded only when the deposit is done. Each step is committed by itself and may be taken any number of times.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from brokers.models.operations import BrokerOperationQuerySet
from brokers.services import (
    advance_order,
    late_enabling_until,
    request_disable_and_flatten,
    request_refund,
    run_operation,
)
from propdesk.lib.transitions import transition
from purchases.models import Purchase
from purchases.services.refunding import refund_refused
from purchases.services.waiting import MACHINE, Clock, is_slow, wait

REFUNDED_COMMENT = "PROP_CHALLENGE_PURCHASE_REFUNDED"

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What the money waits for; `is_for_staff`: nothing but staff will remove it."""

    what: str
    is_for_staff: bool = False


def pay_back(purchase: Purchase, clock: Clock) -> bool:
    """Take the refund as far as it goes now; whether the purchase is refunded, or to be looked at anew, by that."""
    if purchase.refund is None:
        obstacle = _take_out(purchase, clock) or _intend(purchase, now=clock())
        if obstacle is not None:
            return _wait_for(purchase, obstacle, now=clock())
    if purchase.refund is None:
        return True
    refund = purchase.refund = run_operation(operation_id=purchase.refund.pk, clock=clock)
    match refund.status:
        case Status.DONE:
            return transition(
                purchase,
                to=Purchase.Status.REFUNDED,
                by=MACHINE,
                now=clock(),
                reason=f"price paid back by operation {refund.pk}",
                payment_status="refunded",
                comment=REFUNDED_COMMENT,
                review_reason="",
            )
        case Status.REFUSED | Status.CANCELLED:
            refund_refused(purchase, refund, by=MACHINE, now=clock())
            return True
        case _:
            return _wait_for(purchase, _standing(refund), now=clock())


def accounts_of(order: AccountOrder) -> list[TradingAccount]:
    """Every account that came of the order: the one that it has adopted, and the extra ones that lost replies left."""
    extra = Q(operations__subject__startswith=f"order:{order.pk}:orphan:")
    found = TradingAccount.objects.filter(Q(order=order) | Q(adopted_by=order) | extra)
    return list(found.distinct().order_by("id"))


def _take_out(purchase: Purchase, clock: Clock) -> Obstacle | None:
    """See to it that nobody can trade what was bought; what is still in the way of that."""
    if purchase.account_order is None:
        return None
    order = advance_order(order_id=purchase.account_order.pk, clock=clock)
    if order.status == AccountOrder.Status.NEEDS_REVIEW:
        return Obstacle(f"account order {order.pk} is in review: {order.review_reason}", is_for_staff=True)
    if AccountOrder.objects.open().filter(pk=order.pk).exists():
        return Obstacle(f"account order {order.pk} is being cancelled")
    for account in accounts_of(order):
        if obstacle := _take_account_out(purchase, account, clock):
            return obstacle
    return None


def _take_account_out(purchase: Purchase, account: TradingAccount, clock: Clock) -> Obstacle | None:
    """Have the account disabled and flattened after the refund was asked for, whatever was done to it before."""
    if _is_out(account, purchase):
        return None
    if not _switches(account).unfinished().exists():
        until = late_enabling_until(account)
        if until is not None and until > clock():
            return Obstacle(f"a lost call could still enable account {account.login} until {until:%H:%M:%S} UTC")
        _request_out(purchase, account, now=clock())
    for operation_id in _switches(account).open().filter(order=None).order_by("id").values_list("pk", flat=True):
        run_operation(operation_id=operation_id, clock=clock)
    if _is_out(account, purchase):
        return None
    unfinished = _switches(account).unfinished().order_by("-status", "id").first()
    return _standing(unfinished) if unfinished else Obstacle(f"account {account.login} is not out of trading yet")


def _is_out(account: TradingAccount, purchase: Purchase) -> bool:
    """Whether it was disabled after the refund was asked for, is flat since then, and nothing could enable it again."""
    account.refresh_from_db(fields=["is_enabled"])
    switches = _switches(account)
    if account.is_enabled or switches.unfinished().exists():
        return False
    done = switches.filter(status=Status.DONE).order_by("finished_at", "id")
    last = done.exclude(kind=Kind.CLOSE_ALL).last()
    if last is None:
        return False
    not_before = max(filter(None, (purchase.refund_asked_at, late_enabling_until(account))))
    is_disabled = done.filter(pk=last.pk, kind=Kind.DISABLE, started_at__gte=not_before).exists()
    return is_disabled and done.filter(kind=Kind.CLOSE_ALL, started_at__gte=last.finished_at).exists()


def _switches(account: TradingAccount) -> BrokerOperationQuerySet:
    return BrokerOperation.objects.filter(account=account, kind__in=(Kind.ENABLE, Kind.DISABLE, Kind.CLOSE_ALL))


def _request_out(purchase: Purchase, account: TradingAccount, *, now: datetime) -> None:
    prefix = f"purchase:{purchase.pk}:before-refund:{account.login}:"
    with transaction.atomic():
        locked = Purchase.objects.select_for_update().get(pk=purchase.pk)
        # Another worker may have been quicker, also to the end of it.
        if not locked.is_being_refunded or locked.refund is not None or _switches(account).unfinished().exists():
            return
        earlier = BrokerOperation.objects.filter(subject__startswith=prefix, kind=Kind.DISABLE).count()
        request_disable_and_flatten(subject=f"{prefix}{earlier + 1}", account=account, by=MACHINE, now=now)


def _intend(purchase: Purchase, *, now: datetime) -> Obstacle | None:
    """Write down that the money goes back. `purchase.refund` stays empty when the purchase has changed meanwhile."""
    with transaction.atomic(durable=True):
        # Not joined: what the lock is waited for may be another worker that writes the refund.
        locked = Purchase.objects.select_for_update().get(pk=purchase.pk)
        payment, order = locked.payment, locked.account_order
        if locked.refund_asked_at != purchase.refund_asked_at or not locked.is_being_refunded:
            return None
        if locked.refund is None:
            if order is not None and not all(_is_out(account, locked) for account in accounts_of(order)):
                return Obstacle("its account is in trading again")
            if payment is None or payment.account is None or payment.amount is None:
                return Obstacle("its payment names no account", is_for_staff=True)
            again = f":{locked.refund_tries}" if locked.refund_tries > 1 else ""
            locked.refund = request_refund(
                subject=f"purchase:{locked.pk}:refund{again}",
                account=payment.account,
                amount=payment.amount,
                comment=f"Refund of purchase {locked.pk}",
                by=MACHINE,
                now=now,
            )
            locked.save(update_fields=["refund"])
        purchase.refund = locked.refund
    return None


def _standing(operation: BrokerOperation) -> Obstacle:
    name = f"operation {operation.pk} ({operation})"
    if operation.status == Status.NEEDS_REVIEW:
        return Obstacle(f"{name} is in review: {operation.review_reason}", is_for_staff=True)
    return Obstacle(f"{name} is not done yet")


def _wait_for(purchase: Purchase, obstacle: Obstacle, *, now: datetime) -> bool:
    is_shown = obstacle.is_for_staff or is_slow(since=purchase.refund_asked_at, now=now)
    shown = f"Refund waits: {obstacle.what}" if is_shown else ""
    return wait(purchase, review_reason=shown, now=now)
