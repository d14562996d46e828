"""Killing a worker at a named place, and what every recovery must leave behind."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from brokers.client import thinkmarkets, transport
from brokers.models import AccountGroup, AccountOrder, BrokerOperation, TradingAccount
from brokers.services import advance_order, run_operation
from propdesk.lib import crash
from tests.brokers.driving import JumpingClock
from tests.challenges.firm import Firm
from tests.purchases.rooms import Shop
from tests.simulator import Simulator

MOST_ROUNDS = 300
# Longer than the machine is patient: what is still undecided then is for staff.
LONG = timedelta(minutes=31)
# The comments of money that a test moves at the simulator, as staff at the broker would.
BY_HAND = ("test", "more", "by hand")


@dataclass(frozen=True, slots=True)
class Stage:
    """What every scene can use."""

    simulator: Simulator
    demo: AccountGroup
    real: AccountGroup
    shop: Shop
    firm: Firm


@dataclass(frozen=True, slots=True)
class Scene:
    """Something that workers and staff do together, and the places at which one of them is killed in the middle of it.

    `prepare` makes what one killing needs, under a key of its own. `act` goes on from wherever an earlier worker left
    off until it is over, so it also is the recovery; `check` says what must have come of it.
    """

    name: str
    cuts: tuple[str, ...]
    prepare: Callable[[Stage, str], Any]
    act: Callable[[Stage, Any], None]
    check: Callable[[Stage, Any], None]


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the places that this process passes."""
    passed: list[str] = []
    for module in (crash, thinkmarkets):
        monkeypatch.setattr(module, "crash", passed.append)
    crash.arm("recording")
    yield passed
    crash.arm("")


def around(*names: str) -> tuple[str, ...]:
    """Before and after each."""
    return tuple(f"{side} {name}" for name in names for side in ("before", "after"))


def of(kind: str, *statuses: str) -> tuple[str, ...]:
    """Before and after the commits by which an operation of that kind gets these statuses."""
    return around(*(f"brokeroperation {kind} {status}" for status in statuses))


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


def work_off(clock: JumpingClock, *, until: Callable[[], bool] = lambda: False) -> None:
    """Work on all orders and operations until they are over or before staff, jumping over the waiting."""
    for _ in range(MOST_ROUNDS):
        if until():
            return
        orders = list(AccountOrder.objects.open().order_by("id"))
        operations = list(BrokerOperation.objects.open().filter(order=None).order_by("id"))
        if not orders and not operations:
            return
        if not _work_once(orders, operations, clock):
            clock.jump_to(_next_moment([*orders, *operations], clock()))
    raise AssertionError("There still are orders or operations under way.")


def _next_moment(rows: Sequence[AccountOrder | BrokerOperation], now: datetime) -> datetime:
    """When the next one is due. One that is already waits for another one to be over."""
    moments = [each.leased_until or each.next_at for each in rows]
    return min((moment for moment in moments if moment > now), default=now + timedelta(seconds=1))


def _work_once(orders: list[AccountOrder], operations: list[BrokerOperation], clock: JumpingClock) -> bool:
    """Whether anything has moved."""
    moved = False
    for order in orders:
        now = advance_order(order_id=order.pk, clock=clock)
        moved |= (now.status, now.next_at, now.leased_until) != (order.status, order.next_at, order.leased_until)
    for operation in operations:
        then = run_operation(operation_id=operation.pk, clock=clock)
        before = (operation.status, operation.next_at, operation.leased_until)
        moved |= (then.status, then.next_at, then.leased_until) != before
    return moved


def assert_exactly_once(stage: Stage) -> None:
    """What the simulator holds is what our books say: each account, each switch, and each movement of money once."""
    rows = {row["accountNumber"]: row for row in stage.simulator.accounts()}
    accounts = {account.login: account for account in TradingAccount.objects.all()}
    markers = set(BrokerOperation.objects.filter(kind="create").values_list("marker", flat=True))
    ours = {number for number, row in rows.items() if row["email"] in markers}
    assert ours <= set(accounts), "an account that we do not know"
    for login, account in accounts.items():
        if login not in rows:
            continue  # made up, to be refused
        row = rows[login]
        assert row["enabled"] == account.is_enabled, f"{account}: enabled"
        assert _moved_at_broker(row) == _moved_in_books(account), f"{account}: money"
        if account.is_orphan:
            assert (row["enabled"], row["transfers"]) == (False, []), f"{account}: an orphan that is used"
    for order in AccountOrder.objects.exclude(account=None):
        theirs = {accounts[number] for number in ours if accounts[number].marker.split(".")[0] in _stems(order)}
        assert all(account.is_orphan for account in theirs if account.pk != order.account_id), f"{order}: two accounts"
    assert not BrokerOperation.objects.open().exists()


def _moved_at_broker(row: dict[str, Any]) -> Counter[tuple[str, Decimal]]:
    return Counter(
        (each["type"], Decimal(str(each["amount"])).normalize())
        for each in row["transfers"]
        if each["comment"] not in BY_HAND
    )


def _moved_in_books(account: TradingAccount) -> Counter[tuple[str, Decimal]]:
    names = {"deposit": "DEPOSIT", "withdraw": "WITHDRAWAL"}
    done = account.operations.filter(kind__in=names, status=BrokerOperation.Status.DONE)
    return Counter((names[each.kind], each.amount.normalize()) for each in done if each.amount is not None)


def _stems(order: AccountOrder) -> set[str]:
    markers = order.operations.filter(kind="create").values_list("marker", flat=True)
    return {marker.split(".", 1)[0] for marker in markers if marker.endswith(settings.ACCOUNT_EMAIL_DOMAIN)}
