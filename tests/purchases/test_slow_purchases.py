"""Nothing waits silently: whatever keeps a purchase for half an hour is shown to staff, and gone once it goes on."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from brokers.models import BrokerConnection, BrokerOperation
from brokers.services import conclude_operation
from propdesk.lib.times import utc_now
from purchases.api.purchases import purchase_json
from purchases.models import Purchase
from purchases.services import advance_purchase
from tests.purchases.refunds import CREATED, PAID, PENDING, Status, has_status, opening
from tests.purchases.rooms import STAFF, Later, Shop, advance_until
from tests.simulator import Simulator


def in_minutes(minutes: int) -> Callable[[], datetime]:
    return lambda: utc_now() + timedelta(minutes=minutes)


def look(purchase: Purchase, minutes: int) -> str:
    """What staff read of the purchase when it is looked at in so many minutes."""
    advance_purchase(purchase_id=purchase.pk, clock=in_minutes(minutes))
    return Purchase.objects.get(pk=purchase.pk).review_reason


@pytest.fixture
def in_review(shop: Shop) -> BrokerOperation:
    """Another price of the same account, of which nobody knows yet whether it was taken."""
    payment = shop.purchase().payment
    assert payment is not None
    BrokerOperation.objects.filter(pk=payment.pk).update(status=Status.NEEDS_REVIEW, review_reason="Two new transfers.")
    return payment


def test_a_payment_behind_one_in_review_is_shown_after_half_an_hour(shop: Shop, in_review: BrokerOperation) -> None:
    purchase = shop.purchase()

    assert look(purchase, 29) == ""
    assert look(purchase, 31) == (
        f"Payment waits: operation {purchase.payment_id} comes after operation {in_review.pk} "
        f"({in_review}) of the same account, needs review."
    )
    purchase.refresh_from_db()
    assert purchase.status == PENDING
    assert purchase_json(purchase)["next_action"] == "CONTACT_SUPPORT"


def test_a_payment_that_was_shown_goes_on_when_the_one_before_it_is_decided(
    shop: Shop, in_review: BrokerOperation
) -> None:
    purchase = shop.purchase()
    assert look(purchase, 31).startswith("Payment waits: ")

    conclude_operation(operation_id=in_review.pk, happened=False, reason="Looked.", by=STAFF, now=utc_now())
    later = Later()
    later.ahead = timedelta(minutes=33)
    purchase = advance_until(purchase, has_status(CREATED), clock=later)

    assert (purchase.payment_status, purchase.review_reason) == ("paid", "")


def test_a_payment_over_a_connection_that_is_off_is_shown_after_half_an_hour(shop: Shop) -> None:
    purchase = shop.purchase()
    BrokerConnection.objects.update(is_enabled=False)

    assert look(purchase, 29) == ""
    assert look(purchase, 31) == (
        f"Payment waits: operation {purchase.payment_id} cannot be called, the connection simulator is switched off."
    )


def test_an_account_that_is_not_opened_for_half_an_hour_is_shown(shop: Shop, simulator: Simulator) -> None:
    purchase = opening(shop, simulator)
    BrokerConnection.objects.update(is_enabled=False)

    assert look(purchase, 29) == ""
    assert look(purchase, 31) == f"Account order waits: order {purchase.account_order_id} is not ready yet (opening)."
    assert Purchase.objects.get(pk=purchase.pk).status == PAID
