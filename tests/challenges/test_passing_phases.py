"""From phase to phase: each has an account of its own, opened by a real order at the simulator."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from brokers.models import AccountGroup, AccountOrder, BrokerOperation, TradingAccount
from brokers.services import advance_order, run_operation
from challenges.models import Breach, Challenge, ChallengeEvent, ChallengeStatus, Enrollment, EnrollmentState
from challenges.services.opening import advance_enrollments
from propdesk.lib.times import utc_now
from tests.challenges.firm import Firm


def pass_phase(firm: Firm, enrollment: Enrollment) -> None:
    firm.trade(enrollment, balance=108000, equity=108000)
    firm.watch()


def open_account(enrollment: Enrollment) -> TradingAccount:
    """Work on the order of a pending phase as brokers' workers do, until its account is ready."""
    order = enrollment.order
    for _ in range(20):
        order = advance_order(order_id=order.pk, clock=utc_now)
        if order.account is not None and order.status == AccountOrder.Status.READY:
            return order.account
    raise AssertionError(f"{order} is still {order.get_status_display()}")


def test_reaching_the_target_passes_the_phase_and_orders_the_account_of_the_next(firm: Firm) -> None:
    enrollment = firm.enrollment({}, {"name": "Verification", "profit_target_pct": Decimal(5)})

    pass_phase(firm, enrollment)

    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.close_reason) == (ChallengeStatus.PASSED, "profit_target")
    assert (enrollment.final_balance, enrollment.final_equity) == (Decimal(108000), Decimal(108000))
    following = Enrollment.objects.get(predecessor=enrollment)
    assert (following.status, following.phase_index, following.phase_name) == (
        ChallengeStatus.PENDING,
        2,
        "Verification",
    )
    assert following.account is None
    assert (following.order.reference, following.order.group) == (f"enrollment:{enrollment.challenge_id}:2", firm.demo)
    assert (following.order.first_name, following.order.last_name) == ("Ada", "Trader")
    challenge = Challenge.objects.get()
    assert (challenge.status, challenge.current_phase_index) == (ChallengeStatus.ACTIVE, 1)
    assert not Breach.objects.exists()


def test_a_cent_short_of_the_target_passes_nothing(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, balance="107999.99", equity="107999.99")

    firm.watch()

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.ACTIVE


def test_the_next_phase_runs_on_a_new_account_and_the_old_one_is_disabled(firm: Firm) -> None:
    enrollment = firm.enrollment({}, {"profit_target_pct": Decimal(5)})
    assert enrollment.account is not None
    pass_phase(firm, enrollment)
    following = Enrollment.objects.get(predecessor=enrollment)
    account = open_account(following)

    assert advance_enrollments(now=firm.clock()) == 1

    following.refresh_from_db()
    assert (following.status, following.account) == (ChallengeStatus.ACTIVE, account)
    challenge = Challenge.objects.get()
    assert (challenge.current_phase_index, challenge.account_login) == (2, account.login)
    state = EnrollmentState.objects.get(pk=following.pk)
    assert (state.initial_balance, state.profit_target, state.trading_days) == (100000, 105000, 0)
    disable = BrokerOperation.objects.get(subject=f"enrollment:{enrollment.pk}:close", kind="disable")
    run_operation(operation_id=disable.pk, clock=utc_now)
    assert firm.simulator.account(enrollment.account.login)["enabled"] is False
    new = firm.simulator.account(account.login)
    assert (new["enabled"], new["balance"]) == (True, 100000)


def test_the_last_evaluation_opens_the_funded_phase_and_the_challenge_stays_active(firm: Firm) -> None:
    enrollment = firm.enrollment({}, firm.funded_step())
    pass_phase(firm, enrollment)
    funded = Enrollment.objects.get(predecessor=enrollment)
    assert (funded.phase_type, funded.order.group) == (1, firm.real)
    account = open_account(funded)
    advance_enrollments(now=firm.clock())
    firm.simulator.set(account.login, balance=150000, equity=150000)
    firm.watch()

    funded.refresh_from_db()
    assert funded.status == ChallengeStatus.ACTIVE
    assert Challenge.objects.get().status == ChallengeStatus.ACTIVE
    assert firm.state(funded).last_equity == Decimal(150000)


def test_passing_the_last_phase_passes_the_challenge(firm: Firm) -> None:
    enrollment = firm.enrollment()

    pass_phase(firm, enrollment)

    challenge = Challenge.objects.get()
    assert challenge.status == ChallengeStatus.PASSED
    assert challenge.ended_at is not None
    assert Enrollment.objects.count() == 1
    assert [event.to_status for event in ChallengeEvent.objects.all()] == [1, 2]


def test_a_pass_is_not_taken_back(firm: Firm) -> None:
    enrollment = firm.enrollment()
    pass_phase(firm, enrollment)
    firm.trade(enrollment, equity=50000)

    assert firm.watch() == 0
    assert Challenge.objects.get().status == ChallengeStatus.PASSED


def test_a_challenge_keeps_the_terms_it_was_bought_under(firm: Firm) -> None:
    enrollment = firm.enrollment()
    program = enrollment.challenge.program
    program.phases.update(profit_target_pct=Decimal(1), max_daily_loss_pct=Decimal(1))
    firm.trade(enrollment, balance=102000, equity=97000)

    firm.watch()

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.ACTIVE


def test_a_phase_whose_account_cannot_be_opened_is_shown_to_staff(firm: Firm) -> None:
    enrollment = firm.enrollment({}, {})
    pass_phase(firm, enrollment)
    following = Enrollment.objects.get(predecessor=enrollment)
    AccountOrder.objects.filter(pk=following.order_id).update(
        status=AccountOrder.Status.FAILED, failure_reason="BROKER_REFUSED"
    )

    assert advance_enrollments(now=firm.clock()) == 0

    following.refresh_from_db()
    assert following.status == ChallengeStatus.PENDING
    assert following.review_reason == f"Account order {following.order_id} failed: BROKER_REFUSED"


def test_a_phase_that_is_stuck_tells_staff_why_it_is_stuck_now(firm: Firm) -> None:
    enrollment = firm.enrollment({}, {})
    pass_phase(firm, enrollment)
    following = Enrollment.objects.get(predecessor=enrollment)
    order = AccountOrder.objects.filter(pk=following.order_id)
    status = AccountOrder.Status
    told = []
    for changes in (
        {"status": status.NEEDS_REVIEW, "review_reason": "No answer."},
        {"status": status.OPENING, "review_reason": ""},
        {"status": status.FAILED, "failure_reason": "BROKER_REFUSED"},
        {"status": status.CANCELLED, "failure_reason": "", "cancel_reason": "The customer asked for it."},
    ):
        order.update(**changes)
        assert advance_enrollments(now=firm.clock()) == 0
        following.refresh_from_db()
        told.append(following.review_reason.removeprefix(f"Account order {following.order_id} "))

    assert told == [
        "waits for staff: No answer.", "", "failed: BROKER_REFUSED", "cancelled: The customer asked for it."
    ]  # fmt: skip


def test_phases_that_are_stuck_do_not_keep_one_that_is_ready_from_beginning(firm: Firm) -> None:
    program = firm.program({}, {})
    enrollments = [firm.challenge(program).enrollments.get() for _ in range(2)]
    for enrollment in enrollments:
        pass_phase(firm, enrollment)
    stuck, ready = (Enrollment.objects.get(predecessor=enrollment) for enrollment in enrollments)
    AccountOrder.objects.filter(pk=stuck.order_id).update(status=AccountOrder.Status.FAILED, failure_reason="REFUSED")
    open_account(ready)

    assert advance_enrollments(now=firm.clock(), limit=1) == 1


def test_a_pass_waits_while_the_group_of_the_next_phase_is_gone(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    enrollment = firm.enrollment({}, firm.funded_step())
    AccountGroup.objects.filter(pk=firm.real.pk).update(name="RENAMED")

    pass_phase(firm, enrollment)

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.ACTIVE
    assert not BrokerOperation.objects.exists()
    (reason,) = firm.unit_watch().not_judged.values()
    assert reason == (
        "its verdict could not be carried out: the account group PROP_REAL_USD of the next phase no longer exists"
    )
    assert enrollment.review_reason == "the account group PROP_REAL_USD of the next phase no longer exists"
    AccountGroup.objects.filter(pk=firm.real.pk).update(name="PROP_REAL_USD")
    firm.watch()
    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.review_reason) == (ChallengeStatus.PASSED, "")


def test_a_pass_that_waits_for_its_group_stands_in_the_review_queue_until_it_is_no_pass(firm: Firm) -> None:
    enrollment = firm.enrollment({}, firm.funded_step())
    AccountGroup.objects.filter(pk=firm.real.pk).update(name="RENAMED")
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    page = reverse("admin:brokers_review")
    assert "PROP_REAL_USD of the next phase" not in boss.get(page).content.decode()

    pass_phase(firm, enrollment)

    shown = boss.get(page).content.decode()
    assert "Phases that cannot begin or go on: 1" in shown
    assert "the account group PROP_REAL_USD of the next phase no longer exists" in shown
    assert "The phase is passed. Add an account group of that name: the next phase then begins by itself." in shown
    firm.trade(enrollment, balance=104000, equity=104000)
    firm.watch()
    assert "PROP_REAL_USD of the next phase" not in boss.get(page).content.decode()
