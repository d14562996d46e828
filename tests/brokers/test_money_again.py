"""Before money is moved a second time: may the call that was taken for lost have landed after all?"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.client.errors import NoDataError
from brokers.models import AccountGroup, AccountOrder, BrokerOperation, TradingAccount
from brokers.services import advance_order, procedures, resume_operation, resume_order, run_operation
from brokers.services.transfers import with_ours_since
from tests.brokers.driving import TESTER, JumpingClock, adopted, drive, fault, placed, run, settles_at, withdrawal
from tests.simulator import Simulator

Status = BrokerOperation.Status
PATIENCE = timedelta(minutes=31)


@pytest.fixture
def called_absent(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
) -> Callable[[JumpingClock], BrokerOperation]:
    """A withdrawal of 499 whose call had no effect that two readings could see; the next call waits for a baseline."""

    def make(clock: JumpingClock) -> BrokerOperation:
        simulator.faults(fault("withdraw", "error_before"))
        operation = run_operation(operation_id=withdrawal(payer).pk, clock=clock)
        clock.jump_to(settles_at(operation))

        def unreadable(*_args: Any) -> Any:
            raise NoDataError("no list")

        with monkeypatch.context() as patched:
            patched.setattr(procedures.PatientMove, "baseline", unreadable)
            operation = run_operation(operation_id=operation.pk, clock=clock)
        assert (operation.status, operation.attempts) == (Status.INTENDED, 1)
        clock.jump_to(operation.next_at)
        return operation

    return make


def moved(simulator: Simulator, payer: TradingAccount, endpoint: str, amount: float) -> None:
    """Money that somebody else, or a call of ours that was taken for lost, moves at the broker."""
    body = {"accountNumber": payer.login, "unit": payer.group.unit, "amount": amount, "comment": "behind our back"}
    simulator.post(f"accounts/{endpoint}", body)


Absent = Callable[[JumpingClock], BrokerOperation]


def test_money_that_has_landed_meanwhile_is_not_taken_again(
    simulator: Simulator, payer: TradingAccount, called_absent: Absent
):
    clock = JumpingClock()
    operation = called_absent(clock)
    moved(simulator, payer, "withdraw", 499)
    operation = run(operation, clock)
    assert (operation.status, operation.attempts, operation.evidence["from"]) == (Status.DONE, 1, "transfers")
    assert simulator.account(payer.login)["balance"] == 9501.0


def test_nothing_is_guessed_when_others_have_moved_money_meanwhile(
    simulator: Simulator, payer: TradingAccount, called_absent: Absent
):
    clock = JumpingClock()
    operation = called_absent(clock)
    moved(simulator, payer, "deposit", 100)
    operation = run(operation, clock)
    assert (operation.status, operation.attempts) == (Status.NEEDS_REVIEW, 1)
    assert operation.review_reason == "1 new transfers moved 100.00, where -499.00 or nothing was expected."
    assert simulator.account(payer.login)["balance"] == 10_100.0


def test_another_payment_of_the_same_price_is_not_taken_for_this_one(
    simulator: Simulator, payer: TradingAccount, called_absent: Absent
):
    clock = JumpingClock()
    operation = called_absent(clock)
    other = run(withdrawal(payer, subject="purchase:2:payment"), clock)
    assert (other.status, other.attempts) == (Status.DONE, 1)
    clock.jump_to(clock() + timedelta(seconds=1))
    operation = run(operation, clock)
    assert (operation.status, operation.attempts) == (Status.DONE, 2)
    assert simulator.account(payer.login)["balance"] == 9002.0


def test_what_others_have_moved_is_counted_once_however_often_a_baseline_is_brought_up_to_date(
    simulator: Simulator, payer: TradingAccount, called_absent: Absent
):
    clock = JumpingClock()
    operation = called_absent(clock)
    before = operation.baseline
    assert before is not None
    run(withdrawal(payer, subject="purchase:2:payment"), clock)
    once = with_ours_since(before, operation)
    assert (once["count"], Decimal(once["sum"])) == (before["count"] + 1, Decimal(before["sum"]) - 499)
    assert with_ours_since(once, operation) == once


def test_a_payment_that_was_given_up_before_its_second_call_goes_on_when_it_is_resumed(
    simulator: Simulator, payer: TradingAccount, called_absent: Absent
):
    clock = JumpingClock()
    operation = called_absent(clock)
    simulator.faults({"endpoint": "account-transfers", "fault": "error_before"})
    clock.jump_to(clock() + PATIENCE)
    operation = run(operation, clock)
    assert operation.status == Status.NEEDS_REVIEW
    simulator.faults()
    resume_operation(operation_id=operation.pk, reason="The broker is well again.", by=TESTER, now=clock())
    assert run(operation, clock).status == Status.DONE
    assert simulator.account(payer.login)["balance"] == 9501.0


def test_a_deposit_that_landed_during_a_long_outage_is_found_when_its_order_is_resumed(
    simulator: Simulator, demo_group: AccountGroup
):
    simulator.faults(fault("deposit", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    deposit = order.operations.get(kind="deposit")
    assert deposit.status == Status.IN_DOUBT
    simulator.faults({"endpoint": "account-transfers", "fault": "error_before"})
    clock.jump_to(clock() + PATIENCE)
    order = drive(order, clock)
    assert order.status == AccountOrder.Status.NEEDS_REVIEW
    simulator.faults()
    resume_order(order_id=order.pk, reason="The broker is well again.", by=TESTER, now=clock())
    order = drive(order, clock)
    assert order.status == AccountOrder.Status.READY, order.review_reason
    assert simulator.account(adopted(order).login)["balance"] == 100_000.0
