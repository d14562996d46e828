"""What deleting a program means for its purchases. Payments, orders, accounts and events stay."""

from datetime import datetime

from brokers.models import BrokerOperation
from programs.models import Program
from programs.services.deletion import Removed, take_out
from programs.services.errors import OperationsInFlightError
from propdesk.lib.actors import Actor
from purchases.models import Purchase
from purchases.services.outcomes import disable_its_account

_UNPAID = (BrokerOperation.Status.REFUSED, BrokerOperation.Status.CANCELLED)


def remove_purchases(program: Program, by: Actor, now: datetime) -> Removed:
    """Remove the program's purchases, in the transaction that deletes it; challenges are gone by then.

    Raises `OperationsInFlightError`, removing nothing, while a price or an account is on its way: what is being done at
    the broker would belong to nothing. Accounts that no challenge has taken over yet are disabled and flattened.
    """
    purchases = Purchase.objects.filter(program=program)
    locked = list(purchases.select_for_update().order_by("id"))
    in_flight = [operation_id for purchase in locked for operation_id in _operations_in_flight(purchase)]
    if in_flight:
        raise OperationsInFlightError(in_flight)
    for purchase in locked:
        if purchase.status == Purchase.Status.ACCOUNT_CREATED:
            disable_its_account(purchase, by=by, now=now)
    return take_out("purchases", purchases)


def _operations_in_flight(purchase: Purchase) -> list[int]:
    """Unfinished operations of the purchase; for one on its way from payment to account at least the payment."""
    linked = BrokerOperation.objects.unfinished().filter(order_id=purchase.account_order_id, order__isnull=False)
    found = list(linked.values_list("pk", flat=True))
    in_transit = purchase.status in {Purchase.Status.PENDING, Purchase.Status.PAID}
    if in_transit and purchase.payment is not None and purchase.payment.status not in _UNPAID:
        found.append(purchase.payment.pk)
    return found
