"""What is in doubt, and what staff are asked about: nothing is called over while it may still happen."""

from datetime import timedelta
from typing import Any

import pytest

from brokers.client.thinkmarkets import ThinkMarkets
from brokers.models import BrokerConnection, BrokerOperation, TradingAccount
from brokers.services import (
    decide_operation,
    late_enabling_until,
    procedures,
    request_disable_and_flatten,
    request_enable,
    resume_operation,
    run_due_operations,
    run_operation,
)
from brokers.services.outcomes import PATIENCE
from brokers.services.work import Work
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import IllegalTransitionError
from tests.brokers.driving import TESTER, JumpingClock, fault, run, settles_at, withdrawal
from tests.simulator import Simulator

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
PRICE = 499


def resume(operation: BrokerOperation) -> BrokerOperation:
    return resume_operation(operation_id=operation.pk, reason="Again.", by=TESTER, now=utc_now())


def balance(simulator: Simulator, account: TradingAccount) -> float:
    amount: float = simulator.account(account.login)["balance"]
    return amount


def switch_at_broker(simulator: Simulator, account: TradingAccount, *, enabled: bool) -> None:
    switch = {"unit": account.group.unit, "accountNumbers": [account.login], "enable": enabled}
    simulator.post("accounts/enable", switch)


def test_trying_again_does_not_take_an_operation_out_of_its_call(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    """Two press the button; by the time the second is heard, the first one's call is under way."""
    operation, honest = withdrawal(payer), procedures.PatientMove.send

    def pressed_meanwhile(self: procedures.PatientMove, operation: BrokerOperation, work: Work) -> Any:
        with pytest.raises(IllegalTransitionError, match="is calling"):
            resume(operation)
        return honest(self, operation, work)

    monkeypatch.setattr(procedures.PatientMove, "send", pressed_meanwhile)
    assert run(operation).status == Status.DONE
    assert balance(simulator, payer) == 10_000 - PRICE


def break_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_options: object) -> None:
        raise KeyError("amount")

    monkeypatch.setattr(procedures.PatientMove, "apply", broken)


def test_what_breaks_off_in_its_call_is_read_before_it_is_made_again(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    simulator.faults(fault("withdraw", "too_many_requests"))
    clock = JumpingClock()
    operation = run_operation(operation_id=withdrawal(payer).pk, clock=clock)
    assert (operation.status, operation.was_in_doubt) == (Status.INTENDED, False)
    clock.jump_to(operation.next_at + PATIENCE)
    with monkeypatch.context() as patched:
        break_off(patched)
        run_due_operations(clock=clock)
    operation.refresh_from_db()
    assert (operation.status, operation.was_in_doubt) == (Status.NEEDS_REVIEW, True)
    assert resume(operation).status == Status.IN_DOUBT
    clock.jump_to(operation.leased_until or clock())
    assert run(operation, clock).status == Status.DONE
    assert balance(simulator, payer) == 10_000 - PRICE


def test_what_has_waited_long_for_its_first_call_is_not_given_up_with_it(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    operation = withdrawal(payer)
    BrokerOperation.objects.update(created_at=utc_now() - 2 * PATIENCE)
    break_off(monkeypatch)
    run_due_operations(clock=utc_now)
    operation.refresh_from_db()
    assert operation.status == Status.CALLING


def in_doubt(payer: TradingAccount, clock: JumpingClock) -> BrokerOperation:
    operation = run_operation(operation_id=withdrawal(payer).pk, clock=clock)
    assert operation.status == Status.IN_DOUBT
    return operation


def top_up(simulator: Simulator, payer: TradingAccount) -> None:
    body = {"accountNumber": payer.login, "unit": payer.group.unit, "amount": 5.0, "comment": "top-up"}
    simulator.post("accounts/deposit", body)


def test_money_is_not_brought_before_staff_while_its_call_may_still_land(simulator: Simulator, payer: TradingAccount):
    BrokerConnection.objects.update(quarantine_seconds=600)
    simulator.faults(fault("withdraw", "error_before"))
    clock = JumpingClock()
    operation = in_doubt(payer, clock)
    top_up(simulator, payer)
    clock.jump_to(operation.next_at)
    operation = run_operation(operation_id=operation.pk, clock=clock)
    assert operation.status == Status.IN_DOUBT
    assert operation.error_message == "1 new transfers moved 5.00, where -499.00 or nothing was expected."
    clock.jump_to(settles_at(operation))
    assert run(operation, clock).status == Status.NEEDS_REVIEW


def test_a_first_call_after_a_long_outage_is_not_given_up_before_it_can_be_settled(
    simulator: Simulator, payer: TradingAccount
):
    BrokerConnection.objects.update(quarantine_seconds=600)
    outage = {"endpoint": "account-transfers", "fault": "error_before"}
    simulator.faults(outage)
    clock = JumpingClock()
    operation = run_operation(operation_id=withdrawal(payer).pk, clock=clock)
    assert operation.status == Status.INTENDED
    clock.jump_to(clock() + PATIENCE - timedelta(seconds=30))
    simulator.faults(fault("withdraw", "error_before"))
    assert run_operation(operation_id=operation.pk, clock=clock).status == Status.IN_DOUBT
    simulator.faults(outage)
    clock.jump_to(clock() + timedelta(minutes=1))
    operation = run_operation(operation_id=operation.pk, clock=clock)
    assert operation.status == Status.IN_DOUBT
    clock.jump_to(settles_at(operation))
    operation = run_operation(operation_id=operation.pk, clock=clock)
    assert operation.review_reason.startswith("Still in doubt: ")


def test_staff_cannot_say_no_while_the_call_may_still_land(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("withdraw", "error_before"))
    operation = in_doubt(payer, JumpingClock())
    BrokerOperation.objects.update(status=Status.NEEDS_REVIEW, review_reason="Look.")
    settled = settles_at(operation)
    with pytest.raises(ConflictError, match=f"until {settled:%H:%M:%S} UTC"):
        decide_operation(
            operation_id=operation.pk, happened=False, reason="Not there.", by=TESTER,
            now=settled - timedelta(seconds=1),
        )  # fmt: skip
    operation.refresh_from_db()
    assert operation.status == Status.NEEDS_REVIEW
    decided = decide_operation(operation_id=operation.pk, happened=False, reason="No.", by=TESTER, now=settled)
    assert decided.status == Status.REFUSED


def test_a_second_call_that_is_refused_because_the_first_has_landed_is_done(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    """Long after the quarantine the first call takes all there is, between the second baseline and the second call."""
    simulator.faults(fault("withdraw", "error_before"))
    clock = JumpingClock()
    operation = run_operation(operation_id=withdrawal(payer, amount="10000").pk, clock=clock)
    honest = ThinkMarkets.withdraw

    def overtaken(self: ThinkMarkets, **move: Any) -> Any:
        late = {"accountNumber": payer.login, "unit": payer.group.unit, "amount": 10_000.0, "comment": "late"}
        simulator.post("accounts/withdraw", late)
        return honest(self, **move)

    monkeypatch.setattr(ThinkMarkets, "withdraw", overtaken)
    operation = run(operation, clock)
    assert (operation.status, operation.attempts) == (Status.DONE, 2)
    assert balance(simulator, payer) == 0


def test_a_second_call_that_is_refused_for_itself_is_refused(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("withdraw", "error_before"))
    clock = JumpingClock()
    operation = run_operation(operation_id=withdrawal(payer, amount="10001").pk, clock=clock)
    operation = run(operation, clock)
    assert (operation.status, operation.error_code, operation.attempts) == (Status.REFUSED, "NOT_ENOUGH_FUNDS", 2)


def test_a_disabling_without_an_answer_is_not_believed_to_an_old_reading(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    """The reading is from before the account was enabled; the call has not reached the broker."""
    switch_at_broker(simulator, payer, enabled=False)
    old = ThinkMarkets.account_details
    simulator.faults(fault("enable", "error_before"))
    disable, _ = request_disable_and_flatten(subject="end", account=payer, by=TESTER, now=utc_now())
    clock = JumpingClock()
    operation = run_operation(operation_id=disable.pk, clock=clock)
    assert operation.status == Status.IN_DOUBT
    readings: list[bool] = []

    def lagging(self: ThinkMarkets, *, login: int) -> Any:
        details = old(self, login=login)
        if not readings:
            # From now on the truth: it was enabled all the time.
            switch_at_broker(simulator, payer, enabled=True)
        readings.append(details.is_enabled)
        return details

    monkeypatch.setattr(ThinkMarkets, "account_details", lagging)
    operation = run(operation, clock)
    assert (operation.status, operation.attempts, readings[0]) == (Status.DONE, 2, False)
    assert simulator.account(payer.login)["enabled"] is False


def test_a_switch_that_is_never_answered_is_believed_to_a_reading_after_the_settle_time(
    simulator: Simulator, payer: TradingAccount
):
    simulator.faults({"endpoint": "enable", "fault": "error_after"})
    disable, _ = request_disable_and_flatten(subject="end", account=payer, by=TESTER, now=utc_now())
    operation = run(disable)
    assert (operation.status, operation.attempts) == (Status.DONE, 3)
    assert operation.finished_at is not None
    assert operation.finished_at >= settles_at(operation)


def test_an_enabling_that_was_answered_and_does_not_show_may_still_land(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    switch_at_broker(simulator, payer, enabled=False)
    monkeypatch.setattr(ThinkMarkets, "set_enabled", lambda self, **switch: None)
    lost = request_enable(subject="lift", account=payer, by=TESTER, now=utc_now())
    assert run_operation(operation_id=lost.pk, clock=utc_now).status == Status.INTENDED
    assert late_enabling_until(payer) is not None
