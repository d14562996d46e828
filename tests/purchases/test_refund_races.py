"""A refund, and whatever else happens to the purchase at the same moment, over connections of their own."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from brokers.models import AccountGroup, AccountOrder, BrokerOperation, TradingAccount
from brokers.services import request_refund
from challenges.models import Challenge
from challenges.services.opening import open_challenge
from propdesk.lib.times import utc_now
from purchases.errors import NotRefundableError
from purchases.models import Purchase
from purchases.services import advance_purchase, refund_purchase
from purchases.services.advancing import _place_order
from purchases.services.paying_back import _intend
from tests.purchases.refunds import paid
from tests.purchases.rooms import STAFF, Later, Shop, advance_beside_others, advance_until, history
from tests.simulator import Simulator
from tests.waiting import wait_until_somebody_waits_for_us

PENDING, PAID, CREATED, ACTIVE, FAILED, REFUNDED = range(6)
ROUNDS = 100


def is_refunded(purchase: Purchase) -> bool:
    return purchase.status == REFUNDED


def refund(purchase: Purchase) -> Purchase:
    return refund_purchase(purchase_id=purchase.pk, reason="Sorry.", by=STAFF, now=utc_now())


def activate(purchase: Purchase, *, after: float) -> Challenge | None:
    time.sleep(after)
    return open_challenge(purchase_id=purchase.pk, now=utc_now())


class Duel:
    """Two threads, each with a database connection of its own, that begin at the same moment."""

    def __enter__(self) -> "Duel":
        self._barrier = Barrier(2)
        self._pool = ThreadPoolExecutor(max_workers=2)
        return self

    def __exit__(self, *_: object) -> None:
        def close() -> None:
            self._barrier.wait(timeout=60)
            connection.close()

        for each in [self._pool.submit(close) for _ in range(2)]:
            each.result(timeout=60)
        self._pool.shutdown()

    def fight(self, *acts: Callable[[], Any]) -> list[Any]:
        """What each of the two returned, or raised."""

        def act(one: Callable[[], Any]) -> Any:
            self._barrier.wait(timeout=60)
            try:
                return one()
            except NotRefundableError as refusal:
                return refusal

        return [each.result(timeout=60) for each in [self._pool.submit(act, one) for one in acts]]


def account_created(shop: Shop, number: int) -> Purchase:
    """A purchase whose account is ready, written straight into the tables."""
    purchase = shop.buy().purchase
    BrokerOperation.objects.filter(purchase_paid=purchase).update(status=BrokerOperation.Status.DONE)
    group = shop.program.phases.get(phase_index=1).account_group
    order = AccountOrder.objects.create(
        reference=f"purchase:{purchase.pk}", group=group, deposit=100_000, next_at=shop.now, created_at=shop.now,
        updated_at=shop.now,
    )  # fmt: skip
    account = TradingAccount.objects.create(connection=group.connection, group=group, login=number, order=order)
    AccountOrder.objects.filter(pk=order.pk).update(
        status=AccountOrder.Status.READY, account=account, ready_at=shop.now
    )
    Purchase.objects.filter(pk=purchase.pk).update(status=CREATED, account_order=order, account_login=number)
    purchase.refresh_from_db()
    return purchase


# A hundred rounds take ten seconds, and on a crowded machine the two minutes that every test has.
@pytest.mark.timeout(600)
def test_a_refund_and_an_activation_at_once_never_both_happen(shop: Shop) -> None:
    ends = []
    with Duel() as duel:
        for number in range(1, ROUNDS + 1):
            purchase = account_created(shop, number)
            challenge, asked = duel.fight(
                partial(activate, purchase, after=number % 5 / 1000), partial(refund, purchase)
            )

            purchase.refresh_from_db()
            ends.append(purchase.status)
            disabling = BrokerOperation.objects.filter(account__login=number, kind="disable").count()
            if purchase.status == ACTIVE:
                assert (challenge.purchase_id, purchase.refund_asked_at, disabling) == (purchase.pk, None, 0)
                assert isinstance(asked, NotRefundableError)
            else:
                assert (purchase.status, challenge, disabling) == (FAILED, None, 1)
                assert not Challenge.objects.filter(purchase=purchase).exists()
    assert set(ends) <= {ACTIVE, FAILED}
    assert len(ends) == ROUNDS


@pytest.mark.parametrize("moment", range(12))
def test_a_refund_while_a_worker_opens_the_account_ends_without_an_account(
    moment: int, shop: Shop, simulator: Simulator
) -> None:
    purchase = shop.purchase()

    def refund_a_little_later() -> Purchase:
        while Purchase.objects.get(pk=purchase.pk).status == PENDING:
            time.sleep(0.001)
        time.sleep(moment * 0.012)
        return refund(purchase)

    with Duel() as duel:
        duel.fight(lambda: advance_purchase(purchase_id=purchase.pk, clock=utc_now), refund_a_little_later)
    later = Later()
    purchase = advance_until(purchase, is_refunded, clock=later, most=200)

    assert simulator.account(shop.payer.account.login)["balance"] == 10_000.0
    creation = BrokerOperation.objects.filter(kind="create").first()
    accounts = simulator.accounts_of(creation.marker.split(".", 1)[0]) if creation else []
    assert [row for row in accounts if row["enabled"]] == []
    assert [to for _, to, _ in history(purchase)][-2:] == [FAILED, REFUNDED]


def while_we_hold(change: Callable[[], object], refunding: Callable[[], Any]) -> Any:
    """What `refunding` returns, which has to wait for rows that we lock and `change`, over another connection."""

    def run() -> Any:
        try:
            return refunding()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change()
            other = pool.submit(run)
            wait_until_somebody_waits_for_us()
        return other.result(timeout=60)


def test_a_refund_that_waits_while_the_account_is_ordered_cancels_that_order(shop: Shop, simulator: Simulator) -> None:
    purchase = paid(shop, simulator)
    group = AccountGroup.objects.get(name="PROP_DEMO_USD")

    called_off = while_we_hold(
        lambda: _place_order(purchase, group, deposit=Decimal(100_000), now=utc_now()), partial(refund, purchase)
    )

    order = AccountOrder.objects.get(reference=f"purchase:{purchase.pk}")
    assert (called_off.status, called_off.account_order) == (FAILED, order)
    assert order.cancel_asked_at is not None
    assert order.cancel_reason == f"purchase {purchase.pk} is refunded"


def test_a_refund_that_waits_while_the_account_becomes_ready_takes_that_account_out(shop: Shop) -> None:
    purchase = account_created(shop, number=1)
    order = AccountOrder.objects.filter(purchase=purchase)
    account = TradingAccount.objects.get(login=1)
    Purchase.objects.filter(pk=purchase.pk).update(status=PAID, account_login=0)
    order.update(status=AccountOrder.Status.OPENING, account=None, ready_at=None)

    while_we_hold(
        lambda: order.update(status=AccountOrder.Status.READY, account=account, ready_at=shop.now),
        partial(refund, purchase),
    )

    out = BrokerOperation.objects.filter(account=account).order_by("id").values_list("subject", "kind")
    assert list(out) == [(f"purchase:{purchase.pk}:end", "disable"), (f"purchase:{purchase.pk}:end", "close_all")]


def test_a_worker_that_waits_while_another_intends_the_refund_takes_up_that_one(shop: Shop) -> None:
    purchase = refund(account_created(shop, number=1))
    assert purchase.payment is not None
    assert purchase.payment.account is not None
    intend_it = partial(
        request_refund, subject=f"purchase:{purchase.pk}:refund", account=purchase.payment.account,
        amount=purchase.amount, comment=f"Refund of purchase {purchase.pk}", by=STAFF, now=shop.now,
    )  # fmt: skip
    seen = Purchase.objects.get(pk=purchase.pk)

    # Its account still trades, which would keep this worker from intending a refund of its own.
    obstacle = while_we_hold(
        lambda: Purchase.objects.filter(pk=purchase.pk).update(refund=intend_it()),
        lambda: _intend(seen, now=shop.now),
    )

    assert (obstacle, seen.refund) == (None, BrokerOperation.objects.get(kind="deposit"))


def test_several_workers_on_one_refund_pay_it_back_once(shop: Shop, simulator: Simulator) -> None:
    purchase = advance_until(shop.purchase(), lambda it: it.status == CREATED)
    refund(purchase)

    def work(_: int) -> None:
        try:
            advance_beside_others(purchase, is_refunded)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(work, range(4)))

    assert simulator.account(shop.payer.account.login)["balance"] == 10_000.0
    assert [to for _, to, _ in history(purchase)] == [PENDING, PAID, CREATED, FAILED, REFUNDED]


def test_two_who_ask_at_once_have_asked_once(shop: Shop) -> None:
    with Duel() as duel:
        for number in range(1, 21):
            purchase = account_created(shop, number)
            duel.fight(partial(refund, purchase), partial(refund, purchase))
            purchase.refresh_from_db()
            assert (purchase.status, purchase.refund_tries) == (FAILED, 1)
            assert [to for _, to, _ in history(purchase)] == [PENDING, FAILED]
