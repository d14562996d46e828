"""What deleting a program means for its purchases. Payments, orders, accounts and events stay."""

from datetime import datetime

from brokers.models import BrokerOperation
from programs.models import Program
from programs.services import Removed, take_out
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import record
from purchases.models import Purchase
from purchases.services.outcomes import disable_its_account

_MOVED_NOTHING = (BrokerOperation.Status.REFUSED, BrokerOperation.Status.CANCELLED)
# Where a price that was taken has come to neither a ready account nor a refund.
_UNSETTLED = (Purchase.Status.PENDING, Purchase.Status.PAID, Purchase.Status.FAILED)


def operations_in_flight(program: Program) -> list[int]:
    """Operations that forbid deleting the program: money or an account is on its way, or money is owed.

    Locks the program's purchases. One that a worker holds right now counts as on its way: waiting for it could mean
    waiting for each other, since opening its challenge needs the program.
    """
    purchases = Purchase.objects.filter(program=program).order_by("id")
    locked = list(purchases.select_for_update(skip_locked=True))
    busy = purchases.exclude(pk__in=[purchase.pk for purchase in locked])
    found = [purchase.payment_id for purchase in busy if purchase.payment_id is not None]
    for purchase in locked:
        found.extend(_in_flight(purchase))
    return found


def remove_purchases(program: Program, by: Actor, now: datetime) -> Removed:
    """Remove the program's purchases, in the transaction that deletes it; their challenges are gone by then.

    Accounts that no challenge has taken over yet are disabled and flattened.
    """
    purchases = Purchase.objects.filter(program=program)
    for purchase in purchases.order_by("id"):
        if purchase.status == Purchase.Status.ACCOUNT_CREATED:
            disable_its_account(purchase, by=by, now=now)
        record(purchase, source=purchase.status, by=by, reason="its program was deleted", now=now)
    return take_out("purchases", purchases)


def count_purchases(program: Program) -> dict[str, int]:
    """How many rows `remove_purchases` would remove."""
    return {"purchases": Purchase.objects.filter(program=program).count()}


def _in_flight(purchase: Purchase) -> list[int]:
    """Unfinished operations of the purchase; while price, account or refund is on its way, at least one of theirs.

    A price that was taken for a purchase that failed is owed until it is back: the purchase is what tells staff so.
    """
    linked = BrokerOperation.objects.unfinished().filter(order_id=purchase.account_order_id, order__isnull=False)
    found, payment = list(linked.values_list("pk", flat=True)), purchase.payment
    if purchase.is_being_refunded and purchase.refund_id is not None:
        found.append(purchase.refund_id)
    elif purchase.status in _UNSETTLED and payment is not None and payment.status not in _MOVED_NOTHING:
        found.append(payment.pk)
    return found
