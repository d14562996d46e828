"""A pause is lifted as the next day begins, but an account that staff took out of trading stays out."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from brokers.admin.account_buttons import subject_of
from brokers.models import BrokerOperation, Difference, TradingAccount
from brokers.services import (
    enable_by_hand,
    mend_difference,
    objection_to_enabling,
    request_disable_and_flatten,
    run_due_operations,
)
from challenges.models import Breach, Enrollment, EnrollmentEvent
from propdesk.lib.actors import Actor
from propdesk.lib.times import utc_now
from tests.challenges.firm import Firm
from tests.propdesk.admin.rows import make_difference

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
ADA = Actor("ada")


@pytest.fixture
def enrollment(firm: Firm) -> Enrollment:
    return firm.enrollment({"daily_loss_action": "pause", "max_total_loss_pct": Decimal(50)})


def account_of(enrollment: Enrollment) -> TradingAccount:
    assert enrollment.account is not None
    return TradingAccount.objects.select_related("order").get(pk=enrollment.account.pk)


def take_out(enrollment: Enrollment, press: str = "1") -> BrokerOperation:
    """By the button of the account's page; read back."""
    account = account_of(enrollment)
    disable, _ = request_disable_and_flatten(subject=subject_of(account, press), account=account, by=ADA, now=utc_now())
    run_due_operations(clock=utc_now)
    return disable


def enable(enrollment: Enrollment) -> None:
    """By the button of the account's page; read back."""
    account = account_of(enrollment)
    enable_by_hand(subject=subject_of(account, "back"), account_id=account.pk, reason="", by=ADA, now=utc_now())
    run_due_operations(clock=utc_now)


def pause(firm: Firm, enrollment: Enrollment) -> None:
    """A soft breach; the account is disabled and flat, read back."""
    equity = firm.state(enrollment).day_start_balance - 6000
    firm.trade(enrollment, balance=equity, equity=equity)
    firm.watch()
    run_due_operations(clock=utc_now)
    enrollment.refresh_from_db()
    assert enrollment.is_paused


def begin_day(firm: Firm, enrollment: Enrollment) -> None:
    """The next one, and whatever it asks of the broker."""
    firm.watch(days=1)
    run_due_operations(clock=utc_now)
    enrollment.refresh_from_db()
    assert not enrollment.is_paused


def is_enabled(firm: Firm, enrollment: Enrollment) -> bool:
    account = account_of(enrollment)
    at_broker = bool(firm.simulator.account(account.login)["enabled"])
    assert account.is_enabled is at_broker
    return at_broker


def test_who_was_taken_out_before_a_pause_stays_out_after_it(firm: Firm, enrollment: Enrollment) -> None:
    disable = take_out(enrollment)
    pause(firm, enrollment)

    begin_day(firm, enrollment)

    assert not is_enabled(firm, enrollment)
    assert not BrokerOperation.objects.filter(kind=Kind.ENABLE).exists()
    left = f"Taken out by hand (operation {disable.pk}): enable the account by hand."
    assert enrollment.review_reason == left
    event = EnrollmentEvent.objects.filter(subject_id=enrollment.pk).latest("id")
    assert event.reason == f"pause lifted for 2026-03-03. {left}"
    assert Breach.objects.get().action == "pause"


def test_who_was_taken_out_during_a_pause_stays_out_after_it(firm: Firm, enrollment: Enrollment) -> None:
    pause(firm, enrollment)
    disable = take_out(enrollment)
    assert objection_to_enabling(account_of(enrollment)) == (
        f"Its {enrollment} is paused until the next trading day begins. "
        f"It was taken out by hand (operation {disable.pk}): enable it by hand then."
    )

    begin_day(firm, enrollment)

    assert not is_enabled(firm, enrollment)
    assert enrollment.review_reason == f"Taken out by hand (operation {disable.pk}): enable the account by hand."


def test_the_review_queue_names_who_was_left_out_until_the_account_is_enabled_by_hand(
    firm: Firm, enrollment: Enrollment
) -> None:
    disable = take_out(enrollment)
    pause(firm, enrollment)
    begin_day(firm, enrollment)
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    queue = reverse("admin:brokers_review")
    firm.watch()
    shown = boss.get(queue).content.decode()
    assert "Phases that cannot begin or go on: 1" in shown
    assert f"Taken out by hand (operation {disable.pk}): enable the account by hand." in shown
    assert "May its trader trade again? If so, enable the account on its page." in shown
    assert reverse("admin:brokers_tradingaccount_change", args=[account_of(enrollment).pk]) in shown

    enable(enrollment)
    firm.watch()

    assert is_enabled(firm, enrollment)
    enrollment.refresh_from_db()
    assert enrollment.review_reason == ""
    assert "Phases that cannot begin or go on: " not in boss.get(queue).content.decode()


def test_who_was_enabled_by_hand_since_is_enabled_after_a_pause(firm: Firm, enrollment: Enrollment) -> None:
    take_out(enrollment)
    enable(enrollment)
    pause(firm, enrollment)

    begin_day(firm, enrollment)

    assert is_enabled(firm, enrollment)
    assert enrollment.review_reason == ""


def test_a_pause_after_a_pause_is_lifted_as_the_first_one(firm: Firm, enrollment: Enrollment) -> None:
    for _ in range(2):
        pause(firm, enrollment)
        begin_day(firm, enrollment)
        assert is_enabled(firm, enrollment)
    assert enrollment.review_reason == ""


@pytest.mark.parametrize("status", [Status.REFUSED, Status.CANCELLED])
def test_a_disabling_that_never_was_keeps_nobody_out(
    firm: Firm, enrollment: Enrollment, status: BrokerOperation.Status
) -> None:
    BrokerOperation.objects.filter(pk=take_out(enrollment).pk).update(status=status)
    pause(firm, enrollment)

    begin_day(firm, enrollment)

    assert is_enabled(firm, enrollment)


def test_mending_a_difference_during_a_pause_only_restores_the_pause(firm: Firm, enrollment: Enrollment) -> None:
    pause(firm, enrollment)
    seen = utc_now() + timedelta(seconds=1)
    difference = make_difference(account_of(enrollment), 1, kind=Difference.Kind.ENABLED, last_seen_at=seen)
    mend_difference(difference_id=difference.pk, reason="It differs.", by=ADA, now=utc_now())
    run_due_operations(clock=utc_now)

    begin_day(firm, enrollment)

    assert is_enabled(firm, enrollment)


def test_a_difference_mended_before_a_pause_keeps_the_account_out(firm: Firm, enrollment: Enrollment) -> None:
    difference = make_difference(account_of(enrollment), 1, kind=Difference.Kind.OPEN_POSITIONS, last_seen_at=utc_now())
    mend_difference(difference_id=difference.pk, reason="It differs.", by=ADA, now=utc_now())
    run_due_operations(clock=utc_now)
    pause(firm, enrollment)

    begin_day(firm, enrollment)

    assert not is_enabled(firm, enrollment)
    disable = BrokerOperation.objects.get(subject=f"difference:{difference.pk}:1", kind=Kind.DISABLE)
    assert enrollment.review_reason == f"Taken out by hand (operation {disable.pk}): enable the account by hand."
