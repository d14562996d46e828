from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from threading import Barrier

import pytest
from django.db import connection, transaction

from brokers.models import BrokerOperation
from programs.models import Program
from programs.services import ProgramNotFoundError, save_program, set_status
from purchases.errors import IdempotencyKeyReusedError, SaleRefusedError
from purchases.models import PayerAccount, Purchase, PurchaseEvent
from purchases.services import Sale
from tests.purchases.rooms import STAFF, Shop, history, make_customer, make_program
from tests.waiting import wait_until_somebody_waits_for_us


def assert_nothing_was_written() -> None:
    assert not Purchase.objects.exists()
    assert not PurchaseEvent.objects.exists()
    assert not BrokerOperation.objects.exists()


def test_a_sale_is_written_with_the_intent_to_take_its_price(shop: Shop) -> None:
    sale = shop.buy()

    purchase = Purchase.objects.get()
    assert (sale.purchase, sale.idempotent) == (purchase, False)
    assert purchase.status == Purchase.Status.PENDING
    assert (purchase.amount, purchase.currency) == (Decimal(499), "USD")
    assert (purchase.conversion_rate, purchase.amount_account_currency) == (Decimal(1), Decimal(499))
    assert purchase.comment == "PROP_CHALLENGE_PURCHASE_PENDING"
    assert purchase.program_version == shop.program.versions.get()
    assert purchase.account_login == 0
    assert history(purchase) == [(None, 0, "customer 1")]
    payment = BrokerOperation.objects.get()
    assert purchase.payment == payment
    assert (payment.subject, payment.kind) == (f"purchase:{purchase.pk}:payment", "withdraw")
    assert (payment.account, payment.amount) == (shop.payer.account, Decimal(499))
    assert payment.status == BrokerOperation.Status.INTENDED


def test_a_sale_keeps_the_terms_it_was_made_on(shop: Shop) -> None:
    purchase = shop.buy().purchase

    save_program(program_id=shop.program.pk, data={"price": Decimal(599)}, by=STAFF, now=shop.now)

    purchase.refresh_from_db()
    assert purchase.amount == Decimal(499)
    assert purchase.program_version.terms["program"]["price"] == "499"
    assert shop.buy().purchase.amount == Decimal(599)


def test_an_instant_funded_program_can_be_bought(shop: Shop) -> None:
    step = {"phase_index": 1, "phase_type": 1, "name": "Funded", "account_group": "PROP_REAL_USD",
            "max_total_loss_pct": Decimal(10), "profit_split": Decimal("0.8")}  # fmt: skip
    save_program(program_id=shop.program.pk, data={"steps": [step]}, by=STAFF, now=shop.now)

    assert shop.buy().purchase.status == Purchase.Status.PENDING


@pytest.mark.parametrize("balance", [None, Decimal("498.99")])
def test_a_refused_sale_writes_nothing(shop: Shop, balance: Decimal | None) -> None:
    shop.balance = balance

    with pytest.raises(SaleRefusedError):
        shop.buy()

    assert_nothing_was_written()


def test_the_broker_is_not_asked_for_a_sale_that_our_own_rows_refuse(shop: Shop) -> None:
    set_status(program_id=shop.program.pk, to=Program.Status.DISABLED, by=STAFF, now=shop.now)

    with pytest.raises(SaleRefusedError) as refusal:
        shop.buy()

    assert (refusal.value.code, refusal.value.status) == ("PROGRAM_DISABLED", 400)
    assert shop.reads == []
    assert_nothing_was_written()


def test_nobody_pays_with_another_customers_account(shop: Shop) -> None:
    with pytest.raises(SaleRefusedError) as refusal:
        shop.buy(customer=make_customer("bob@example.com"))

    assert refusal.value.code == "INVALID_PAYER_ACCOUNT"
    assert shop.reads == []
    assert_nothing_was_written()


def test_an_unknown_program_is_not_found(shop: Shop) -> None:
    with pytest.raises(ProgramNotFoundError):
        shop.buy(program_id=shop.program.pk + 1)

    assert_nothing_was_written()


def test_a_program_disabled_while_the_balance_is_read_is_not_sold(shop: Shop) -> None:
    def disable_meanwhile(_: PayerAccount, _now: datetime) -> Decimal:
        set_status(program_id=shop.program.pk, to=Program.Status.DISABLED, by=STAFF, now=shop.now)
        return Decimal(10_000)

    with pytest.raises(SaleRefusedError) as refusal:
        shop.buy(balance_reader=disable_meanwhile)

    assert refusal.value.code == "PROGRAM_DISABLED"
    assert_nothing_was_written()


def test_a_price_raised_while_the_balance_is_read_is_judged_anew(shop: Shop) -> None:
    def raise_price_meanwhile(_: PayerAccount, _now: datetime) -> Decimal:
        save_program(program_id=shop.program.pk, data={"price": Decimal(600)}, by=STAFF, now=shop.now)
        return Decimal(500)

    with pytest.raises(SaleRefusedError) as refusal:
        shop.buy(balance_reader=raise_price_meanwhile)

    assert refusal.value.code == "NOT_ENOUGH_FUNDS"
    assert_nothing_was_written()


def test_a_key_makes_one_purchase(shop: Shop) -> None:
    first = shop.buy(key="k-1")
    again = shop.buy(key="k-1")

    assert again == Sale(purchase=first.purchase, idempotent=True)
    assert Purchase.objects.count() == BrokerOperation.objects.count() == PurchaseEvent.objects.count() == 1


def test_a_key_answers_even_when_the_sale_would_be_refused_by_now(shop: Shop) -> None:
    first = shop.buy(key="k-1")
    set_status(program_id=shop.program.pk, to=Program.Status.DISABLED, by=STAFF, now=shop.now)
    shop.balance, shop.reads = Decimal(0), []

    assert shop.buy(key="k-1") == Sale(purchase=first.purchase, idempotent=True)
    assert shop.reads == []


def test_a_key_used_for_something_else_is_refused(shop: Shop) -> None:
    shop.buy(key="k-1")
    other = make_program(
        first=shop.program.phases.get(phase_index=1).account_group,
        funded=shop.payer.account.group,
        price=Decimal(99),
        now=shop.now,
        name="Another",
    )

    with pytest.raises(IdempotencyKeyReusedError) as refusal:
        shop.buy(key="k-1", program_id=other.pk)

    assert (refusal.value.code, refusal.value.status) == ("IDEMPOTENCY_KEY_REUSED", 409)
    assert Purchase.objects.count() == 1


def test_keys_of_different_customers_have_nothing_to_do_with_each_other(shop: Shop) -> None:
    shop.buy(key="k-1")
    payer = shop.payer
    other = make_customer("bob@example.com")
    PayerAccount.objects.filter(pk=payer.pk).update(customer=other)

    assert not shop.buy(key="k-1", customer=other).idempotent
    assert Purchase.objects.count() == 2


def test_without_a_key_every_request_is_a_sale(shop: Shop) -> None:
    assert shop.buy().purchase != shop.buy().purchase


@pytest.mark.parametrize("key", ["k-1"])
def test_simultaneous_requests_with_one_key_make_one_purchase(shop: Shop, key: str) -> None:
    together = Barrier(4)

    def read_when_all_are_there(_: PayerAccount, _now: datetime) -> Decimal:
        together.wait(timeout=60)
        return Decimal(10_000)

    def buy(_: int) -> Sale:
        try:
            return shop.buy(key=key, balance_reader=read_when_all_are_there)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as pool:
        sales = list(pool.map(buy, range(4)))

    assert {sale.purchase.pk for sale in sales} == {Purchase.objects.get().pk}
    assert sorted(sale.idempotent for sale in sales) == [False, True, True, True]
    assert BrokerOperation.objects.count() == PurchaseEvent.objects.count() == 1


def test_a_request_whose_twin_has_spent_the_money_meanwhile_gets_the_twins_purchase(shop: Shop) -> None:
    def sell_to_the_twin_first(_: PayerAccount, _now: datetime) -> Decimal:
        shop.buy(key="k-1")
        return Decimal(1)

    sale = shop.buy(key="k-1", balance_reader=sell_to_the_twin_first)

    assert (sale.purchase, sale.idempotent) == (Purchase.objects.get(), True)


def test_a_sale_waits_for_an_edit_that_is_being_saved_and_sees_it(shop: Shop) -> None:
    def buy() -> Sale:
        try:
            return shop.buy()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        with transaction.atomic():
            set_status(program_id=shop.program.pk, to=Program.Status.DISABLED, by=STAFF, now=shop.now)
            sale = pool.submit(buy)
            wait_until_somebody_waits_for_us()
        with pytest.raises(SaleRefusedError) as refusal:
            sale.result(timeout=60)

    assert refusal.value.code == "PROGRAM_DISABLED"
    assert_nothing_was_written()


def test_a_sale_never_runs_inside_a_transaction(shop: Shop) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        shop.buy()

    assert_nothing_was_written()
