"""Every mechanism is switched off once, to see the harm that it keeps away; and left on, to see that it does."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from brokers.client.errors import RefusedError
from brokers.models import AccountGroup, AccountOrder, BrokerOperation, TradingAccount
from brokers.services import (
    advance_order,
    broker_for,
    calls,
    leases,
    order_steps,
    orders,
    procedures,
    run_operation,
    whole_lists,
)
from brokers.services.work import Work
from propdesk.lib.times import utc_now
from tests.brokers.driving import (
    JumpingClock,
    LateClock,
    drive,
    fault,
    late_effect,
    placed,
    run,
    settles_at,
    withdrawal,
)
from tests.simulator import Simulator

Status, Operation = AccountOrder.Status, BrokerOperation
switched = pytest.mark.parametrize("is_on", [True, False], ids=["on", "off"])


def accounts(simulator: Simulator, order: AccountOrder) -> list[dict[str, Any]]:
    stem = order.operations.filter(kind="create").earliest("id").marker.split(".", 1)[0]
    return simulator.accounts_of(stem)


def at_once(operation: Callable[[], object], times: int = 2) -> list[BaseException]:
    """Run it in so many threads; returns what was raised."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            operation()
        except BaseException as exc:  # noqa: BLE001  (the test looks at it)
            raised.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return raised


@pytest.fixture
def without_constraint(transactional_db: None) -> Iterator[Callable[[str, str], None]]:
    """Drop unique constraints for the length of a test."""
    dropped: list[tuple[str, str, str]] = []

    def drop(table: str, name: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [name])
            dropped.append((table, name, cursor.fetchone()[0]))
            cursor.execute("SELECT count(*) FROM pg_constraint WHERE conname = %s", [name])
            is_constraint = cursor.fetchone() == (1,)
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}" if is_constraint else f"DROP INDEX {name}")

    yield drop
    with connection.cursor() as cursor:
        for table, _, definition in dropped:
            cursor.execute(f"TRUNCATE {table} CASCADE")
            cursor.execute(definition)


@switched
def test_settling_keeps_a_late_account_from_being_made_twice(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    clock = LateClock(simulator, LateClock.BEFORE_SETTLED)
    simulator.faults(late_effect("create"))
    if not is_on:
        monkeypatch.setattr(calls, "_times", lambda procedure, work, now: {"started_at": now, "settle_at": now})
    order = drive(placed(demo_group), clock)
    assert order.status == Status.READY
    assert len(accounts(simulator, order)) == (1 if is_on else 2)


@switched
def test_looking_up_keeps_an_account_whose_reply_was_lost_from_being_made_twice(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    simulator.faults(fault("create", "drop_after"))
    if not is_on:
        blind = calls.Finding(calls.Verdict.NOTHING, {})
        monkeypatch.setattr(procedures.Creation, "look", lambda self, operation, work, since: blind)
    order = drive(placed(demo_group))
    assert order.status == Status.READY
    assert len(accounts(simulator, order)) == (1 if is_on else 2)


@switched
def test_reading_the_transfers_keeps_money_from_being_taken_twice(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    simulator.faults(fault("withdraw", "drop_after"))
    if not is_on:
        blind = calls.Finding(calls.Verdict.NOTHING, {})
        monkeypatch.setattr(procedures.MoneyMove, "look", lambda self, operation, work, since: blind)
        monkeypatch.setattr(procedures.MoneyMove, "landed_since", lambda self, operation, before, baseline: None)
    assert run(withdrawal(payer)).status == Operation.Status.DONE
    assert simulator.account(payer.login)["balance"] == (9501.0 if is_on else 9002.0)


@switched
def test_the_quarantine_keeps_an_account_from_being_enabled_before_a_late_deposit_lands(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    clock = LateClock(simulator)
    simulator.faults(late_effect("deposit"))
    if not is_on:
        monkeypatch.setattr(order_steps, "_quarantine_ends", lambda order, work: order.created_at)
        monkeypatch.setattr(
            procedures.MoneyMove, "settle_after", lambda self, connection: timedelta(seconds=connection.settle_seconds)
        )
    order = drive(placed(demo_group), clock)
    assert order.status == Status.READY
    clock.jump_to(clock.lands_at)
    (row,) = accounts(simulator, order)
    assert (row["enabled"], row["balance"]) == (True, 100000.0 if is_on else 200000.0)


@switched
def test_the_quarantine_finds_the_account_that_a_late_creation_leaves_behind(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    clock = LateClock(simulator)
    simulator.faults(late_effect("create"))
    if not is_on:
        monkeypatch.setattr(order_steps, "_quarantine_ends", lambda order, work: order.created_at)
    order = drive(placed(demo_group), clock)
    clock.jump_to(clock.lands_at)
    assert len(accounts(simulator, order)) == 2
    assert TradingAccount.objects.filter(is_orphan=True).count() == (1 if is_on else 0)


@switched
def test_the_unique_intent_keeps_two_workers_from_creating_one_account_each(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch,
    without_constraint: Callable[[str, str], None], is_on: bool,
):  # fmt: skip
    """Both believe that they hold the order, and both have seen that no creation is intended yet."""
    if not is_on:
        without_constraint("brokers_brokeroperation", "operation_intent_once")
    order = placed(demo_group)
    first = leases.claim_order(clock=utc_now, order_id=order.pk)
    assert first is not None
    monkeypatch.setattr(leases.Lease, "hold", lambda self, seconds: None)
    both_have_looked, honest = threading.Barrier(2, timeout=60), order_steps._latest

    def looked_together(order: AccountOrder, kind: BrokerOperation.Kind) -> BrokerOperation | None:
        found = honest(order, kind)
        if kind == "create":
            both_have_looked.wait()
        return found

    monkeypatch.setattr(order_steps, "_latest", looked_together)

    def create() -> None:
        mine = AccountOrder.objects.select_related("group__connection").get(pk=order.pk)
        work = Work(mine.group.connection, broker_for(mine.group.connection), first, utc_now)
        order_steps.create_account(mine, work)

    raised = at_once(create)
    assert [type(exc) for exc in raised] == ([IntegrityError] if is_on else [])
    created = [
        row for each in order.operations.all() for row in simulator.accounts_of(each.marker.split("@", maxsplit=1)[0])
    ]
    assert len(created) == (1 if is_on else 2)


@switched
def test_one_money_operation_at_a_time_keeps_the_arithmetic_certain(
    simulator: Simulator, payer: TradingAccount, without_constraint: Callable[[str, str], None], is_on: bool
):
    if not is_on:
        without_constraint("brokers_brokeroperation", "operation_one_money_in_flight")
    simulator.faults(fault("withdraw", "drop_after"))
    clock = JumpingClock()
    first, second = withdrawal(payer, subject="one"), withdrawal(payer, amount="100", subject="two")
    run_operation(operation_id=first.pk, clock=clock)
    run_operation(operation_id=second.pk, clock=clock)
    # Both have moved; only one that was alone can be recognised by its amount.
    assert run(first, clock).status == (Operation.Status.DONE if is_on else Operation.Status.NEEDS_REVIEW)
    assert run(second, clock).status == Operation.Status.DONE
    assert simulator.account(payer.login)["balance"] == 9401.0


@switched
def test_the_lease_keeps_a_second_worker_from_taking_a_call_for_lost_that_is_about_to_be_made(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    """The first worker is still reading its baseline when the second one comes by."""
    if not is_on:
        monkeypatch.setattr(leases, "take", _take_nothing(leases.take))
        monkeypatch.setattr(leases.Lease, "hold", lambda self, seconds: None)
        monkeypatch.setattr(leases.Lease, "fence", _no_fence)
        monkeypatch.setattr(calls, "SHORTEST_WAIT", timedelta())
    operation = withdrawal(payer)
    slow, honest = threading.Event(), procedures.PatientMove.baseline
    second_is_done = threading.Event()

    def slow_baseline(self: procedures.PatientMove, operation: BrokerOperation, work: Work) -> Any:
        baseline = honest(self, operation, work)
        if not slow.is_set():
            slow.set()
            second_is_done.wait(timeout=60)
        return baseline

    monkeypatch.setattr(procedures.PatientMove, "baseline", slow_baseline)

    def second() -> None:
        slow.wait(timeout=60)
        try:
            # Without the lease it makes the call, a second after it took the first one's for lost.
            for _ in range(20 if is_on else 600):
                if run_operation(operation_id=operation.pk, clock=utc_now).status == Operation.Status.DONE:
                    break
                time.sleep(0.05)
        finally:
            second_is_done.set()
            connection.close()

    helper = threading.Thread(target=second)
    helper.start()
    run_operation(operation_id=operation.pk, clock=utc_now)
    helper.join(timeout=60)
    withdrawals = [each for each in simulator.account(payer.login)["transfers"] if each["type"] == "WITHDRAWAL"]
    assert len(withdrawals) == (1 if is_on else 2)


def _no_fence(_: leases.Lease) -> transaction.Atomic:
    return transaction.atomic(durable=True)


def _take_nothing(honest: Callable[..., leases.Lease]) -> Callable[..., leases.Lease]:
    """A lease that nobody else can see."""

    def take(row: Any, *, seconds: int, clock: leases.Clock, now: datetime) -> leases.Lease:
        lease = honest(row, seconds=seconds, clock=clock, now=now)
        type(row).objects.filter(pk=row.pk).update(leased_until=None)
        return lease

    return take


@switched
def test_the_fence_keeps_a_worker_whose_lease_was_taken_over_from_calling(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    if not is_on:
        monkeypatch.setattr(leases.Lease, "hold", lambda self, seconds: None)
        monkeypatch.setattr(leases.Lease, "fence", _no_fence)
    order = placed(demo_group)
    lease = leases.claim_order(clock=utc_now, order_id=order.pk)
    assert lease is not None
    AccountOrder.objects.update(leased_until=utc_now() + timedelta(minutes=1))
    clock = JumpingClock()
    clock.jump_to(lease.until)
    lease.clock = clock
    orders.work_on_order(lease, clock=clock)
    assert order.operations.exists() == (not is_on)


@switched
def test_the_fence_keeps_a_worker_that_was_held_up_from_writing_what_it_knows(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    """Its call was refused, and then it stood still; meanwhile another worker's call has taken the money."""
    if not is_on:
        monkeypatch.setattr(leases.Lease, "fence", _no_fence)
    operation, honest = withdrawal(payer), procedures.PatientMove.send
    refused, landed, written = threading.Event(), threading.Event(), threading.Event()

    def send(self: procedures.PatientMove, operation: BrokerOperation, work: Work) -> Any:
        if not refused.is_set():
            refused.set()
            assert landed.wait(timeout=60)
            raise RefusedError("Insufficient funds.")
        evidence = honest(self, operation, work)
        landed.set()
        assert written.wait(timeout=60)
        return evidence

    def held_up() -> None:
        try:
            run_operation(operation_id=operation.pk, clock=utc_now)
        finally:
            written.set()
            connection.close()

    monkeypatch.setattr(procedures.PatientMove, "send", send)
    first = threading.Thread(target=held_up)
    first.start()
    assert refused.wait(timeout=60)
    clock = JumpingClock()
    operation.refresh_from_db()
    clock.jump_to(operation.leased_until or clock())
    operation = run(operation, clock)
    first.join(timeout=60)
    assert operation.status == (Operation.Status.DONE if is_on else Operation.Status.REFUSED)
    assert simulator.account(payer.login)["balance"] == 9501.0


@switched
def test_committing_the_intent_first_lets_a_killed_worker_s_account_be_found(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    """A worker dies right after its call: with the marker in the database the account is found, without it is lost."""

    class DiedError(BaseException):
        pass

    def die(*_args: Any, **_kwargs: Any) -> None:
        raise DiedError

    order = placed(demo_group)
    with monkeypatch.context() as patched:
        patched.setattr(calls, "_done", die)
        with pytest.raises(DiedError):
            advance_order(order_id=order.pk, clock=utc_now)
    if not is_on:
        Operation.objects.filter(order=order).delete()
    before = len(simulator.accounts())
    clock = JumpingClock()
    clock.jump_to(AccountOrder.objects.get().leased_until or clock())
    assert drive(order, clock).status == Status.READY
    assert len(simulator.accounts()) - before == (0 if is_on else 1)


@switched
def test_the_share_of_known_accounts_keeps_a_cut_list_from_counting_as_absence(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch, is_on: bool
):
    if not is_on:
        monkeypatch.setattr(whole_lists, "SOUND_SHARE", 0)
    known = drive(placed(demo_group, "purchase:0"))
    assert known.status == Status.READY
    simulator.faults(fault("create", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    honest = Work.broker

    class Cut:
        """The broker, whose list of accounts comes empty."""

        def __init__(self, broker: Any) -> None:
            self._broker = broker

        def __getattr__(self, name: str) -> Any:
            return (lambda **_: {}) if name == "accounts_details" else getattr(self._broker, name)

    with monkeypatch.context() as patched:
        patched.setattr(Work, "broker", lambda self: Cut(honest(self)))
        clock.jump_to(settles_at(order.operations.get()))
        for _ in range(6):
            clock.jump_to(AccountOrder.objects.get(pk=order.pk).next_at)
            advance_order(order_id=order.pk, clock=clock)
    assert drive(order, clock).status == Status.READY
    assert len(accounts(simulator, order)) == (1 if is_on else 2)
