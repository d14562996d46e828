"""An enabling whose answer was lost may land after the account was read disabled: then all is done once more."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from brokers.models import BrokerConnection, BrokerOperation, BrokerOperationEvent, TradingAccount
from brokers.services import (
    enable_by_hand,
    late_enabling_until,
    request_disable_and_flatten,
    request_enable,
    resume_operation,
    run_due_operations,
    run_operation,
)
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.times import utc_now
from tests.brokers.driving import TESTER, JumpingClock, fault
from tests.simulator import Simulator

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
ONCE = [("disable", 1), ("close_all", 1)]
TWICE = [*ONCE, ("disable", 2), ("close_all", 2)]


def enabling(account: TradingAccount, clock: Callable[[], datetime] = utc_now) -> BrokerOperation:
    operation = request_enable(subject="lift", account=account, by=TESTER, now=clock())
    return run_operation(operation_id=operation.pk, clock=clock)


def take_out(account: TradingAccount, now: datetime | None = None) -> BrokerOperation:
    """The disabling that comes first."""
    return request_disable_and_flatten(subject="end", account=account, by=TESTER, now=now or utc_now())[0]


def steps(*statuses: int) -> list[tuple[str, int]]:
    """Kind and generation of what takes the account out, of these statuses or of any."""
    found = BrokerOperation.objects.filter(subject="end").order_by("id")
    if statuses:
        found = found.filter(status__in=statuses)
    return list(found.values_list("kind", "generation"))


def switch_at_broker(simulator: Simulator, account: TradingAccount, *, enabled: bool) -> None:
    switch = {"unit": account.group.unit, "accountNumbers": [account.login], "enable": enabled}
    simulator.post("accounts/enable", switch)


def test_an_enabling_that_lands_after_the_disabling_was_read_back_is_undone(
    simulator: Simulator, payer: TradingAccount
):
    switch_at_broker(simulator, payer, enabled=False)
    simulator.faults(fault("enable", "error_before"))
    lost = enabling(payer)
    assert lost.status == Status.IN_DOUBT
    take_out(payer)
    run_due_operations(clock=utc_now)
    assert steps(Status.DONE) == ONCE
    lost.refresh_from_db()
    assert lost.status == Status.NEEDS_REVIEW
    # What the lost call asked for happens after all.
    switch_at_broker(simulator, payer, enabled=True)
    simulator.set(payer.login, equity=9_000)

    clock = JumpingClock()
    run_due_operations(clock=clock)
    assert steps(Status.INTENDED) == [("disable", 2), ("close_all", 2)]
    until = late_enabling_until(payer)
    assert until is not None
    clock.jump_to(until)
    run_due_operations(clock=clock)

    assert steps(Status.DONE) == TWICE
    at_broker = simulator.account(payer.login)
    assert (at_broker["enabled"], at_broker["positions"]) == (False, [])
    again = BrokerOperation.objects.get(subject="end", kind=Kind.DISABLE, generation=2)
    # Nobody has to decide about it any more.
    lost.refresh_from_db()
    assert (lost.status, lost.review_reason) == (Status.CANCELLED, "")
    event = BrokerOperationEvent.objects.filter(subject_id=again.pk).earliest("id")
    assert event.reason == f"A lost call may enable the account until {until:%H:%M:%S} UTC."


def test_an_enabling_under_way_counts_as_lost(simulator: Simulator, payer: TradingAccount):
    lost = request_enable(subject="lift", account=payer, by=TESTER, now=utc_now())
    BrokerOperation.objects.filter(pk=lost.pk).update(status=Status.CALLING, started_at=utc_now())
    take_out(payer)
    lost.refresh_from_db()
    assert (lost.status, lost.was_in_doubt) == (Status.NEEDS_REVIEW, True)
    assert steps() == TWICE


def test_an_enabling_whose_first_call_was_lost_may_land_again(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("enable", "drop_after"))
    clock = JumpingClock()
    lost = enabling(payer, clock)
    clock.jump_to(lost.next_at)
    assert run_operation(operation_id=lost.pk, clock=clock).status == Status.DONE
    take_out(payer, clock())
    assert steps() == TWICE


def test_a_certain_enabling_needs_one_disabling(simulator: Simulator, payer: TradingAccount):
    assert enabling(payer).status == Status.DONE
    take_out(payer)
    assert steps() == ONCE


def test_a_call_lost_long_ago_needs_one_disabling(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("enable", "drop_after"))
    enabling(payer)
    until = late_enabling_until(payer)
    assert until is not None
    take_out(payer, until)
    assert steps() == ONCE


def test_the_end_is_that_of_the_last_call_and_of_the_quarantine(simulator: Simulator, payer: TradingAccount):
    assert late_enabling_until(payer) is None
    BrokerConnection.objects.update(deadline_seconds=2, quarantine_seconds=30)
    payer.connection.refresh_from_db()
    simulator.faults(fault("enable", "drop_after"))
    lost = enabling(payer)
    assert lost.started_at is not None
    assert late_enabling_until(payer) == lost.started_at + timedelta(seconds=32)


def test_asking_again_for_the_same_adds_nothing(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("enable", "drop_after"))
    enabling(payer)
    assert take_out(payer).pk == take_out(payer).pk
    assert steps() == TWICE


def test_nobody_enables_the_account_before_the_second_disabling(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("enable", "drop_after"))
    lost = enabling(payer)
    take_out(payer)
    run_due_operations(clock=utc_now)
    BrokerOperation.objects.filter(pk=lost.pk).update(status=Status.CANCELLED, review_reason="")
    again = BrokerOperation.objects.get(subject="end", kind=Kind.DISABLE, generation=2)
    with pytest.raises(ConflictError, match=f"Operation {again.pk} \\(disable\\) is not over yet"):
        enable_by_hand(subject="hand", account_id=payer.pk, reason="A mistake.", by=TESTER, now=utc_now())


def test_a_first_disabling_that_was_in_review_is_followed_by_a_closing_of_its_own(
    simulator: Simulator, payer: TradingAccount
):
    simulator.faults(fault("enable", "drop_after"))
    enabling(payer)
    disable = take_out(payer)
    run_due_operations(clock=utc_now)
    BrokerOperation.objects.filter(pk=disable.pk).update(status=Status.NEEDS_REVIEW, review_reason="Given up.")
    resume_operation(operation_id=disable.pk, reason="The broker is well again.", by=TESTER, now=utc_now())
    closing = BrokerOperation.objects.get(subject="end", kind=Kind.CLOSE_ALL, generation=3)
    assert closing.after == disable
    run_due_operations(clock=utc_now)
    assert steps(Status.INTENDED) == [("disable", 2), ("close_all", 2)]
    assert steps(Status.DONE) == [*ONCE, ("close_all", 3)]
