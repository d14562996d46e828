"""Asking for a refund: what is legal, who asked, and what stays as it is."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from brokers.models import BrokerOperation
from challenges.services.opening import open_challenge, open_due_challenges
from propdesk.lib.mng.errors import InvalidDataError
from propdesk.lib.times import utc_now
from purchases.errors import NotRefundableError, StillInFlightError
from purchases.models import Purchase, PurchaseEvent
from purchases.services import advance_purchase, is_refundable
from tests.brokers.driving import fault
from tests.purchases.refunds import (
    CREATED,
    FAILED,
    PAID,
    REFUNDED,
    Status,
    created,
    failed,
    has_status,
    refund,
    snapshot,
    under_review,
)
from tests.purchases.rooms import Later, Shop, advance_until
from tests.simulator import Simulator


def test_calling_a_purchase_off_is_recorded_with_who_and_why(shop: Shop, simulator: Simulator) -> None:
    purchase = refund(created(shop, simulator))

    assert (purchase.failure_reason, purchase.refund_reason) == ("CANCELLED", "It never worked.")
    event = PurchaseEvent.objects.latest("id")
    assert (event.from_status, event.to_status, event.actor) == (CREATED, FAILED, "staff")
    assert event.reason == "called off, refund asked for: It never worked."


def test_asking_for_the_refund_of_a_failed_purchase_leaves_a_note_and_its_failure_reason(
    shop: Shop, simulator: Simulator
) -> None:
    purchase = refund(failed(shop, simulator))

    assert (purchase.failure_reason, purchase.review_reason) == ("ACCOUNT_NOT_OPENED", "")
    event = PurchaseEvent.objects.latest("id")
    assert (event.from_status, event.to_status, event.reason) == (FAILED, FAILED, "refund asked for: It never worked.")


def test_asking_twice_is_asking_once(shop: Shop, simulator: Simulator) -> None:
    purchase = refund(failed(shop, simulator))
    before = snapshot(purchase)
    assert not is_refundable(purchase)
    refund(purchase, reason="Again.")
    assert snapshot(purchase) == before

    advance_until(purchase, has_status(REFUNDED), clock=Later())
    before = snapshot(purchase)
    refund(purchase, reason="Again.")
    assert snapshot(purchase) == before


def refused_payment(shop: Shop, simulator: Simulator) -> Purchase:
    purchase = shop.purchase()
    simulator.set(shop.payer.account.login, balance=1)
    return advance_until(purchase, has_status(FAILED))


def payment_in_doubt(shop: Shop, simulator: Simulator) -> Purchase:
    simulator.faults(fault("withdraw", "drop_after"))
    return advance_purchase(purchase_id=shop.purchase().pk, clock=utc_now)


def payment_in_review(shop: Shop, simulator: Simulator) -> Purchase:
    purchase = shop.purchase()
    BrokerOperation.objects.update(status=Status.NEEDS_REVIEW, review_reason="two transfers of 499")
    return advance_until(purchase, under_review)


def active(shop: Shop, simulator: Simulator) -> Purchase:
    purchase = created(shop, simulator)
    open_due_challenges(now=utc_now())
    return Purchase.objects.get(pk=purchase.pk)


@pytest.mark.parametrize(
    ("stand", "error", "message"),
    [
        (lambda shop, _: shop.purchase(), StillInFlightError, "is not settled yet"),
        (payment_in_doubt, StillInFlightError, "is not settled yet"),
        (payment_in_review, StillInFlightError, "is in review: decide first whether the price was taken"),
        (refused_payment, NotRefundableError, "No price was taken"),
        (active, NotRefundableError, "is active: a challenge that has begun is not refunded"),
    ],
    ids=["not paid yet", "payment in doubt", "payment in review", "payment refused", "active"],
)
def test_what_cannot_be_refunded_is_left_as_it_is(
    stand: Callable[[Shop, Simulator], Purchase], error: type[Exception], message: str, shop: Shop, simulator: Simulator
) -> None:
    purchase = stand(shop, simulator)
    purchase.refresh_from_db()
    before = snapshot(purchase)

    assert not is_refundable(purchase)
    with pytest.raises(error, match=message):
        refund(purchase)

    assert snapshot(purchase) == before


def test_a_refund_needs_a_reason(shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    before = snapshot(purchase)

    with pytest.raises(InvalidDataError):
        refund(purchase, reason="  ")

    assert snapshot(purchase) == before


def test_a_grant_has_no_price_to_give_back(shop: Shop) -> None:
    purchase = shop.buy().purchase
    Purchase.objects.update(kind="grant", amount=0, payer=None, payment=None, status=FAILED, failure_reason="CANCELLED")

    with pytest.raises(NotRefundableError, match="No price was taken"):
        refund(purchase)


def test_a_challenge_cannot_be_opened_any_more(shop: Shop, simulator: Simulator) -> None:
    purchase = refund(created(shop, simulator))

    assert open_challenge(purchase_id=purchase.pk, now=utc_now()) is None
    assert open_due_challenges(now=utc_now()) == 0


def test_the_database_refuses_a_refunded_purchase_without_the_operation(shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    with pytest.raises(IntegrityError, match="purchase_refunded_by_an_operation"), transaction.atomic():
        Purchase.objects.filter(pk=purchase.pk).update(status=REFUNDED)


@pytest.mark.parametrize(
    "changes", [{"refund_reason": ""}, {"refund_tries": 0}, {"payment": None}, {"status": PAID}], ids=str
)
def test_the_database_refuses_a_refund_of_nothing_or_for_nothing(
    changes: dict[str, Any], shop: Shop, simulator: Simulator
) -> None:
    purchase = refund(failed(shop, simulator))
    with pytest.raises(IntegrityError, match="purchase_refund_of_a_payment_for_a_reason"), transaction.atomic():
        Purchase.objects.filter(pk=purchase.pk).update(**changes)


def test_one_operation_refunds_one_purchase(shop: Shop, simulator: Simulator) -> None:
    first = refund(failed(shop, simulator))
    first = advance_until(first, has_status(REFUNDED), clock=Later())
    second = failed(shop, simulator)
    with pytest.raises(IntegrityError), transaction.atomic():
        Purchase.objects.filter(pk=second.pk).update(refund=first.refund)
