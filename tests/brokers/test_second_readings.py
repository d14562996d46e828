"""One list may miss just the row that matters: what is concluded from its absence takes two lists that agree."""

import itertools
from typing import Any

import pytest

from brokers.client.thinkmarkets import ThinkMarkets
from brokers.models import AccountGroup, AccountOrder, BrokerConnection, BrokerOperation, TradingAccount
from brokers.services import advance_due_orders, advance_order, request_close_position, run_operation
from propdesk.lib.times import utc_now
from tests.brokers.driving import (
    TESTER,
    JumpingClock,
    adopted,
    drive,
    fault,
    placed,
    run,
    settles_at,
    statuses,
    withdrawal,
)
from tests.simulator import Simulator

Status, Operation = AccountOrder.Status, BrokerOperation.Status


def stem(order: AccountOrder) -> str:
    return order.operations.get(kind="create", generation=1).marker.split(".", 1)[0]


def forget_in(monkeypatch: pytest.MonkeyPatch, endpoint: str, *, lists: int = 1) -> list[int]:
    """The last row is missing from so many of the next lists. Returns their lengths, as they come."""
    honest = getattr(ThinkMarkets, endpoint)
    lengths: list[int] = []

    def cut(self: ThinkMarkets, **which: Any) -> Any:
        rows = honest(self, **which)
        if len(lengths) < lists:
            rows = dict(list(rows.items())[:-1]) if isinstance(rows, dict) else rows[:-1]
        lengths.append(len(rows))
        return rows

    monkeypatch.setattr(ThinkMarkets, endpoint, cut)
    return lengths


def repeat_in(monkeypatch: pytest.MonkeyPatch, *, lists: set[int]) -> None:
    """The last transfer stands twice in the lists of these numbers, counted from one."""
    honest, made = ThinkMarkets.account_transfers, itertools.count(1)

    def doubled(self: ThinkMarkets, **which: Any) -> Any:
        rows = honest(self, **which)
        return [*rows, rows[-1]] if next(made) in lists else rows

    monkeypatch.setattr(ThinkMarkets, "account_transfers", doubled)


def in_doubt_and_settled(order: AccountOrder, clock: JumpingClock) -> None:
    """Make the first call, which is in doubt afterwards; the next look is late enough to show that it had no effect."""
    advance_order(order_id=order.pk, clock=clock)
    creation = order.operations.get()
    assert creation.status == Operation.IN_DOUBT
    clock.jump_to(settles_at(creation))


@pytest.mark.parametrize(("lists", "accounts"), [(1, 1), (2, 2)])
def test_an_account_that_one_list_misses_is_not_made_again(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch, lists: int, accounts: int
):
    simulator.faults(fault("create", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    in_doubt_and_settled(order, clock)
    forget_in(monkeypatch, "accounts_details", lists=lists)
    order = drive(order, clock)
    assert (order.status, len(simulator.accounts_of(stem(order)))) == (Status.READY, accounts)


def test_orders_of_one_round_share_the_two_lists(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch
):
    # Nobody comes to look for late effects in this round, however slow it is.
    BrokerConnection.objects.update(quarantine_seconds=600)
    simulator.faults({**fault("create", "error_before"), "times": 3})
    orders, clock = [placed(demo_group, f"purchase:{number}") for number in range(3)], JumpingClock()
    for order in orders:
        in_doubt_and_settled(order, clock)
    lengths = forget_in(monkeypatch, "accounts_details", lists=0)
    advance_due_orders(clock=clock)
    assert len(lengths) == 2
    assert [order.operations.filter(generation=2).count() for order in orders] == [1, 1, 1]


@pytest.mark.parametrize(("lists", "taken"), [(1, 499), (2, 499), (4, 499), (6, 998)])
def test_money_that_some_lists_miss_is_not_taken_again(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch, lists: int, taken: int
):
    simulator.faults(fault("withdraw", "drop_after"))
    clock = JumpingClock()
    operation = run_operation(operation_id=withdrawal(payer).pk, clock=clock)
    assert operation.status == Operation.IN_DOUBT
    clock.jump_to(settles_at(operation))
    forget_in(monkeypatch, "account_transfers", lists=lists)
    run(operation, clock)
    assert simulator.account(payer.login)["balance"] == 10_000 - taken


def test_a_transfer_that_the_first_list_misses_is_no_new_one_afterwards(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    simulator.faults(fault("withdraw", "drop_after"))
    lengths = forget_in(monkeypatch, "account_transfers")
    operation = run(withdrawal(payer))
    # The first two do not agree; then two for the baseline, and two to tell what became of the call.
    assert lengths == [0, 1, 1, 1, 2, 2]
    assert (operation.status, operation.attempts) == (Operation.DONE, 1)
    assert operation.baseline is not None
    assert (operation.baseline["count"], operation.baseline["sum"]) == (1, "10000.00000000")


@pytest.mark.parametrize("number", range(1, 7))
@pytest.mark.parametrize("kind", ["drop_after", "error_before"])
def test_a_payment_that_one_list_shows_twice_is_taken_once(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch, kind: str, number: int
):
    """The earlier payment is of the same amount: seen twice it looks like this one, or hides it."""
    run(withdrawal(payer, subject="purchase:1:payment"))
    simulator.faults(fault("withdraw", kind))
    repeat_in(monkeypatch, lists={number})
    operation = run(withdrawal(payer, subject="purchase:2:payment"))
    assert (operation.status, simulator.account(payer.login)["balance"]) == (Operation.DONE, 10_000 - 2 * 499)
    assert run(withdrawal(payer, subject="purchase:3:payment")).status == Operation.DONE


def test_a_position_that_one_list_misses_is_not_taken_for_closed(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    (row,) = simulator.set(payer.login, positions=[{"realTimePL": -100.0}])["positions"]
    position = row["positionId"]
    lengths = forget_in(monkeypatch, "opened_positions")
    monkeypatch.setattr(ThinkMarkets, "close_position", _once_in_vain(ThinkMarkets.close_position))
    operation = run(
        request_close_position(subject="one", account=payer, position_id=position, by=TESTER, now=utc_now())
    )
    assert (operation.status, operation.attempts) == (Operation.DONE, 2)
    # Of a whole unit: accounts of other tests may have positions, too.
    assert [length - lengths[0] for length in lengths] == [0, 1, 0, 0]
    assert simulator.account(payer.login)["positions"] == []


def _once_in_vain(honest: Any) -> Any:
    """The broker says yes to the first call, and does nothing."""
    calls: list[int] = []

    def close(self: ThinkMarkets, **which: Any) -> None:
        calls.append(1)
        if len(calls) > 1:
            honest(self, **which)

    return close


def test_an_extra_account_that_one_list_misses_is_recorded(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch
):
    # It is far from over when the order is looked at again, however slow that is.
    BrokerConnection.objects.update(quarantine_seconds=600)
    simulator.faults(fault("create", "error_before"))
    order, clock = placed(demo_group), JumpingClock()
    in_doubt_and_settled(order, clock)
    waiting = advance_order(order_id=order.pk, clock=clock)
    assert (waiting.status, waiting.operations.filter(status=Operation.DONE).count()) == (Status.OPENING, 2)
    # The first creation lands only now, long after it was called absent.
    late = simulator.open_account(
        unit=demo_group.unit, enabled=False, email=order.operations.get(generation=1, kind="create").marker
    )
    lengths = forget_in(monkeypatch, "accounts_details")
    clock.jump_to(waiting.next_at)
    order = drive(order, clock)
    assert lengths[1] == lengths[0] + 1
    assert TradingAccount.objects.get(login=late).is_orphan
    assert adopted(order).login != late
    assert statuses(order)[-1] == Status.READY
