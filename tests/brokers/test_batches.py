"""A round of the sweeper: what is due is worked on once, whatever comes due meanwhile and whatever breaks off."""

from datetime import timedelta

import pytest

from brokers.models import BrokerOperation, TradingAccount
from brokers.services import batches, operations, run_due_operations
from brokers.services.leases import Clock, Lease
from propdesk.lib.times import utc_now
from tests.brokers.driving import JumpingClock, withdrawal
from tests.simulator import Simulator

Status = BrokerOperation.Status


def test_a_batch_runs_what_is_due(simulator: Simulator, payer: TradingAccount):
    for number in range(12):
        withdrawal(payer, amount="1", subject=f"purchase:{number}")
    clock = JumpingClock()
    for _ in range(50):
        run_due_operations(clock=clock)
        waiting = BrokerOperation.objects.open().order_by("next_at").first()
        if waiting is None:
            break
        clock.jump_to(waiting.next_at)
    assert BrokerOperation.objects.filter(status=Status.DONE).count() == 12
    assert simulator.account(payer.login)["balance"] == 9988.0
    assert run_due_operations(clock=clock) == 0


def test_what_comes_due_during_a_round_takes_nobodys_turn(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    withdrawal(payer, amount="1", subject="purchase:1")
    last = withdrawal(payer, amount="1", subject="purchase:2")
    honest = operations.work_on_operation

    def overtaken(lease: Lease, *, clock: Clock) -> None:
        """While the first is worked on, one comes due that has waited longer than the second."""
        newcomer = withdrawal(payer, amount="1", subject="purchase:3")
        BrokerOperation.objects.filter(pk=newcomer.pk).update(next_at=last.next_at - timedelta(minutes=1))
        honest(lease, clock=clock)

    monkeypatch.setattr(batches, "THREADS", 1)
    monkeypatch.setattr(batches, "work_on_operation", overtaken)
    assert run_due_operations(clock=utc_now) == 2
    done = BrokerOperation.objects.filter(status=Status.DONE)
    assert list(done.order_by("id").values_list("subject", flat=True)) == ["purchase:1", "purchase:2"]


def test_a_round_takes_no_more_than_its_limit(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    # Two at once would meet on the account, and one of them be put off.
    monkeypatch.setattr(batches, "THREADS", 1)
    for number in range(3):
        withdrawal(payer, amount="1", subject=f"purchase:{number}")
    assert [run_due_operations(clock=utc_now, limit=2) for _ in range(3)] == [2, 1, 0]


@pytest.mark.parametrize(("minutes", "status"), [(29, Status.INTENDED), (31, Status.NEEDS_REVIEW)])
def test_work_that_breaks_off_again_and_again_is_shown_to_staff(
    payer: TradingAccount, monkeypatch: pytest.MonkeyPatch, minutes: int, status: int
):
    def broken(*_args: object) -> None:
        raise KeyError("count")

    operation = withdrawal(payer)
    monkeypatch.setattr(operations, "procedure_of", broken)
    later = utc_now() + timedelta(minutes=minutes)
    run_due_operations(clock=lambda: later)
    operation.refresh_from_db()
    assert (operation.status, "KeyError" in operation.review_reason) == (status, status == Status.NEEDS_REVIEW)
