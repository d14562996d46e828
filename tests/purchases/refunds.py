"""Purchases that may be refunded, and what became of them at the broker."""

from collections.abc import Callable
from typing import Any

from brokers.models import AccountGroup, AccountOrder, BrokerOperation
from brokers.services import run_due_operations, run_operation
from propdesk.lib.times import utc_now
from purchases.models import Purchase, PurchaseEvent
from purchases.services import advance_purchase, fail_purchase, refund_purchase
from tests.brokers.driving import fault
from tests.purchases.rooms import STAFF, Shop, advance_until
from tests.simulator import Simulator

PENDING, PAID, CREATED, ACTIVE, FAILED, REFUNDED = range(6)
Status, Kind = BrokerOperation.Status, BrokerOperation.Kind


def refund(purchase: Purchase, **changes: Any) -> Purchase:
    arguments = {"purchase_id": purchase.pk, "reason": "It never worked.", "by": STAFF, "now": utc_now()}
    return refund_purchase(**{**arguments, **changes})


def has_status(status: int) -> Callable[[Purchase], bool]:
    return lambda purchase: purchase.status == status


def under_review(purchase: Purchase) -> bool:
    return purchase.review_reason != ""


def paid(shop: Shop, simulator: Simulator) -> Purchase:
    """A purchase of which the price was taken and nothing else has happened."""
    purchase = shop.purchase()
    assert purchase.payment is not None
    assert run_operation(operation_id=purchase.payment.pk, clock=utc_now).status == Status.DONE
    AccountGroup.objects.filter(name="PROP_DEMO_USD").update(name="AWAY")
    purchase = advance_purchase(purchase_id=purchase.pk, clock=utc_now)
    AccountGroup.objects.filter(name="AWAY").update(name="PROP_DEMO_USD")
    assert (purchase.status, purchase.account_order) == (PAID, None)
    return purchase


def failed(shop: Shop, simulator: Simulator) -> Purchase:
    """A paid purchase whose account the broker refused to open."""
    unit = AccountGroup.objects.get(name="PROP_DEMO_USD").unit
    AccountGroup.objects.filter(name="PROP_DEMO_USD").update(unit=1)
    purchase = advance_until(shop.purchase(), has_status(FAILED))
    AccountGroup.objects.filter(name="PROP_DEMO_USD").update(unit=unit)
    return purchase


def opening(shop: Shop, simulator: Simulator) -> Purchase:
    """A paid purchase whose account is being enabled, with an answer that was lost."""
    simulator.faults(fault("enable", "drop_after"))
    purchase = advance_until(shop.purchase(), has_status(PAID))
    purchase.refresh_from_db()
    assert purchase.account_order is not None
    assert purchase.account_order.operations.get(kind=Kind.ENABLE).status == Status.IN_DOUBT
    return purchase


def created(shop: Shop, simulator: Simulator) -> Purchase:
    return advance_until(shop.purchase(), has_status(CREATED))


def failed_long_ago(shop: Shop, simulator: Simulator) -> Purchase:
    """It failed with its account open, which was taken out of trading then."""
    purchase = created(shop, simulator)
    fail_purchase(purchase_id=purchase.pk, failure_reason="MANUAL", by=STAFF, now=utc_now())
    run_due_operations(clock=utc_now)
    return Purchase.objects.get(pk=purchase.pk)


def payer_at_broker(simulator: Simulator, shop: Shop) -> tuple[float, list[tuple[str, str]]]:
    """The payer account's balance, and its transfers since it was opened."""
    row = simulator.account(shop.payer.account.login)
    return row["balance"], [(each["type"], each["amount"]) for each in row["transfers"]][1:]


def bought_at_broker(simulator: Simulator, purchase: Purchase) -> list[tuple[bool, int]]:
    """Of every account that the purchase's order has brought about: whether it is enabled, and its open positions."""
    order = AccountOrder.objects.filter(reference=f"purchase:{purchase.pk}").first()
    first = order.operations.filter(kind=Kind.CREATE, generation=1).first() if order else None
    rows = simulator.accounts_of(first.marker.split(".", 1)[0]) if first else []
    return [(row["enabled"], len(row["positions"])) for row in rows]


def snapshot(purchase: Purchase) -> tuple[Any, ...]:
    return (
        Purchase.objects.filter(pk=purchase.pk).values_list().get(),
        list(PurchaseEvent.objects.order_by("id").values_list()),
        list(BrokerOperation.objects.order_by("id").values_list("pk", "status")),
        list(AccountOrder.objects.values_list("pk", "status", "cancel_asked_at")),
    )


STANDS = (paid, failed, opening, created, failed_long_ago)
