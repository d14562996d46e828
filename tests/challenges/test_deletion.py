"""Deleting a program takes its challenges along, and stops the accounts that still trade."""

import pytest

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from challenges.models import (
    Breach,
    Challenge,
    ChallengeEvent,
    DailySnapshot,
    Enrollment,
    EnrollmentState,
    MetricSnapshot,
)
from programs.models import Program
from programs.services import OperationsInFlightError, delete_program, preview_deletion
from tests.challenges.firm import TESTER, Firm


def test_challenges_go_with_their_program_and_are_counted(firm: Firm) -> None:
    program = firm.program({}, {})
    failed, running = (firm.challenge(program).enrollments.get() for _ in range(2))
    other = firm.enrollment()
    firm.trade(failed, equity=94000)
    firm.watch()

    foreseen = preview_deletion(program_id=program.pk)
    kept = delete_program(program_id=program.pk, by=TESTER, now=firm.clock())

    assert foreseen.counters == kept.counters
    counted = ("challenges", "enrollments", "daily_snapshots", "rule_breaches", "metric_snapshots", "running_states")
    assert {name: kept.counters[name] for name in counted} == {
        "challenges": 2, "enrollments": 2, "daily_snapshots": 2, "rule_breaches": 1, "metric_snapshots": 2,
        "running_states": 2,
    }  # fmt: skip
    assert kept.removed["rule_breaches"][0]["rule"] == "daily_loss"
    assert list(Enrollment.objects.all()) == [other]
    assert list(Challenge.objects.all()) == [other.challenge]
    assert {EnrollmentState.objects.count(), DailySnapshot.objects.count(), MetricSnapshot.objects.count()} == {1}
    assert not Breach.objects.exists()
    assert ChallengeEvent.objects.filter(subject_id=running.challenge_id).count() == 2
    assert TradingAccount.objects.count() == 3


def test_a_running_challenge_is_stopped_at_the_broker_in_the_same_transaction(firm: Firm) -> None:
    enrollment = firm.enrollment()

    delete_program(program_id=enrollment.challenge.program_id, by=TESTER, now=firm.clock())

    operations = BrokerOperation.objects.filter(account=enrollment.account)
    assert set(operations.values_list("kind", flat=True)) == {"disable", "close_all"}


def test_a_passed_phase_goes_with_its_successor(firm: Firm) -> None:
    enrollment = firm.enrollment({}, {})
    firm.trade(enrollment, balance=108000, equity=108000)
    firm.watch()
    AccountOrder.objects.filter(enrollment__predecessor=enrollment).update(
        status=AccountOrder.Status.FAILED, failure_reason="BROKER_REFUSED"
    )

    delete_program(program_id=enrollment.challenge.program_id, by=TESTER, now=firm.clock())

    assert not Enrollment.objects.exists()


def test_nothing_is_deleted_while_the_account_of_a_next_phase_is_being_opened(firm: Firm) -> None:
    enrollment = firm.enrollment({}, {})
    firm.trade(enrollment, balance=108000, equity=108000)
    firm.watch()

    with pytest.raises(OperationsInFlightError):
        delete_program(program_id=enrollment.challenge.program_id, by=TESTER, now=firm.clock())

    assert Program.objects.exists()
    assert Enrollment.objects.count() == 2
