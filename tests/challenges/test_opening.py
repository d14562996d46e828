from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

from django.db import connection

from challenges.models import (
    Challenge,
    ChallengeEvent,
    ChallengeStatus,
    DailySnapshot,
    Enrollment,
    EnrollmentEvent,
    EnrollmentState,
)
from challenges.services.opening import open_challenge, open_due_challenges
from purchases.models import Purchase
from tests.challenges.firm import START, Firm


def test_a_purchase_with_an_account_becomes_a_running_challenge(firm: Firm) -> None:
    purchase = firm.purchase(firm.program({"name": "Evaluation"}))

    challenge = open_challenge(purchase_id=purchase.pk, now=START)

    assert challenge is not None
    challenge.refresh_from_db()
    assert challenge.status == ChallengeStatus.ACTIVE
    assert challenge.account_login == purchase.account_login
    assert (challenge.current_phase_index, challenge.started_at) == (1, START)
    assert challenge.program_version_id == purchase.program_version_id
    enrollment = challenge.enrollments.get()
    assert (enrollment.status, enrollment.phase_name) == (ChallengeStatus.ACTIVE, "Evaluation")
    assert enrollment.account is not None
    assert enrollment.account.login == purchase.account_login
    assert (enrollment.initial_balance, enrollment.initial_equity) == (Decimal(100000), Decimal(100000))
    purchase.refresh_from_db()
    assert (purchase.status, purchase.activation_status) == (Purchase.Status.ACTIVE, "active")


def test_the_running_state_and_the_first_day_start_from_the_initial_balance(firm: Firm) -> None:
    challenge = firm.challenge(firm.program())

    state = EnrollmentState.objects.get(enrollment__challenge=challenge)
    assert (state.last_balance, state.last_equity, state.last_at) == (Decimal(100000), Decimal(100000), None)
    assert (state.daily_loss, state.total_loss, state.profit_target) == (95000, 90000, 108000)
    day = DailySnapshot.objects.get(enrollment__challenge=challenge)
    assert (day.trading_day, day.start_balance, day.start_equity) == (date(2026, 3, 2), 100000, 100000)
    assert day.is_late is False


def test_opening_is_told_in_events(firm: Firm) -> None:
    challenge = firm.challenge(firm.program())

    assert list(ChallengeEvent.objects.filter(subject_id=challenge.pk).values_list("from_status", "to_status")) == [
        (None, ChallengeStatus.ACTIVE)
    ]
    enrollment = challenge.enrollments.get()
    assert list(EnrollmentEvent.objects.filter(subject_id=enrollment.pk).values_list("from_status", "to_status")) == [
        (None, ChallengeStatus.PENDING),
        (ChallengeStatus.PENDING, ChallengeStatus.ACTIVE),
    ]


def test_levels_rest_on_what_the_account_was_funded_with_even_if_the_group_has_changed(firm: Firm) -> None:
    purchase = firm.purchase(firm.program())
    firm.demo.default_deposit = Decimal(50000)
    firm.demo.save()

    challenge = open_challenge(purchase_id=purchase.pk, now=START)

    assert challenge is not None
    assert challenge.enrollments.get().initial_balance == Decimal(100000)


def test_opening_twice_gives_the_same_challenge(firm: Firm) -> None:
    purchase = firm.purchase(firm.program())

    first = open_challenge(purchase_id=purchase.pk, now=START)
    second = open_challenge(purchase_id=purchase.pk, now=START)

    assert first == second
    assert Challenge.objects.count() == 1
    assert Enrollment.objects.count() == 1


def test_a_purchase_that_is_not_so_far_opens_nothing(firm: Firm) -> None:
    purchase = firm.purchase(firm.program())
    Purchase.objects.filter(pk=purchase.pk).update(status=Purchase.Status.PAID)

    assert open_challenge(purchase_id=purchase.pk, now=START) is None
    assert not Challenge.objects.exists()
    assert not ChallengeEvent.objects.exists()


def test_four_workers_at_once_open_one_challenge(firm: Firm) -> None:
    purchase = firm.purchase(firm.program())

    def work(_: int) -> Challenge | None:
        try:
            return open_challenge(purchase_id=purchase.pk, now=START)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as pool:
        opened = list(pool.map(work, range(4)))

    assert len(set(opened)) == 1
    assert Challenge.objects.count() == 1
    assert ChallengeEvent.objects.count() == 1


def test_the_sweep_opens_what_waits_and_one_bad_row_does_not_stop_it(firm: Firm) -> None:
    program = firm.program()
    broken, good = firm.purchase(program), firm.purchase(program)
    Purchase.objects.filter(pk=broken.pk).update(account_order=None)

    assert open_due_challenges(now=START) == 1
    assert Challenge.objects.get().purchase_id == good.pk
    broken.refresh_from_db()
    assert broken.status == Purchase.Status.ACCOUNT_CREATED
