"""Withdrawals and taking accounts out of trading, against the real simulator."""

import threading
from datetime import datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from brokers.client.thinkmarkets import ThinkMarkets
from brokers.models import BrokerOperation, TradingAccount
from brokers.services import (
    SubjectReusedError,
    decide_operation,
    request_disable_and_flatten,
    resume_operation,
    run_operation,
)
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import IllegalTransitionError
from tests.brokers.driving import TESTER, JumpingClock, fault, run, settles_at, statuses, withdrawal
from tests.simulator import Simulator

Status = BrokerOperation.Status


def test_a_withdrawal_takes_the_money_once(simulator: Simulator, payer: TradingAccount):
    operation = run_operation(operation_id=withdrawal(payer).pk, clock=utc_now)

    assert (operation.status, operation.attempts, operation.evidence) == (
        Status.DONE, 1, {"balance": "9501.0", "from": "reply"},
    )  # fmt: skip
    assert operation.baseline is not None
    assert (operation.baseline["count"], operation.baseline["sum"]) == (1, "10000.00000000")
    at_broker = simulator.account(payer.login)
    assert at_broker["balance"] == 9501.0
    assert at_broker["transfers"][-1]["comment"] == "Evaluation 100K"
    assert statuses(operation) == [Status.INTENDED, Status.CALLING, Status.DONE]
    assert run_operation(operation_id=operation.pk, clock=utc_now).attempts == 1


def test_the_same_subject_is_the_same_withdrawal(payer: TradingAccount):
    assert withdrawal(payer).pk == withdrawal(payer).pk
    with pytest.raises(SubjectReusedError):
        withdrawal(payer, amount="500")
    assert BrokerOperation.objects.count() == 1


def test_more_than_there_is_is_refused_with_not_enough_funds(simulator: Simulator, payer: TradingAccount):
    operation = run_operation(operation_id=withdrawal(payer, amount="10000.01").pk, clock=utc_now)
    assert (operation.status, operation.error_code) == (Status.REFUSED, "NOT_ENOUGH_FUNDS")
    assert operation.finished_at is not None
    assert simulator.account(payer.login)["balance"] == 10000.0


def test_a_withdrawal_from_an_account_that_does_not_exist_is_refused_without_a_call(payer: TradingAccount):
    payer.login += 100_000
    payer.save()
    operation = run_operation(operation_id=withdrawal(payer).pk, clock=utc_now)
    assert (operation.status, operation.error_code, operation.attempts) == (Status.REFUSED, "BROKER_REFUSED", 0)
    assert operation.baseline is None


def test_a_withdrawal_is_not_sent_while_its_baseline_cannot_be_read(simulator: Simulator, payer: TradingAccount):
    simulator.faults({"endpoint": "account-transfers", "fault": "truncate_after"})
    operation = run(withdrawal(payer))
    assert (operation.status, operation.attempts) == (Status.NEEDS_REVIEW, 0)
    assert operation.review_reason == "Given up: The call broke off: ProtocolError."
    assert simulator.account(payer.login)["balance"] == 10000.0


def test_an_answer_that_misses_transfers_of_ours_is_no_baseline(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    assert run(withdrawal(payer)).status == Status.DONE
    monkeypatch.setattr(ThinkMarkets, "account_transfers", lambda _self, **_account: [])
    second = run_operation(operation_id=withdrawal(payer, subject="purchase:2:payment").pk, clock=utc_now)
    assert (second.status, second.attempts, second.baseline) == (Status.INTENDED, 0, None)
    assert second.error_message == "The broker lists 0 transfers, and there have been 2."
    assert simulator.account(payer.login)["balance"] == 9501.0


@pytest.mark.parametrize("kind", ["drop_after", "truncate_after", "error_after"])
def test_a_withdrawal_whose_reply_is_lost_is_settled_by_the_transfers(
    simulator: Simulator, payer: TradingAccount, kind: str
):
    simulator.faults(fault("withdraw", kind))
    operation = run(withdrawal(payer))
    assert (operation.status, operation.attempts, operation.was_in_doubt) == (Status.DONE, 1, True)
    assert operation.evidence["from"] == "transfers"
    assert simulator.account(payer.login)["balance"] == 9501.0


def test_a_withdrawal_without_effect_is_repeated_after_the_quarantine(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("withdraw", "error_before"))
    operation = withdrawal(payer)
    run_operation(operation_id=operation.pk, clock=utc_now)
    operation.refresh_from_db()
    # Deadline 30 and quarantine 2, not settle 1: nothing later could give money back that was taken twice.
    assert operation.started_at is not None
    assert (settles_at(operation) - operation.started_at).total_seconds() == 32
    operation = run(operation)
    assert (operation.status, operation.attempts) == (Status.DONE, 2)
    assert simulator.account(payer.login)["balance"] == 9501.0


def test_an_unexplained_transfer_beside_a_withdrawal_in_doubt_goes_to_review(
    simulator: Simulator, payer: TradingAccount
):
    simulator.faults(fault("withdraw", "drop_after"))
    operation = withdrawal(payer)
    run_operation(operation_id=operation.pk, clock=utc_now)
    body = {"accountNumber": payer.login, "unit": payer.group.unit, "amount": 5.0, "comment": "top-up"}
    simulator.post("accounts/deposit", body)
    operation = run(operation)
    assert operation.status == Status.NEEDS_REVIEW
    assert operation.review_reason == "2 new transfers moved -494.00, where -499.00 or nothing was expected."
    assert simulator.account(payer.login)["balance"] == 9506.0


def test_one_transfer_of_another_amount_is_not_taken_for_ours(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("withdraw", "error_before"))
    operation = withdrawal(payer)
    run_operation(operation_id=operation.pk, clock=utc_now)
    body = {"accountNumber": payer.login, "unit": payer.group.unit, "amount": 5.0, "comment": "by hand"}
    simulator.post("accounts/withdraw", body)
    operation = run(operation)
    assert operation.status == Status.NEEDS_REVIEW
    assert operation.review_reason == "1 new transfers moved -5.00, where -499.00 or nothing was expected."
    assert simulator.account(payer.login)["balance"] == 9995.0


def in_review(simulator: Simulator, payer: TradingAccount) -> BrokerOperation:
    simulator.faults(fault("withdraw", "drop_after"))
    operation = withdrawal(payer)
    run_operation(operation_id=operation.pk, clock=utc_now)
    body = {"accountNumber": payer.login, "unit": payer.group.unit, "amount": 5.0, "comment": "top-up"}
    simulator.post("accounts/deposit", body)
    return run(operation)


@pytest.mark.parametrize(
    ("happened", "status", "code"), [(True, Status.DONE, ""), (False, Status.REFUSED, "DECIDED_BY_STAFF")]
)
def test_staff_decide_about_money_in_review(
    simulator: Simulator, payer: TradingAccount, happened: bool, status: int, code: str
):
    operation = in_review(simulator, payer)
    now = settles_at(operation)
    decided = decide_operation(operation_id=operation.pk, happened=happened, reason="Looked.", by=TESTER, now=now)
    assert (decided.status, decided.error_code, decided.review_reason) == (status, code, "")
    last = decided.EVENTS._default_manager.filter(subject_id=decided.pk).latest("id")
    assert (last.actor, last.reason) == ("test", "Looked.")
    with pytest.raises(IllegalTransitionError):
        decide_operation(operation_id=operation.pk, happened=True, reason="Again.", by=TESTER, now=utc_now())


def test_what_staff_decide_during_a_call_counts(simulator: Simulator, payer: TradingAccount):
    disable, _ = taken_out(payer)

    def clock_of_a_worker_that_is_overtaken() -> datetime:
        BrokerOperation.objects.filter(pk=disable.pk, status=Status.CALLING).update(
            status=Status.NEEDS_REVIEW, review_reason="Leave it."
        )
        return utc_now()

    operation = run_operation(operation_id=disable.pk, clock=clock_of_a_worker_that_is_overtaken)
    assert (operation.status, operation.review_reason, operation.leased_until) == (
        Status.NEEDS_REVIEW,
        "Leave it.",
        None,
    )


def test_only_one_money_operation_of_an_account_is_under_way_at_a_time(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("withdraw", "drop_after"))
    first, second = withdrawal(payer, subject="one"), withdrawal(payer, amount="100", subject="two")
    run_operation(operation_id=first.pk, clock=utc_now)
    second = run_operation(operation_id=second.pk, clock=utc_now)
    assert (second.status, second.attempts) == (Status.INTENDED, 0)

    clock = JumpingClock()
    assert run(first, clock).status == Status.DONE
    assert run(second, clock).status == Status.DONE
    assert simulator.account(payer.login)["balance"] == 9401.0


def test_the_database_refuses_a_second_money_operation_in_flight(payer: TradingAccount):
    rows = [withdrawal(payer, subject="one"), withdrawal(payer, subject="two")]
    BrokerOperation.objects.filter(pk=rows[0].pk).update(status=Status.IN_DOUBT)
    with pytest.raises(IntegrityError), transaction.atomic():
        BrokerOperation.objects.filter(pk=rows[1].pk).update(status=Status.CALLING)


def test_two_workers_at_once_withdraw_once(simulator: Simulator, payer: TradingAccount):
    operations = [withdrawal(payer, amount="10", subject=f"purchase:{number}") for number in range(10)]
    barrier = threading.Barrier(2, timeout=60)

    def work() -> None:
        try:
            for operation in operations:
                barrier.wait()
                run_operation(operation_id=operation.pk, clock=utc_now)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock = JumpingClock()
    assert [run(operation, clock).status for operation in operations] == [Status.DONE] * 10
    assert simulator.account(payer.login)["balance"] == 9900.0


def taken_out(account: TradingAccount) -> tuple[BrokerOperation, BrokerOperation]:
    return request_disable_and_flatten(subject="enrollment:1:close", account=account, by=TESTER, now=utc_now())


def test_an_account_is_disabled_then_flattened_and_both_are_read_back(simulator: Simulator, payer: TradingAccount):
    simulator.set(payer.login, equity=9000)
    assert len(simulator.account(payer.login)["positions"]) == 1
    disable, close_all = taken_out(payer)
    run_operation(operation_id=disable.pk, clock=utc_now)

    close_all.refresh_from_db()
    disable.refresh_from_db()
    assert (disable.status, close_all.status) == (Status.DONE, Status.DONE)
    assert disable.evidence == {"enabled": False, "balance": "10000.0"}
    assert close_all.evidence == {"balance": "9000.0", "equity": "9000.0", "margin": "0.0"}
    at_broker = simulator.account(payer.login)
    assert (at_broker["enabled"], at_broker["positions"], at_broker["balance"]) == (False, [], 9000.0)
    payer.refresh_from_db()
    assert not payer.is_enabled


def test_asking_twice_to_take_an_account_out_is_asking_once(payer: TradingAccount):
    assert taken_out(payer) == taken_out(payer)
    assert BrokerOperation.objects.count() == 2


def test_positions_are_not_closed_before_the_account_is_disabled(simulator: Simulator, payer: TradingAccount):
    _, close_all = taken_out(payer)
    assert run_operation(operation_id=close_all.pk, clock=utc_now).status == Status.INTENDED
    assert close_all not in BrokerOperation.objects.due(utc_now())


@pytest.mark.parametrize("endpoint", ["enable", "close-all-positions", "account-details", "account-stats"])
@pytest.mark.parametrize("kind", ["error_before", "drop_after", "truncate_after", "too_many_requests"])
def test_taking_out_goes_on_until_it_is_verified(simulator: Simulator, payer: TradingAccount, endpoint: str, kind: str):
    simulator.set(payer.login, equity=9000)
    simulator.faults({"endpoint": endpoint, "fault": kind, "times": 3})
    disable, close_all = taken_out(payer)
    clock = JumpingClock()
    assert run(disable, clock).status == Status.DONE
    assert run(close_all, clock).status == Status.DONE
    at_broker = simulator.account(payer.login)
    assert (at_broker["enabled"], at_broker["positions"]) == (False, [])


def test_an_account_that_cannot_be_disabled_ends_in_review(simulator: Simulator, payer: TradingAccount):
    simulator.faults({"endpoint": "enable", "fault": "error_before"})
    disable, close_all = taken_out(payer)
    clock = JumpingClock()
    disable = run(disable, clock)
    assert disable.status == Status.NEEDS_REVIEW
    assert disable.review_reason == "Given up after 20 attempts: The account reads enabled=True."
    assert disable.attempts == 20

    simulator.faults()
    resume_operation(operation_id=disable.pk, reason="The broker is well again.", by=TESTER, now=clock())
    assert run(disable, clock).status == Status.DONE
    assert run(close_all, clock).status == Status.DONE
    assert not simulator.account(payer.login)["enabled"]


def test_a_withdrawal_needs_an_amount_above_zero(payer: TradingAccount):
    with pytest.raises(IntegrityError):
        withdrawal(payer, amount="0")
    assert payer.operations.count() == 0
    assert Decimal(payer.group.default_deposit) == Decimal(100000)
