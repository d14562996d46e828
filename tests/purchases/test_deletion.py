from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from django.db import connection, transaction

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from programs.models import Program
from programs.services import OperationsInFlightError, delete_program
from propdesk.lib.times import utc_now
from purchases.models import Purchase
from purchases.services import advance_purchase
from tests.brokers.driving import fault
from tests.purchases.refunds import REFUNDED, failed, has_status, refund, under_review
from tests.purchases.rooms import STAFF, Later, Shop, advance_until, history
from tests.simulator import Simulator


def delete(shop: Shop) -> object:
    return delete_program(program_id=shop.program.pk, by=STAFF, now=utc_now())


def test_a_program_goes_with_its_purchases_while_payments_accounts_and_events_stay(
    shop: Shop, simulator: Simulator
) -> None:
    purchase = advance_until(shop.purchase(), lambda it: it.status == Purchase.Status.ACCOUNT_CREATED)

    record = delete_program(program_id=shop.program.pk, by=STAFF, now=utc_now())

    assert not Purchase.objects.exists()
    assert not Program.objects.exists()
    assert record.counters["purchases"] == 1
    assert record.removed["purchases"][0]["id"] == purchase.pk
    assert [to for _, to, _ in history(purchase)] == [0, 1, 2, 2]
    assert BrokerOperation.objects.filter(subject=f"purchase:{purchase.pk}:payment").exists()
    assert AccountOrder.objects.filter(reference=f"purchase:{purchase.pk}").exists()


def test_the_account_of_a_deleted_purchase_is_disabled_and_flattened(shop: Shop) -> None:
    purchase = advance_until(shop.purchase(), lambda it: it.status == Purchase.Status.ACCOUNT_CREATED)

    delete(shop)

    ends = BrokerOperation.objects.filter(account__login=purchase.account_login, kind__in=["disable", "close_all"])
    assert sorted(ends.values_list("kind", flat=True)) == ["close_all", "disable"]


def test_a_program_is_not_deleted_while_a_price_is_on_its_way(shop: Shop) -> None:
    purchase = shop.purchase()

    with pytest.raises(OperationsInFlightError) as refusal:
        delete(shop)

    assert refusal.value.operation_ids == [purchase.payment_id]
    assert Purchase.objects.get() == purchase


def test_a_program_is_not_deleted_while_a_paid_account_is_being_opened(shop: Shop) -> None:
    purchase = advance_until(shop.purchase(), lambda it: it.status == Purchase.Status.ACCOUNT_CREATED)
    Purchase.objects.update(status=Purchase.Status.PAID)

    with pytest.raises(OperationsInFlightError) as refusal:
        delete(shop)

    assert refusal.value.operation_ids == [purchase.payment_id]
    assert Purchase.objects.count() == 1


def test_a_program_is_not_deleted_under_a_worker_that_holds_a_purchase(shop: Shop) -> None:
    purchase = advance_until(shop.purchase(), lambda it: it.status == Purchase.Status.ACCOUNT_CREATED)

    def delete_meanwhile() -> None:
        try:
            with pytest.raises(OperationsInFlightError):
                delete(shop)
        finally:
            connection.close()

    with transaction.atomic():
        Purchase.objects.select_for_update().get()
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(delete_meanwhile).result(timeout=60)

    assert Purchase.objects.get() == purchase


def test_purchases_that_came_to_nothing_do_not_hold_a_program(shop: Shop, simulator: Simulator) -> None:
    purchase = shop.purchase()
    simulator.set(shop.payer.account.login, balance=1)
    advance_until(purchase, lambda it: it.status == Purchase.Status.FAILED)

    delete(shop)

    assert not Purchase.objects.exists()


def test_a_program_is_not_deleted_while_a_price_is_on_its_way_back(shop: Shop, simulator: Simulator) -> None:
    purchase = refund(failed(shop, simulator))
    with pytest.raises(OperationsInFlightError) as asked:
        delete(shop)
    assert asked.value.operation_ids == [purchase.payment_id]

    simulator.faults(fault("deposit", "drop_after"))
    purchase = advance_purchase(purchase_id=purchase.pk, clock=utc_now)
    with pytest.raises(OperationsInFlightError) as in_doubt:
        delete(shop)
    assert in_doubt.value.operation_ids == [purchase.refund_id]

    advance_until(purchase, has_status(REFUNDED), clock=Later())
    delete(shop)
    assert not Purchase.objects.exists()
    assert BrokerOperation.objects.filter(subject=f"purchase:{purchase.pk}:refund").exists()


def test_a_program_is_not_deleted_while_it_owes_a_price(shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    assert purchase.review_reason.startswith("Refund needed: ")
    with pytest.raises(OperationsInFlightError) as owed:
        delete(shop)
    assert owed.value.operation_ids == [purchase.payment_id]
    assert Purchase.objects.get() == purchase

    advance_until(refund(purchase), has_status(REFUNDED), clock=Later())
    delete(shop)
    assert not Purchase.objects.exists()


def test_a_program_is_not_deleted_after_the_broker_has_refused_the_refund(shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    TradingAccount.objects.filter(pk=shop.payer.account.pk).update(login=1)
    purchase = advance_until(refund(purchase), under_review, clock=Later())
    assert purchase.review_reason.startswith("Refund refused ")

    with pytest.raises(OperationsInFlightError) as owed:
        delete(shop)

    assert owed.value.operation_ids == [purchase.payment_id]
    assert Purchase.objects.get() == purchase


def test_advancing_a_deleted_purchase_says_so(shop: Shop, now: datetime) -> None:
    with pytest.raises(Purchase.DoesNotExist):
        advance_purchase(purchase_id=12345, clock=lambda: now)
