"""A machine whose clock is wrong judges nobody, and what one has written is seen by staff."""

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from brokers.services import ClockError, leases
from challenges.models import DailySnapshot, EnrollmentState, UnitWatch
from propdesk.lib.times import utc_now
from tests.challenges.firm import Firm


def put_the_clock_on(firm: Firm, monkeypatch: pytest.MonkeyPatch, *, hours: int) -> None:
    """Of this machine, by which the monitor goes too."""
    monkeypatch.setattr(leases, "utc_now", lambda: utc_now() + timedelta(hours=hours))
    firm.clock.pass_time(hours=hours)


@pytest.mark.parametrize("units", [1, 2])
def test_a_machine_whose_clock_is_off_reads_no_unit(firm: Firm, monkeypatch: pytest.MonkeyPatch, units: int) -> None:
    enrollment = firm.enrollment()
    firm.watch()
    if units == 2:
        UnitWatch.objects.create(connection=firm.real.connection, unit=firm.real.unit)
    before, tried_at = firm.state(enrollment).last_at, firm.unit_watch().tried_at
    put_the_clock_on(firm, monkeypatch, hours=13)

    with pytest.raises(ClockError, match=r"This machine's clock is \+468\d\d\.\d s off the database's"):
        firm.watch()

    assert firm.state(enrollment).last_at == before
    assert list(DailySnapshot.objects.values_list("trading_day", flat=True)) == [date(2026, 3, 2)]
    watch = firm.unit_watch()
    assert (watch.tried_at, watch.leased_until, watch.failing_since) == (tried_at, None, None)
    # The machine that goes right goes on as if nothing had been.
    monkeypatch.undo()
    firm.clock.pass_time(hours=-13)
    assert firm.watch() == 1


def test_an_account_that_was_observed_in_the_future_is_not_judged_and_staff_see_why(firm: Firm) -> None:
    early, other = firm.enrollment(), firm.enrollment()
    EnrollmentState.objects.filter(pk=early.pk).update(last_at="2026-03-02 19:00:00Z")

    assert firm.watch() == 1

    watch, login = firm.unit_watch(), early.challenge.account_login
    why = "last observed later than now, at 2026-03-02 19:00:00 UTC: it is judged again from then on"
    assert (watch.accounts_watched, watch.accounts_judged, watch.not_judged) == (2, 1, {str(login): why})
    assert firm.state(other).last_at == watch.last_read_at
    UnitWatch.objects.update(last_read_at=utc_now())
    boss = Client()
    boss.force_login(User.objects.create_superuser("boss"))
    shown = boss.get(reverse("admin:challenges_unitwatch_changelist")).content.decode()
    assert "not all judged" in shown
    assert f"Account {login}: {why}" in shown


@pytest.mark.parametrize(("seconds", "is_told"), [(0.001, False), (4, False), (4.1, True)])
def test_a_monitor_that_was_merely_quicker_alarms_nobody(firm: Firm, seconds: float, is_told: bool) -> None:
    """By microseconds, or on a machine with another clock: each may be two seconds off the database's time."""
    enrollment = firm.enrollment()
    read_at = firm.clock.now + timedelta(seconds=3)
    EnrollmentState.objects.filter(pk=enrollment.pk).update(last_at=read_at + timedelta(seconds=seconds))

    assert firm.watch() == 0

    assert bool(firm.unit_watch().not_judged) is is_told
