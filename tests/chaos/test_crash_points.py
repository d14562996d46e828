"""A worker is killed at every named place of a purchase's way; another one finishes the work, once and exactly."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connections

from brokers.client import thinkmarkets, transport
from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from brokers.services import request_disable_and_flatten, run_operation
from challenges.services.invariants import find_violations
from challenges.services.opening import open_due_challenges
from propdesk.lib import crash
from propdesk.lib.times import utc_now
from purchases.models import Purchase
from purchases.services import advance_purchase
from tests.brokers.driving import TESTER, fault
from tests.purchases.rooms import Later, Shop
from tests.simulator import Simulator

Clock = Callable[[], Any]
MOST_ROUNDS = 300
OVER = (Purchase.Status.ACTIVE, Purchase.Status.FAILED)
WRITES = ("create", "deposit", "withdraw", "enable", "close-all-positions")


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the broker does to one journey; `closes` has the account taken out of trading at the end."""

    name: str
    faults: tuple[str, ...] = ()
    closes: bool = True
    # The least that must have been passed, lest a scenario quietly becomes a calm one.
    passes: tuple[str, ...] = ()


TROUBLES = (
    Trouble("calm", passes=("after purchase active", "after call deposit", "after brokeroperation close_all done")),
    Trouble("answers are lost", ("error_after",), passes=("before brokeroperation deposit in doubt",)),
    Trouble("nothing happens at first", ("error_before",), passes=("after brokeroperation create cancelled",)),
)


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the places that this process passes."""
    passed: list[str] = []
    for module in (crash, thinkmarkets):
        monkeypatch.setattr(module, "crash", passed.append)
    crash.arm("recording")
    yield passed
    crash.arm("")


def test_a_process_dies_at_its_place_at_the_time_it_was_told(shop: Shop):
    assert killed_at("after purchase pending:2", lambda: (shop.buy(key="a"), shop.buy(key="b"), shop.buy(key="c")))
    assert list(Purchase.objects.order_by("id").values_list("idempotency_key", flat=True)) == ["a", "b"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_whoever_dies_wherever_another_finishes_exactly_once(
    trouble: Trouble, shop: Shop, simulator: Simulator, places: list[str], monkeypatch: pytest.MonkeyPatch
):
    journey(shop, "calm", Later())
    calm = set(places) if trouble.faults else set()
    inflict(trouble, simulator)
    journey(shop, "recorded", Later())
    # A troubled journey is cut at the places that only it passes, and at the calls.
    names = [name for name in dict.fromkeys(places) if name not in calm or " call " in name]
    assert set(trouble.passes) <= set(names)
    monkeypatch.undo()
    crash.arm("")

    for number, name in enumerate(names):
        inflict(trouble, simulator)
        key = f"{number} {name}"
        assert killed_at(name, partial(journey, shop, key, Later())), name
        later = Later()
        later.ahead = timedelta(minutes=3)
        journey(shop, key, later)
        assert_done_once(Purchase.objects.get(idempotency_key=key), simulator, name)
    assert find_violations(now=utc_now() + timedelta(hours=1), grace=timedelta(0)) == []
    simulator.faults()
    taken = Decimal(10_000_000) - Decimal(str(simulator.account(shop.payer.account.login)["balance"]))
    assert taken == 499 * (len(names) + 2)


@pytest.fixture
def shop(shop: Shop, simulator: Simulator) -> Shop:
    """The shop's customer pays for many purchases here."""
    unit, login = shop.payer.account.group.unit, shop.payer.account.login
    simulator.post("accounts/deposit", {"accountNumber": login, "unit": unit, "amount": 9_990_000, "comment": "more"})
    return shop


def inflict(trouble: Trouble, simulator: Simulator) -> None:
    simulator.faults(*(fault(endpoint, kind) for kind in trouble.faults for endpoint in WRITES))


def journey(shop: Shop, key: str, clock: Clock) -> None:
    """Buy, and go on from wherever an earlier worker left off until the account has been in and out of trading."""
    purchase = shop.buy(key=key, now=clock()).purchase
    for _ in range(MOST_ROUNDS):
        purchase = advance_purchase(purchase_id=purchase.pk, clock=clock)
        if purchase.status == Purchase.Status.ACCOUNT_CREATED:
            open_due_challenges(now=clock())
        if purchase.status in OVER:
            break
    else:
        raise AssertionError(f"{purchase} is still {purchase.get_status_display()}")
    order = purchase.account_order
    assert order is not None
    assert order.account is not None
    request_disable_and_flatten(subject=f"{purchase}:end", account=order.account, by=TESTER, now=clock())
    for _ in range(MOST_ROUNDS):
        waiting = BrokerOperation.objects.open().filter(order=None).order_by("id").values_list("pk", flat=True)
        if not waiting:
            return
        run_operation(operation_id=waiting[0], clock=clock)
    raise AssertionError("operations are still open")


def killed_at(place: str, act: Callable[[], Any]) -> bool:
    """Have another process do it, which dies at `place`; whether it did."""
    # The child must not share our sockets: neither the database's nor those to the broker.
    connections.close_all()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            transport._threads = threading.local()
            crash.arm(place)
            act()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def assert_done_once(purchase: Purchase, simulator: Simulator, place: str) -> None:
    """One account, funded once; others of the order, if any, are known, disabled and empty."""
    assert purchase.status == Purchase.Status.ACTIVE, place
    order = purchase.account_order
    assert order is not None
    assert order.account is not None
    assert (order.status, order.account.is_funded) == (AccountOrder.Status.READY, True), place
    stem = order.operations.get(kind="create", generation=1).marker.split(".", 1)[0]
    rows = {row["accountNumber"]: row for row in simulator.accounts_of(stem)}
    ours = rows.pop(order.account.login)
    assert (ours["enabled"], ours["balance"]) == (False, 100000.0), place
    for login, row in rows.items():
        assert (row["enabled"], row["transfers"]) == (False, []), place
        assert TradingAccount.objects.get(login=login).is_orphan, place
