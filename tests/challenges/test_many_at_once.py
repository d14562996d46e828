"""Many verdicts at one reading look like a broker's error: nothing is enforced until staff confirm the figures."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from brokers.models import BrokerOperation
from challenges.models import Breach, ChallengeStatus, Enrollment
from challenges.services import watching
from challenges.services.watching import confirm_unit
from tests.challenges.firm import Firm


def test_many_breaches_at_one_reading_wait_for_staff(firm: Firm) -> None:
    program = firm.program()
    enrollments = [firm.challenge(program).enrollments.get() for _ in range(21)]
    for enrollment in enrollments[:20]:
        firm.trade(enrollment, equity=94000)
    firm.trade(enrollments[20], equity=99000)

    assert firm.watch() == 1

    watch = firm.unit_watch()
    assert watch.halted_at is not None
    assert watch.halt_reason == (
        "The last reading would take 20 of 21 accounts out of trading (20 failed); staff must confirm the figures."
    )
    assert not Breach.objects.exists()
    assert firm.state(enrollments[20]).last_equity == Decimal(99000)
    # It stays so, even when fewer break.
    firm.trade(enrollments[19], equity=100000)
    firm.watch()
    assert not Breach.objects.exists()
    assert firm.unit_watch().halt_reason == (
        "The last reading would take 19 of 21 accounts out of trading (19 failed); staff must confirm the figures."
    )

    confirm_unit(watch_id=watch.pk, by="ada", now=firm.clock())
    firm.watch()

    assert Breach.objects.count() == 19
    assert Enrollment.objects.filter(status=ChallengeStatus.FAILED).count() == 19
    watch = firm.unit_watch()
    assert (watch.halted_at, watch.confirmed_by) == (None, "ada")


def halted(firm: Firm) -> list[Enrollment]:
    """Twenty accounts that one reading would fail."""
    program = firm.program()
    enrollments = [firm.challenge(program).enrollments.get() for _ in range(20)]
    for enrollment in enrollments:
        firm.trade(enrollment, equity=94000)
    firm.watch()
    return enrollments


def test_what_staff_are_to_confirm_is_what_the_last_reading_showed(firm: Firm) -> None:
    enrollments = halted(firm)
    began = firm.unit_watch().halted_at
    firm.trade(enrollments[0], balance=110000, equity=110000)
    firm.watch()
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    page = reverse("admin:challenges_unitwatch_button", args=[firm.unit_watch().pk, "confirm"])
    words = "The last reading would take 20 of 20 accounts out of trading (19 failed, 1 passed); staff must confirm"
    assert words in boss.get(page).content.decode()

    for enrollment in enrollments:
        firm.trade(enrollment, balance=100000, equity=100000)
    firm.watch()

    watch = firm.unit_watch()
    assert watch.halt_reason == (
        "The last reading would take 0 of 20 accounts out of trading; staff must confirm the figures."
    )
    assert watch.halted_at == began


def test_a_reading_that_staff_overtake_gives_the_halt_that_is_over_no_reason(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    halted(firm)
    write = watching._write

    def confirm_before_writing(*args: Any) -> dict[int, str]:
        confirm_unit(watch_id=firm.unit_watch().pk, by="ada", now=firm.clock())
        return write(*args)

    monkeypatch.setattr(watching, "_write", confirm_before_writing)
    firm.watch()

    watch = firm.unit_watch()
    assert (watch.halted_at, watch.halt_reason) == (None, "")
    assert not Breach.objects.exists()


@pytest.mark.parametrize(("balance", "status"), [(94000, "paused"), (110000, "passed")])
def test_many_pauses_or_passes_at_one_reading_wait_for_staff_too(firm: Firm, balance: int, status: str) -> None:
    program = firm.program({"daily_loss_action": "pause"}, {})
    enrollments = [firm.challenge(program).enrollments.get() for _ in range(30)]
    for enrollment in enrollments:
        firm.trade(enrollment, balance=balance, equity=balance)

    assert firm.watch() == 0

    watch = firm.unit_watch()
    assert watch.halted_at is not None
    assert f"30 of 30 accounts out of trading (30 {status})" in watch.halt_reason
    # No account is disabled or closed, none is paused or passed, and none of the next phase is ordered.
    assert not BrokerOperation.objects.exists()
    assert Enrollment.objects.filter(status=ChallengeStatus.ACTIVE, is_paused=False).count() == 30

    confirm_unit(watch_id=watch.pk, by="ada", now=firm.clock())
    assert firm.watch() == 30
    assert BrokerOperation.objects.filter(kind=BrokerOperation.Kind.CLOSE_ALL).count() == 30


def test_pauses_that_are_all_lifted_as_the_day_begins_wait_for_nobody(firm: Firm) -> None:
    program = firm.program({"daily_loss_action": "pause", "max_total_loss_pct": Decimal(50)})
    enrollments = [firm.challenge(program).enrollments.get() for _ in range(20)]
    for enrollment in enrollments:
        firm.trade(enrollment, balance=94000, equity=94000)
    firm.watch()
    confirm_unit(watch_id=firm.unit_watch().pk, by="ada", now=firm.clock())
    firm.watch()
    assert Enrollment.objects.filter(is_paused=True).count() == 20

    assert firm.watch(days=1) == 20

    assert firm.unit_watch().halted_at is None
    assert not Enrollment.objects.filter(is_paused=True).exists()
