"""The monitor with a broker whose answers are odd: silence and nonsense fail nobody."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from brokers.client.base import AccountStats, Broker
from brokers.client.errors import RefusedError
from brokers.models import BrokerOperation
from brokers.services import broker_for
from challenges.models import Breach, ChallengeStatus, Enrollment, EnrollmentState, UnitWatch
from challenges.services import watching
from challenges.services.watching import watch_unit
from programs.models import ProgramVersion
from programs.services import PhaseTerms, phase_terms
from tests.challenges.firm import Firm

Twist = Callable[[dict[int, AccountStats]], dict[int, AccountStats]]


@pytest.fixture
def twist(monkeypatch: pytest.MonkeyPatch) -> Callable[[Twist], None]:
    """Change what the real broker answers for a unit."""

    def install(change: Twist) -> None:
        class Twisted:
            def __init__(self, broker: Broker) -> None:
                self.broker = broker

            def accounts_stats(self, *, unit: int) -> dict[int, AccountStats]:
                return change(self.broker.accounts_stats(unit=unit))

            def account_stats(self, *, unit: int, login: int) -> AccountStats:
                return self.broker.account_stats(unit=unit, login=login)

        monkeypatch.setattr(watching, "broker_for", lambda of: Twisted(broker_for(of)))

    return install


def test_an_account_missing_from_the_answer_is_not_judged_and_staff_see_why(firm: Firm, twist: Any) -> None:
    enrollment = firm.enrollment()
    assert enrollment.account is not None
    login = enrollment.account.login
    firm.trade(enrollment, equity=94000)
    twist(lambda rows: {number: row for number, row in rows.items() if number != login})

    assert firm.watch() == 0

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.ACTIVE
    assert firm.unit_watch().not_judged == {str(login): "the broker's answer has no readable figures of this account"}
    assert firm.unit_watch().accounts_judged == 0


@pytest.mark.parametrize("fault", ["null_balance", "nan_balance", "numbers_as_strings", "conflicting_rows"])
def test_one_senseless_row_keeps_nobody_else_from_being_judged(firm: Firm, fault: str) -> None:
    """The simulator spoils one row of the unit, whichever: everybody else's loss still counts."""
    program = firm.program()
    enrollments = [firm.challenge(program).enrollments.get() for _ in range(4)]
    for enrollment in enrollments:
        firm.trade(enrollment, equity=94000)
    firm.simulator.faults({"endpoint": "accounts-stats", "fault": fault})

    assert firm.watch() >= 3

    assert firm.unit_watch().last_error == ""
    failed = Enrollment.objects.filter(status=ChallengeStatus.FAILED).count()
    assert failed == firm.unit_watch().accounts_judged
    assert set(Breach.objects.values_list("observed", flat=True)) == {Decimal(94000)}


def test_an_account_that_cannot_be_read_again_keeps_no_other_from_being_judged(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = firm.program()
    mute, other = (firm.challenge(program).enrollments.get() for _ in range(2))
    for enrollment in (mute, other):
        firm.trade(enrollment, balance=50000, equity=50000)
    assert mute.account is not None

    class HalfMute:
        def __init__(self, broker: Broker) -> None:
            self.broker = broker

        def accounts_stats(self, *, unit: int) -> dict[int, AccountStats]:
            return self.broker.accounts_stats(unit=unit)

        def account_stats(self, *, unit: int, login: int) -> AccountStats:
            if mute.account is not None and login == mute.account.login:
                raise RefusedError("There is no such account.")
            return self.broker.account_stats(unit=unit, login=login)

    monkeypatch.setattr(watching, "broker_for", lambda of: HalfMute(broker_for(of)))

    assert firm.watch() == 1

    mute.refresh_from_db()
    other.refresh_from_db()
    assert (mute.status, other.status) == (ChallengeStatus.ACTIVE, ChallengeStatus.FAILED)
    assert list(firm.unit_watch().not_judged) == [str(mute.account.login)]


def test_an_empty_answer_fails_nobody(firm: Firm, twist: Any) -> None:
    firm.enrollment()
    twist(lambda rows: {})

    assert firm.watch() == 0
    assert not Breach.objects.exists()


def test_zeros_in_the_list_are_checked_against_the_account_itself(firm: Firm, twist: Any) -> None:
    enrollment = firm.enrollment()
    zero = Decimal(0)
    twist(lambda rows: {login: AccountStats(login, zero, zero, zero, zero, zero) for login in rows})

    assert firm.watch() == 1

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.ACTIVE
    assert firm.state(enrollment).last_equity == Decimal(100000)


def test_a_loss_of_half_the_account_that_is_true_fails(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, balance=50000, equity=50000)

    firm.watch()

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.FAILED
    assert Breach.objects.get(rule="daily_loss").observed == Decimal(50000)


def test_a_reading_older_than_the_last_one_is_dropped(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=99000)
    firm.watch()
    firm.trade(enrollment, equity=94000)
    UnitWatch.objects.update(tried_at=None)
    firm.clock.now -= timedelta(seconds=2)

    assert watch_unit(watch_id=firm.unit_watch().pk, clock=firm.clock) == 0

    assert firm.state(enrollment).last_equity == Decimal(99000)
    assert not Breach.objects.exists()


def test_two_monitors_at_once_read_a_unit_once(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.watch()
    firm.trade(enrollment, equity=94000)
    firm.clock.pass_time(seconds=3)
    watch_id = firm.unit_watch().pk

    with ThreadPoolExecutor(max_workers=4) as pool:
        judged = list(pool.map(lambda _: _watch_in_own_connection(watch_id, firm), range(4)))

    assert sorted(judged) == [0, 0, 0, 1]
    assert Breach.objects.count() == 1


def test_two_monitors_that_judge_the_same_state_record_one_breach(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease apart: even if both have the unit, what the slower one judged is stale when it comes to write."""
    enrollment = firm.enrollment()
    firm.watch()
    firm.trade(enrollment, equity=94000)
    firm.clock.pass_time(seconds=3)
    watch = UnitWatch.objects.select_related("connection").get()
    stale = watching._open_rows(watch.connection, watch.unit)
    monkeypatch.setattr(watching, "_open_rows", lambda *_: stale)

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda _: _round_in_own_connection(watch, firm), range(4)))

    assert Breach.objects.count() == 1
    assert BrokerOperation.objects.count() == 2
    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.FAILED


def test_a_monitor_that_died_with_a_unit_in_hand_delays_it_by_a_minute(firm: Firm) -> None:
    firm.enrollment()
    firm.watch()
    UnitWatch.objects.update(leased_until=firm.clock.now + timedelta(seconds=60))

    assert firm.watch(seconds=30) == 0
    assert firm.watch(seconds=31) == 1


def test_a_unit_without_open_enrollments_is_not_read(firm: Firm, twist: Any) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.watch()

    def must_not_be_read(rows: dict[int, AccountStats]) -> dict[int, AccountStats]:
        raise AssertionError("the unit was read")

    twist(must_not_be_read)

    assert firm.watch() == 0
    assert firm.unit_watch().accounts_watched == 0


def test_one_account_that_cannot_be_judged_does_not_stop_the_others(firm: Firm) -> None:
    good, bad = firm.enrollment(), firm.enrollment()
    firm.trade(good, equity=94000)
    EnrollmentState.objects.filter(pk=bad.pk).update(found="daily_loss@never")

    firm.watch()

    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.status, bad.status) == (ChallengeStatus.FAILED, ChallengeStatus.ACTIVE)
    assert list(firm.unit_watch().not_judged) == [str(bad.challenge.account_login)]


def test_terms_that_cannot_be_read_stop_only_those_who_run_on_them(firm: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = firm.enrollment(), firm.enrollment()
    for enrollment in (good, bad):
        firm.trade(enrollment, equity=94000)

    def terms_of_others(version: ProgramVersion, phase_index: int) -> PhaseTerms:
        if version.pk == bad.challenge.program_version_id:
            raise ValueError("no such field")
        return phase_terms(version, phase_index)

    monkeypatch.setattr(watching, "phase_terms", terms_of_others)

    assert firm.watch() == 1

    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.status, bad.status) == (ChallengeStatus.FAILED, ChallengeStatus.ACTIVE)
    assert firm.unit_watch().not_judged == {str(bad.challenge.account_login): "judging failed: no such field"}


def test_whatever_keeps_a_unit_from_being_judged_is_shown_and_stops_no_other_unit(firm: Firm, twist: Any) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)

    def misread(rows: dict[int, AccountStats]) -> dict[int, AccountStats]:
        raise ArithmeticError("the password=Passw0rd! is no figure")

    twist(misread)

    assert firm.watch() == 0

    watch = firm.unit_watch()
    assert watch.last_error == "ArithmeticError: the password=*** is no figure"
    assert (watch.failing_since, watch.leased_until) == (watch.tried_at, None)
    twist(lambda rows: rows)
    assert firm.watch() == 1
    assert (firm.unit_watch().last_error, firm.unit_watch().failing_since) == ("", None)


def _watch_in_own_connection(watch_id: int, firm: Firm) -> int:
    try:
        return watch_unit(watch_id=watch_id, clock=firm.clock)
    finally:
        connection.close()


def _round_in_own_connection(watch: UnitWatch, firm: Firm) -> int:
    try:
        return watching._watch(UnitWatch.objects.select_related("connection").get(pk=watch.pk), firm.clock)
    finally:
        connection.close()
