"""A price that was taken goes back once, whatever the broker answers."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from brokers.models import BrokerConnection, BrokerOperation, LedgerEntry, TradingAccount
from brokers.services import conclude_operation
from challenges.services.invariants import find_violations
from propdesk.lib.times import utc_now
from purchases.api.purchases import purchase_json
from purchases.models import Purchase, PurchaseEvent
from purchases.services import advance_due_purchases, advance_purchase, is_refundable
from tests.brokers.driving import fault, late_effect
from tests.purchases.refunds import (
    FAILED,
    REFUNDED,
    STANDS,
    Status,
    bought_at_broker,
    created,
    failed,
    has_status,
    payer_at_broker,
    refund,
    under_review,
)
from tests.purchases.rooms import STAFF, Later, Shop, advance_until, history
from tests.simulator import Simulator


@pytest.mark.parametrize("stand", STANDS, ids=lambda stand: stand.__name__)
def test_the_price_goes_back_once_and_nobody_can_trade_what_was_bought(
    stand: Callable[[Shop, Simulator], Purchase], shop: Shop, simulator: Simulator
) -> None:
    purchase = stand(shop, simulator)
    later = Later()
    assert is_refundable(purchase)
    asked = refund(purchase, now=later())
    assert (asked.status, asked.refund_tries, asked.review_reason) == (FAILED, 1, "")

    purchase = advance_until(purchase, has_status(REFUNDED), clock=later, most=200)

    balance, transfers = payer_at_broker(simulator, shop)
    assert (balance, [kind for kind, _ in transfers]) == (10_000.0, ["WITHDRAWAL", "DEPOSIT"])
    assert all(state == (False, 0) for state in bought_at_broker(simulator, purchase))
    assert purchase.refund is not None
    assert purchase.payment is not None
    assert purchase.refund.subject == f"purchase:{purchase.pk}:refund"
    assert (purchase.refund.account, purchase.refund.amount) == (purchase.payment.account, purchase.payment.amount)
    assert (purchase.payment_status, purchase.activation_status) == ("refunded", "failed")
    assert (purchase.comment, purchase.review_reason) == ("PROP_CHALLENGE_PURCHASE_REFUNDED", "")
    assert [to for _, to, _ in history(purchase)][-1] == REFUNDED
    assert find_violations(now=utc_now() + timedelta(hours=1), grace=timedelta(0)) == []


def test_a_refund_takes_back_in_the_ledger_what_the_payment_booked(shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    refund(purchase)
    purchase = advance_until(purchase, has_status(REFUNDED), clock=Later())

    assert purchase.payment is not None
    assert purchase.refund is not None
    moves = LedgerEntry.objects.filter(
        transaction__operation_id__in=[purchase.payment.pk, purchase.refund.pk]
    ).order_by("id")  # fmt: skip
    assert sorted(entry.amount for entry in moves) == [Decimal(-499), Decimal(-499), Decimal(499), Decimal(499)]
    sums = moves.order_by("account", "currency").values_list("account", "currency").annotate(total=Sum("amount"))
    assert [total for _account, _currency, total in sums] == [Decimal(0), Decimal(0)]


@pytest.mark.parametrize("lost", ["error_after", "drop_after", "error_before"])
def test_an_answer_that_is_lost_pays_no_second_time(lost: str, shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    simulator.faults(fault("deposit", lost))
    refund(purchase)
    later = Later()

    purchase = advance_purchase(purchase_id=purchase.pk, clock=later)
    assert simulator.injected() == 1
    assert purchase.refund is not None
    assert purchase.refund.status == Status.IN_DOUBT
    assert purchase_json(purchase)["next_action"] == "WAIT_REFUND"

    advance_until(purchase, has_status(REFUNDED), clock=later, most=200)
    balance, transfers = payer_at_broker(simulator, shop)
    assert (balance, [kind for kind, _ in transfers]) == (10_000.0, ["WITHDRAWAL", "DEPOSIT"])


def test_money_that_comes_back_late_is_not_sent_again(shop: Shop, simulator: Simulator) -> None:
    BrokerConnection.objects.update(quarantine_seconds=120)
    purchase = failed(shop, simulator)
    simulator.faults(late_effect("deposit"))
    refund(purchase)
    later = Later()
    for _ in range(10):
        purchase = advance_purchase(purchase_id=purchase.pk, clock=later)
    assert purchase.refund is not None
    assert purchase.refund.status == Status.IN_DOUBT

    assert simulator.land_late_effects() == 1
    advance_until(purchase, has_status(REFUNDED), clock=later, most=400)

    assert simulator.injected() == 1
    balance, transfers = payer_at_broker(simulator, shop)
    assert (balance, [kind for kind, _ in transfers]) == (10_000.0, ["WITHDRAWAL", "DEPOSIT"])


def test_a_refund_in_review_is_shown_and_ends_as_staff_decide(shop: Shop, simulator: Simulator) -> None:
    purchase = in_review(shop, simulator)
    assert purchase.status == FAILED
    assert "is in review: 2 new transfers" in purchase.review_reason
    assert purchase_json(purchase)["next_action"] == "CONTACT_SUPPORT"
    assert not is_refundable(purchase)

    decide(purchase, happened=True)
    purchase = advance_until(purchase, has_status(REFUNDED), clock=Later())
    assert purchase.review_reason == ""


def test_a_refund_that_did_not_happen_can_be_asked_for_again(shop: Shop, simulator: Simulator) -> None:
    purchase = in_review(shop, simulator)
    decide(purchase, happened=False)
    purchase = advance_until(purchase, lambda it: not it.is_being_refunded, clock=Later())

    assert purchase.status == FAILED
    assert purchase.review_reason.startswith("Refund refused (operation ")
    assert PurchaseEvent.objects.latest("id").reason == "refund refused: Looked."
    assert is_refundable(purchase)
    assert advance_due_purchases(clock=Later()) == 0

    refund(purchase, reason="Once more.")
    purchase = advance_until(purchase, has_status(REFUNDED), clock=Later())
    assert purchase.refund is not None
    assert (purchase.refund.subject, purchase.refund_tries) == (f"purchase:{purchase.pk}:refund:2", 2)


def in_review(shop: Shop, simulator: Simulator) -> Purchase:
    """The refund's answer was lost, and somebody paid in by hand meanwhile: no machine can tell what happened."""
    purchase = failed(shop, simulator)
    simulator.faults(fault("deposit", "drop_after"))
    refund(purchase)
    later = Later()
    advance_purchase(purchase_id=purchase.pk, clock=later)
    by_hand = {"accountNumber": shop.payer.account.login, "unit": simulator.real_unit, "amount": 5.0, "comment": "?"}
    simulator.post("accounts/deposit", by_hand)
    return advance_until(purchase, under_review, clock=later)


def decide(purchase: Purchase, *, happened: bool) -> None:
    """When the call can no longer land: only then can anybody say no."""
    assert purchase.refund is not None
    settle_at = BrokerOperation.objects.get(pk=purchase.refund.pk).settle_at
    assert settle_at is not None
    conclude_operation(
        operation_id=purchase.refund.pk, happened=happened, reason="Looked.", by=STAFF, now=settle_at
    )  # fmt: skip


def test_a_refund_that_the_broker_refuses_waits_for_staff(shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    TradingAccount.objects.filter(pk=shop.payer.account.pk).update(login=1)
    refund(purchase)

    purchase = advance_until(purchase, under_review, clock=Later())

    assert (purchase.status, purchase.refund_asked_at) == (FAILED, None)
    assert purchase.review_reason.startswith("Refund refused (operation ")
    assert purchase.review_reason.endswith("The payer account still waits for its money.")
    assert is_refundable(purchase)


def test_a_refund_that_takes_long_is_shown_to_staff(shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    refund(purchase)
    shop.payer.account.connection.is_enabled = False
    shop.payer.account.connection.save()

    purchase = advance_purchase(purchase_id=purchase.pk, clock=utc_now)
    assert purchase.review_reason == ""
    purchase = advance_purchase(purchase_id=purchase.pk, clock=lambda: utc_now() + timedelta(minutes=31))
    assert purchase.review_reason.startswith("Refund waits: operation ")
    assert purchase.review_reason.endswith(" is not done yet")


def test_the_sweep_finishes_a_refund_without_any_nudge(shop: Shop, simulator: Simulator) -> None:
    purchase = refund(created(shop, simulator))
    later = Later()

    for _ in range(20):
        advance_due_purchases(clock=later)

    purchase.refresh_from_db()
    assert purchase.status == REFUNDED


def test_a_customer_reads_where_the_money_is(shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    assert purchase_json(purchase)["next_action"] == "CONTACT_SUPPORT"
    asked = purchase_json(refund(purchase))
    purchase = advance_until(purchase, has_status(REFUNDED), clock=Later())
    done = purchase_json(purchase)

    assert list(asked) == list(done)
    names = ("status", "status_name", "next_action", "can_retry", "payment_status", "failure_reason")
    assert [asked[name] for name in names] == [4, "failed", "WAIT_REFUND", False, "paid", "ACCOUNT_NOT_OPENED"]
    assert [done[name] for name in names] == [5, "refunded", "NONE", False, "refunded", "ACCOUNT_NOT_OPENED"]
