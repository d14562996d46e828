"""How far time itself may go wrong before two workers pay one price back twice.

A broker takes no key that would make a second deposit harmless, so a worker may send one only if no other can still
arrive. It concludes that from time: a lease outlasts the call that it was taken for, and nothing counts as absent
before the moment at which a late effect is out of the question. So workers on one clock may meet in any order.

Where clocks differ, the difference is taken off both: to one that is ahead by a lease and the settle time, the call
that another worker is making right now was lost long ago, and it pays as well. `Later` in each of several threads is
such a case: each clock jumps ahead at its own readings, so within milliseconds they are a lease apart. It is for one
worker at a time; threads that work on the same rows go by the real clock, or share one.

The clocks here are those that the workers are given. A machine whose own clock is that far off takes no work at all:
`tests/brokers/test_leases.py`.
"""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from brokers.client import transport
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.models import BrokerConnection, BrokerOperation
from propdesk.lib.times import utc_now
from purchases.models import Purchase
from purchases.services import advance_purchase
from tests.brokers.driving import JumpingClock
from tests.challenges.firm import Clock
from tests.purchases.refunds import REFUNDED, failed, payer_at_broker, refund
from tests.purchases.rooms import Shop
from tests.simulator import Simulator

# The connection's deadline here, and a lease: deadline and margin, twice. A call counts as absent before it ends.
DEADLINE = 30
LEASE = 64


class Stop:
    """Where the first worker stands still until it may go on."""

    def __init__(self) -> None:
        self.reached, self._may_go_on = threading.Event(), threading.Event()

    def wait(self) -> None:
        self.reached.set()
        assert self._may_go_on.wait(timeout=100)

    def go_on(self) -> None:
        self._may_go_on.set()


def stop_first_deposit(monkeypatch: pytest.MonkeyPatch, stop: Callable[[], None]) -> None:
    """Have `stop` called before the first deposit is sent, and only then."""
    send, first = ThinkMarkets.deposit, iter([stop])

    def deposit(broker: ThinkMarkets, **move: Any) -> Any:
        next(first, lambda: None)()
        return send(broker, **move)

    monkeypatch.setattr(ThinkMarkets, "deposit", deposit)


def pay_back_by_two(
    purchase: Purchase, stop: Stop, *, first: Callable[[], datetime], second: Callable[[], None]
) -> None:
    """One worker, by the clock `first`, stops in the middle of its deposit; `second` happens meanwhile."""

    def work() -> None:
        try:
            advance_purchase(purchase_id=purchase.pk, clock=first)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        worker = pool.submit(work)
        try:
            assert stop.reached.wait(timeout=60)
            second()
        finally:
            stop.go_on()
        worker.result(timeout=60)
    purchase.refresh_from_db()
    assert purchase.status == REFUNDED


@pytest.mark.parametrize(
    ("ahead", "landed"),
    [
        pytest.param(0, ["WITHDRAWAL", "DEPOSIT"], id="clocks agree"),
        pytest.param(LEASE - 3, ["WITHDRAWAL", "DEPOSIT"], id="clocks differ by less than a lease"),
        pytest.param(LEASE + 1, ["WITHDRAWAL", "DEPOSIT", "DEPOSIT"], id="clocks differ by more than a lease"),
    ],
)
def test_two_workers_pay_a_price_back_once_while_their_clocks_are_less_than_a_lease_apart(
    ahead: int, landed: list[str], shop: Shop, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    BrokerConnection.objects.update(deadline_seconds=DEADLINE)
    purchase = refund(failed(shop, simulator))
    stop = Stop()
    stop_first_deposit(monkeypatch, stop.wait)
    # How far apart they are is all that counts here, however slow the machine is.
    clock = Clock(utc_now())

    def look_a_few_times() -> None:
        for seconds in range(3):
            ticks = timedelta(seconds=ahead + seconds)
            advance_purchase(purchase_id=purchase.pk, clock=lambda ticks=ticks: clock() + ticks)  # type: ignore[misc]

    pay_back_by_two(purchase, stop, first=clock, second=look_a_few_times)

    _balance, transfers = payer_at_broker(simulator, shop)
    assert [kind for kind, _ in transfers] == landed


def test_a_deposit_that_was_held_up_by_a_slow_name_lookup_is_not_sent_after_others_have_taken_over(
    shop: Shop, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    BrokerConnection.objects.update(deadline_seconds=DEADLINE)
    purchase = refund(failed(shop, simulator))
    clock, stop = JumpingClock(), Stop()
    look_up, slow, usual = socket.getaddrinfo, threading.local(), transport.CONNECT_SECONDS

    def look_up_slowly(*arguments: Any, **options: Any) -> Any:
        if getattr(slow, "is_here", False):
            slow.is_here, begun = False, time.monotonic()
            stop.wait()
            # Longer than this connection may take to be made.
            time.sleep(max(1.2 - (time.monotonic() - begun), 0))
        return look_up(*arguments, **options)

    def connect_anew() -> None:
        transport._session().close()
        slow.is_here = True
        monkeypatch.setattr(transport, "CONNECT_SECONDS", 1.0)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_slowly)
    stop_first_deposit(monkeypatch, connect_anew)

    def take_over() -> None:
        monkeypatch.setattr(transport, "CONNECT_SECONDS", usual)
        for _ in range(5):
            operation = BrokerOperation.objects.get(purchase_refunded=purchase)
            clock.jump_to(operation.leased_until or operation.next_at)
            advance_purchase(purchase_id=purchase.pk, clock=clock)

    pay_back_by_two(purchase, stop, first=clock, second=take_over)

    balance, transfers = payer_at_broker(simulator, shop)
    assert (balance, [kind for kind, _ in transfers]) == (10_000.0, ["WITHDRAWAL", "DEPOSIT"])
