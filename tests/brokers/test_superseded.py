"""What waited in review, or was found by a comparison, must not undo what was wanted since."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from django.db import connections, transaction

from brokers.models import AccountGroup, BrokerOperation, Difference, TradingAccount
from brokers.services import (
    batches,
    conclude_operation,
    mend_difference,
    request_disable_and_flatten,
    resume_operation,
    review_of,
    run_due_operations,
)
from challenges.models import Enrollment
from challenges.services.closing import fail_enrollment
from challenges.services.locking import lock_enrollment
from challenges.services.pausing import lift_pause, pause_enrollment
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.times import utc_now
from tests.brokers.driving import TESTER
from tests.challenges.firm import Firm
from tests.propdesk.admin.rows import NOW, make_difference
from tests.simulator import Simulator

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
TODAY = date(2026, 3, 4)


@pytest.fixture
def firm(simulator: Simulator, demo_group: AccountGroup, real_group: AccountGroup) -> Firm:
    return Firm(simulator=simulator, demo=demo_group, real=real_group)


@pytest.fixture
def enrollment(firm: Firm) -> Enrollment:
    return firm.enrollment()


def account_of(enrollment: Enrollment) -> TradingAccount:
    assert enrollment.account is not None
    return TradingAccount.objects.select_related("order").get(pk=enrollment.account.pk)


def operation_of(enrollment: Enrollment, kind: BrokerOperation.Kind) -> BrokerOperation:
    return BrokerOperation.objects.get(account=account_of(enrollment), kind=kind)


@transaction.atomic
def pause(enrollment: Enrollment) -> None:
    locked = lock_enrollment(enrollment.pk)
    pause_enrollment(enrollment=locked, trading_day=TODAY, by=TESTER, now=NOW - timedelta(hours=1))


@transaction.atomic
def lift(enrollment: Enrollment) -> BrokerOperation:
    lift_pause(enrollment=lock_enrollment(enrollment.pk), trading_day=TODAY + timedelta(days=1), by=TESTER, now=NOW)
    return operation_of(enrollment, Kind.ENABLE)


@transaction.atomic
def fail(enrollment: Enrollment) -> None:
    locked = lock_enrollment(enrollment.pk)
    figure = locked.initial_balance
    fail_enrollment(enrollment=locked, reason="daily_loss", balance=figure, equity=figure, by=TESTER, now=utc_now())


def put(operation: BrokerOperation, status: BrokerOperation.Status) -> None:
    reason = "Given up." if status == Status.NEEDS_REVIEW else ""
    BrokerOperation.objects.filter(pk=operation.pk).update(status=status, review_reason=reason)


def resume(operation: BrokerOperation) -> BrokerOperation:
    return resume_operation(operation_id=operation.pk, reason="Again.", by=TESTER, now=utc_now())


def conclude(operation: BrokerOperation, *, happened: bool) -> BrokerOperation:
    return conclude_operation(operation_id=operation.pk, happened=happened, reason="Looked.", by=TESTER, now=utc_now())


def mend(difference: Difference) -> BrokerOperation:
    return mend_difference(difference_id=difference.pk, reason="It differs.", by=TESTER, now=utc_now())


def status_of(operation: BrokerOperation) -> int:
    return BrokerOperation.objects.get(pk=operation.pk).status


def lifted(enrollment: Enrollment) -> BrokerOperation:
    """The enabling of a pause that is lifted, the account being out of trading."""
    pause(enrollment)
    run_due_operations(clock=utc_now)
    return lift(enrollment)


def lifted_over(enrollment: Enrollment, kind: BrokerOperation.Kind) -> BrokerOperation:
    """That operation of a pause in review; by now the pause is lifted, and the account enabled."""
    enable = lifted(enrollment)
    run_due_operations(clock=utc_now)
    assert status_of(enable) == Status.DONE
    operation = operation_of(enrollment, kind)
    put(operation, Status.NEEDS_REVIEW)
    return operation


def test_a_lift_in_review_is_dropped_when_the_challenge_fails(enrollment: Enrollment, simulator: Simulator) -> None:
    enable = lifted(enrollment)
    put(enable, Status.NEEDS_REVIEW)
    fail(enrollment)
    assert status_of(enable) == Status.CANCELLED
    with pytest.raises(ConflictError):
        resume(enable)
    run_due_operations(clock=utc_now)
    assert simulator.account(account_of(enrollment).login)["enabled"] is False
    assert status_of(enable) == Status.CANCELLED


def test_a_lift_under_way_when_the_challenge_failed_can_only_be_dropped(enrollment: Enrollment) -> None:
    enable = lifted(enrollment)
    put(enable, Status.CALLING)
    fail(enrollment)
    disable = BrokerOperation.objects.get(subject=f"enrollment:{enrollment.pk}:close", kind=Kind.DISABLE)
    with pytest.raises(ConflictError, match=f"Operation {disable.pk} \\(disable\\) was asked for after it"):
        resume(enable)
    assert status_of(enable) == Status.NEEDS_REVIEW
    with pytest.raises(ValueError, match="cannot be concluded as done"):
        conclude(enable, happened=True)
    assert conclude(enable, happened=False).status == Status.CANCELLED


def test_asking_again_for_the_same_disabling_leaves_to_staff_what_was_under_way(enrollment: Enrollment) -> None:
    enable = lifted(enrollment)
    put(enable, Status.CALLING)
    for _ in range(2):
        request_disable_and_flatten(subject="test", account=account_of(enrollment), by=TESTER, now=utc_now())
        assert status_of(enable) == Status.NEEDS_REVIEW


def test_a_lift_waits_for_the_second_disabling_of_a_pause(
    enrollment: Enrollment, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both disablings are due at once here: one after the other, lest the first be the last to reach the broker.
    monkeypatch.setattr(batches, "THREADS", 1)
    lost = lifted(enrollment)
    run_due_operations(clock=utc_now)
    BrokerOperation.objects.filter(pk=lost.pk).update(was_in_doubt=True, started_at=NOW)
    next_day = TODAY + timedelta(days=1)
    with transaction.atomic():
        locked = lock_enrollment(enrollment.pk)
        pause_enrollment(enrollment=locked, trading_day=next_day, by=TESTER, now=NOW)
        lift_pause(enrollment=locked, trading_day=next_day + timedelta(days=1), by=TESTER, now=NOW)
    enable = BrokerOperation.objects.filter(account=account_of(enrollment), kind=Kind.ENABLE).latest("id")
    assert enable.after is not None
    assert (enable.after.kind, enable.after.generation) == (Kind.CLOSE_ALL, 2)
    for _ in range(2):
        run_due_operations(clock=utc_now)
    assert simulator.account(account_of(enrollment).login)["enabled"] is True


def test_an_enabling_that_something_speaks_against_is_not_tried_again(enrollment: Enrollment) -> None:
    enable = lifted(enrollment)
    put(enable, Status.NEEDS_REVIEW)
    TradingAccount.objects.update(is_orphan=True)
    with pytest.raises(ConflictError, match="nobody may trade on it"):
        resume(enable)
    TradingAccount.objects.update(is_orphan=False)
    assert resume(enable).status == Status.INTENDED


def test_trying_again_waits_for_a_failure_that_is_being_written(enrollment: Enrollment) -> None:
    enable = lifted(enrollment)
    put(enable, Status.CALLING)

    def try_again() -> None:
        try:
            resume(enable)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            fail(enrollment)
            asked = pool.submit(try_again)
            with pytest.raises(TimeoutError):
                asked.result(timeout=0.5)
        with pytest.raises(ConflictError):
            asked.result(timeout=30)


@pytest.mark.parametrize("kind", [Kind.DISABLE, Kind.CLOSE_ALL])
def test_what_a_pause_left_in_review_does_not_stop_a_trader_whose_pause_was_lifted(
    enrollment: Enrollment, simulator: Simulator, kind: BrokerOperation.Kind
) -> None:
    operation, login = lifted_over(enrollment, kind), account_of(enrollment).login
    simulator.set(login, equity=101_000)
    with pytest.raises(ConflictError, match=r"\(enable\) was asked for after it"):
        resume(operation)
    review = review_of(operation)
    assert (review.may_resume, review.done) == (False, "")
    assert conclude(operation, happened=False).status == Status.CANCELLED
    run_due_operations(clock=utc_now)
    at_broker = simulator.account(login)
    assert (at_broker["enabled"], len(at_broker["positions"])) == (True, 1)


def test_a_closing_that_the_lift_waits_for_may_be_tried_again(enrollment: Enrollment) -> None:
    pause(enrollment)
    closing = operation_of(enrollment, Kind.CLOSE_ALL)
    put(closing, Status.NEEDS_REVIEW)
    lift(enrollment)
    assert resume(closing).status == Status.INTENDED


def test_a_disabling_in_review_may_be_tried_again_after_another_one(enrollment: Enrollment) -> None:
    pause(enrollment)
    disable = operation_of(enrollment, Kind.DISABLE)
    put(disable, Status.NEEDS_REVIEW)
    fail(enrollment)
    assert resume(disable).status == Status.INTENDED


def test_a_difference_does_not_enable_the_account_of_a_challenge_that_has_failed_since(enrollment: Enrollment) -> None:
    difference = make_difference(account_of(enrollment), 1, kind=Difference.Kind.DISABLED)
    fail(enrollment)
    with pytest.raises(ConflictError, match="is failed"):
        mend(difference)
    difference.refresh_from_db()
    assert (difference.status, difference.mends) == (Difference.Status.OPEN, 0)
    assert not BrokerOperation.objects.filter(kind=Kind.ENABLE).exists()


@pytest.mark.parametrize("kind", [Difference.Kind.ENABLED, Difference.Kind.OPEN_POSITIONS])
def test_a_difference_found_during_a_pause_does_not_stop_a_trader_whose_pause_was_lifted(
    enrollment: Enrollment, kind: Difference.Kind
) -> None:
    pause(enrollment)
    run_due_operations(clock=utc_now)
    difference = make_difference(account_of(enrollment), 1, kind=kind, last_seen_at=utc_now())
    enable = lift(enrollment)
    run_due_operations(clock=utc_now)
    with pytest.raises(ConflictError, match=f"Operation enable for {enable.subject} has switched the account since"):
        mend(difference)
    assert BrokerOperation.objects.filter(kind=Kind.DISABLE).count() == 1


def test_a_difference_that_nothing_has_touched_since_is_mended(enrollment: Enrollment) -> None:
    TradingAccount.objects.update(order=enrollment.order)  # as every account that an order has opened
    difference = make_difference(account_of(enrollment), 1, kind=Difference.Kind.DISABLED)
    assert mend(difference).kind == Kind.ENABLE
