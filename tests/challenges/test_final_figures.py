"""After the verdict: the account is closed, and what it ended with is written down once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from brokers.models import BrokerOperation
from brokers.services import request_enable, resume_operation, run_operation
from challenges.models import Breach, ChallengeStatus, Enrollment, EnrollmentState, MetricSnapshot
from challenges.services import final_figures
from challenges.services.final_figures import record_final_figures
from challenges.services.recording import keep_last
from propdesk.lib.times import utc_now
from tests.brokers.driving import JumpingClock, run
from tests.challenges.firm import TESTER, Firm


def close_account(enrollment: Enrollment, *, generation: int = 1) -> None:
    """Let the operations run that disable and flatten the account."""
    disable = BrokerOperation.objects.get(
        kind=BrokerOperation.Kind.DISABLE, subject=f"enrollment:{enrollment.pk}:close", generation=generation
    )
    run_operation(operation_id=disable.pk, clock=utc_now)


def series(enrollment: Enrollment) -> list[tuple[Decimal, Decimal]]:
    points = MetricSnapshot.objects.filter(enrollment_id=enrollment.pk).order_by("at")
    return [(point.balance, point.equity) for point in points]


def test_a_failed_enrollment_ends_with_what_was_left_after_closing(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.watch()
    # Before the account is closed, the price moves on.
    firm.trade(enrollment, equity=93500)
    close_account(enrollment)

    assert record_final_figures(now=utc_now()) == 1

    enrollment.refresh_from_db()
    assert (enrollment.final_balance, enrollment.final_equity) == (Decimal(93500), Decimal(93500))
    close_all = BrokerOperation.objects.get(kind=BrokerOperation.Kind.CLOSE_ALL)
    assert enrollment.final_at == close_all.finished_at
    assert series(enrollment) == [
        (Decimal(100000), Decimal(94000)),
        (Decimal(93500), Decimal(93500)),
    ]
    breach = Breach.objects.get()
    assert (breach.observed, breach.balance, breach.equity) == (Decimal(94000), Decimal(100000), Decimal(94000))
    state = firm.state(enrollment)
    assert (state.last_at, state.last_equity, state.last_flat) == (enrollment.final_at, Decimal(93500), True)
    assert (state.profit_pct, state.verdict) == (Decimal("-6.5"), "failed")


def test_a_passed_enrollment_ends_with_what_was_left_after_closing(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, balance=108000, equity=109000)
    firm.watch()
    firm.trade(enrollment, balance=108000, equity=107000)
    close_account(enrollment)

    record_final_figures(now=utc_now())

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.PASSED
    assert (enrollment.final_balance, enrollment.final_equity) == (Decimal(107000), Decimal(107000))


def test_final_figures_are_recorded_once(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.watch()
    close_account(enrollment)
    record_final_figures(now=utc_now())
    before = series(enrollment)

    assert record_final_figures(now=utc_now()) == 0

    assert series(enrollment) == before


def test_the_verdicts_figures_stand_until_the_account_is_flat(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.watch()

    assert record_final_figures(now=utc_now()) == 0

    enrollment.refresh_from_db()
    assert (enrollment.final_equity, enrollment.final_at) == (Decimal(94000), None)


def test_a_running_enrollment_has_no_final_figures(firm: Firm) -> None:
    """Its account was disabled and flat for a while, when it was paused."""
    enrollment = firm.enrollment({"daily_loss_action": "pause"})
    firm.trade(enrollment, equity=94000)
    firm.watch()
    disable = BrokerOperation.objects.get(kind=BrokerOperation.Kind.DISABLE)
    run_operation(operation_id=disable.pk, clock=utc_now)

    assert record_final_figures(now=utc_now()) == 0

    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.final_equity) == (ChallengeStatus.ACTIVE, None)


def test_a_close_that_staff_concluded_unread_leaves_the_verdicts_figures(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.watch()
    close_account(enrollment)
    BrokerOperation.objects.filter(kind=BrokerOperation.Kind.CLOSE_ALL).update(evidence={})

    assert record_final_figures(now=utc_now()) == 1

    enrollment.refresh_from_db()
    assert (enrollment.final_equity, enrollment.final_at is None) == (Decimal(94000), False)
    assert len(series(enrollment)) == 1


def test_what_was_closed_before_a_late_disabling_is_not_the_end(firm: Firm) -> None:
    """The trader goes on while the disabling waits for staff: what counts is the closing that comes after it."""
    enrollment = firm.enrollment()
    assert enrollment.account is not None
    firm.trade(enrollment, equity=94000)
    firm.watch()
    subject = f"enrollment:{enrollment.pk}:close"
    disable = BrokerOperation.objects.get(kind=BrokerOperation.Kind.DISABLE, subject=subject)
    close_all = disable.followers.get()
    firm.simulator.faults({"endpoint": "enable", "fault": "error_before"})
    clock = JumpingClock()
    assert run(disable, clock).status == BrokerOperation.Status.NEEDS_REVIEW
    assert run(close_all, clock).status == BrokerOperation.Status.DONE
    assert record_final_figures(now=clock()) == 0
    firm.trade(enrollment, balance=94000, equity=91000)
    firm.simulator.faults()
    resume_operation(operation_id=disable.pk, reason="The broker is well again.", by=TESTER, now=clock())
    assert record_final_figures(now=clock()) == 0
    # One at a time: the disabling alone is not enough either.
    again = disable.followers.get(generation=2)
    BrokerOperation.objects.filter(pk=again.pk).update(leased_until=clock() + timedelta(hours=1))
    assert run(disable, clock).status == BrokerOperation.Status.DONE
    assert record_final_figures(now=clock()) == 0
    BrokerOperation.objects.filter(pk=again.pk).update(leased_until=None)
    again = run(again, clock)
    assert again.status == BrokerOperation.Status.DONE

    assert record_final_figures(now=clock()) == 1

    enrollment.refresh_from_db()
    assert (enrollment.final_balance, enrollment.final_equity) == (Decimal(91000), Decimal(91000))
    assert enrollment.final_at == again.finished_at


def test_the_figures_wait_until_a_lost_enabling_can_no_longer_undo_the_end(firm: Firm) -> None:
    enrollment = firm.enrollment()
    assert enrollment.account is not None
    lost = request_enable(subject="test", account=enrollment.account, by=TESTER, now=firm.clock())
    done = BrokerOperation.Status.DONE
    BrokerOperation.objects.filter(pk=lost.pk).update(status=done, was_in_doubt=True, started_at=firm.clock.now)
    firm.trade(enrollment, equity=94000)
    firm.watch()
    close_account(enrollment)
    assert record_final_figures(now=utc_now()) == 0

    firm.trade(enrollment, balance=94000, equity=91000)
    close_account(enrollment, generation=2)
    assert record_final_figures(now=utc_now()) == 1

    enrollment.refresh_from_db()
    assert (enrollment.final_balance, enrollment.final_equity) == (Decimal(91000), Decimal(91000))


def test_a_reading_counts_more_than_what_staff_conclude_later_unread(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.watch()
    close_account(enrollment)
    read = BrokerOperation.objects.get(kind=BrokerOperation.Kind.CLOSE_ALL)
    assert read.finished_at is not None
    BrokerOperation.objects.create(
        subject=read.subject, kind=read.kind, generation=2, connection=read.connection, account=read.account,
        status=read.status, evidence={"from": "staff"}, finished_at=read.finished_at + timedelta(minutes=1),
        next_at=read.next_at, created_at=read.created_at, updated_at=read.updated_at,
    )  # fmt: skip

    assert record_final_figures(now=utc_now()) == 1

    enrollment.refresh_from_db()
    assert (enrollment.final_balance, enrollment.final_at) == (Decimal(94000), read.finished_at)


def test_one_that_cannot_be_recorded_does_not_stop_the_others(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    program = firm.program()
    stuck, other = (firm.challenge(program).enrollments.get() for _ in range(2))
    for enrollment in (stuck, other):
        firm.trade(enrollment, equity=94000)
    firm.watch()
    for enrollment in (stuck, other):
        close_account(enrollment)

    def keep_others(row: EnrollmentState) -> None:
        if row.pk == stuck.pk:
            raise ArithmeticError
        keep_last(row)

    monkeypatch.setattr(final_figures, "keep_last", keep_others)

    assert record_final_figures(now=utc_now()) == 1

    stuck.refresh_from_db()
    other.refresh_from_db()
    assert (stuck.final_at, other.final_at is None) == (None, False)
    assert stuck.final_equity == Decimal(94000)
