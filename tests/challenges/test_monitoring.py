from datetime import date, timedelta
from decimal import Decimal

import pytest

from brokers.models import BrokerConnection, BrokerOperation
from brokers.services import run_operation
from challenges.models import (
    Breach,
    Challenge,
    ChallengeEvent,
    ChallengeStatus,
    DailySnapshot,
    Enrollment,
    EnrollmentEvent,
    MetricSnapshot,
)
from challenges.services import watching
from propdesk.lib.times import utc_now
from tests.challenges.firm import START, Firm


def last_event(
    model: type[ChallengeEvent | EnrollmentEvent], subject_id: int
) -> tuple[int | None, int, str, str] | None:
    return model.objects.filter(subject_id=subject_id).values_list("from_status", "to_status", "actor", "reason").last()


def test_a_round_reads_the_account_and_shows_levels_and_progress(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, balance=104500, equity=104500)

    assert firm.watch() == 1

    state = firm.state(enrollment)
    assert (state.last_balance, state.last_equity) == (Decimal(104500), Decimal(104500))
    assert (state.daily_loss, state.total_loss, state.profit_target) == (95000, 90000, 108000)
    assert (state.profit_pct, state.profit_target_progress_pct) == (Decimal("4.5"), Decimal("56.25"))
    assert state.last_at is not None
    assert START < state.last_at <= firm.clock.now
    watch = firm.unit_watch()
    assert (watch.accounts_watched, watch.accounts_judged, watch.last_error) == (1, 1, "")
    assert watch.last_read_at == state.last_at


def test_an_account_on_which_nothing_moved_counts_as_judged_and_is_not_judged(
    firm: Firm, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrollment = firm.enrollment()
    firm.watch()
    before = firm.state(enrollment).last_at
    monkeypatch.setattr(watching, "judge_reading", None)

    assert firm.watch(seconds=3) == 1

    watch = firm.unit_watch()
    assert (watch.accounts_watched, watch.accounts_judged, watch.not_judged) == (1, 1, {})
    assert watch.last_read_at is not None
    assert before is not None
    assert watch.last_read_at > before == firm.state(enrollment).last_at


def test_a_cent_above_the_daily_level_nothing_happens(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity="95000.01")

    firm.watch()

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.ACTIVE
    assert not Breach.objects.exists()


def test_a_cent_below_the_daily_level_fails_the_challenge_with_its_evidence(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity="99000")
    firm.watch()
    before = firm.state(enrollment).last_at
    firm.trade(enrollment, equity="94999.99")

    firm.watch()

    breach = Breach.objects.get()
    assert (breach.rule, breach.action, breach.trading_day) == ("daily_loss", "fail", date(2026, 3, 2))
    assert (breach.level, breach.observed) == (Decimal(95000), Decimal("94999.99"))
    assert (breach.balance, breach.equity) == (Decimal(100000), Decimal("94999.99"))
    assert (breach.previous_at, breach.previous_equity) == (before, Decimal(99000))
    assert breach.at == firm.state(enrollment).last_at
    assert "94,999.99" in breach.explanation
    assert "95,000.00" in breach.explanation
    assert breach.terms_digest == enrollment.challenge.program_version.digest


def test_a_failed_challenge_is_over_with_its_last_figures_and_its_reason(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.watch()

    enrollment.refresh_from_db()
    challenge = Challenge.objects.get()
    assert (enrollment.status, enrollment.close_reason) == (ChallengeStatus.FAILED, "daily_loss")
    assert (enrollment.final_balance, enrollment.final_equity) == (Decimal(100000), Decimal(94000))
    assert challenge.status == ChallengeStatus.FAILED
    assert challenge.ended_at == enrollment.ended_at
    assert challenge.ended_at is not None
    expected = (ChallengeStatus.ACTIVE, ChallengeStatus.FAILED, "monitor", "daily_loss")
    assert last_event(ChallengeEvent, challenge.pk) == expected
    assert last_event(EnrollmentEvent, enrollment.pk) == expected


def test_the_account_of_a_failed_challenge_ends_disabled_and_flat_at_the_broker(firm: Firm) -> None:
    enrollment = firm.enrollment()
    assert enrollment.account is not None
    firm.trade(enrollment, equity=94000)
    firm.watch()

    disable = BrokerOperation.objects.get(
        kind=BrokerOperation.Kind.DISABLE, subject=f"enrollment:{enrollment.pk}:close"
    )
    run_operation(operation_id=disable.pk, clock=utc_now)

    assert set(BrokerOperation.objects.values_list("status", flat=True)) == {BrokerOperation.Status.DONE}
    account = firm.simulator.account(enrollment.account.login)
    assert (account["enabled"], account["positions"]) == (False, [])
    enrollment.account.refresh_from_db()
    assert enrollment.account.is_enabled is False


def test_a_breach_fails_once_however_often_the_account_is_looked_at(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.watch()
    firm.trade(enrollment, equity=109000)

    assert firm.watch() == 0

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.FAILED
    assert Breach.objects.count() == 1


def test_the_total_level_is_static_from_the_initial_balance(firm: Firm) -> None:
    enrollment = firm.enrollment({"max_daily_loss_pct": Decimal(0)})
    firm.trade(enrollment, equity=90000)
    firm.watch()
    assert not Breach.objects.exists()
    firm.trade(enrollment, equity="89999.99")

    firm.watch()

    breach = Breach.objects.get()
    assert (breach.rule, breach.level, breach.observed) == ("total_loss", Decimal(90000), Decimal("89999.99"))
    enrollment.refresh_from_db()
    assert enrollment.close_reason == "total_loss"


def test_two_levels_broken_at_once_are_both_recorded(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=89000)

    firm.watch()

    assert set(Breach.objects.values_list("rule", flat=True)) == {"daily_loss", "total_loss"}


def test_a_breach_wins_over_a_pass_at_the_same_reading(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, balance=109000, equity=94000)

    firm.watch()

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.FAILED
    assert Challenge.objects.get().status == ChallengeStatus.FAILED
    assert Enrollment.objects.count() == 1


def test_the_figures_next_to_a_breach_are_kept(firm: Firm) -> None:
    enrollment = firm.enrollment()
    for equity in (99000, 99500, 99400, 94000):
        firm.trade(enrollment, equity=equity)
        firm.watch()

    kept = MetricSnapshot.objects.filter(enrollment_id=enrollment.pk).order_by("at")
    # 99,500 is neither a new extreme nor due; 99,400 is only kept because the breach comes right after it.
    assert [metric.equity for metric in kept] == [99000, 99400, 94000]


def test_a_new_day_is_written_down_and_moves_the_daily_level(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, balance=104000, equity=103000)
    firm.watch()
    firm.clock.now = START.replace(hour=23, minute=59, second=50)
    firm.watch()
    firm.watch(minutes=1)

    days = list(DailySnapshot.objects.filter(enrollment=enrollment).order_by("trading_day"))
    assert [day.trading_day for day in days] == [date(2026, 3, 2), date(2026, 3, 3)]
    assert (days[1].start_balance, days[1].start_equity) == (Decimal(104000), Decimal(103000))
    assert days[1].boundary_at == START.replace(day=3, hour=0)
    assert days[1].is_late is False
    assert (days[0].low_equity, days[0].high_equity) == (Decimal(100000), Decimal(103000))
    assert (days[0].close_balance, days[0].close_equity) == (Decimal(104000), Decimal(103000))
    assert firm.state(enrollment).daily_loss == Decimal(97850)


def test_a_day_that_starts_from_an_old_figure_is_marked_late(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.watch()

    firm.watch(days=1)

    assert DailySnapshot.objects.get(enrollment=enrollment, trading_day=date(2026, 3, 3)).is_late is True


def test_an_idle_account_is_not_rewritten_at_every_round_and_keeps_a_point_a_minute(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.watch()
    first = firm.state(enrollment).last_at

    firm.watch()
    assert firm.state(enrollment).last_at == first
    for _ in range(13):
        firm.watch(seconds=10)

    assert MetricSnapshot.objects.filter(enrollment_id=enrollment.pk).count() == 3
    assert firm.clock.now - firm.state(enrollment).running_state().known_at <= timedelta(seconds=30)


def test_a_pause_disables_the_account_until_the_next_day_and_enables_it_again(firm: Firm) -> None:
    enrollment = firm.enrollment({"daily_loss_action": "pause"})
    firm.trade(enrollment, equity=94000)
    firm.watch()

    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.is_paused) == (ChallengeStatus.ACTIVE, True)
    assert Breach.objects.get().action == "pause"
    paused = BrokerOperation.objects.filter(subject=f"enrollment:{enrollment.pk}:pause:2026-03-02")
    assert set(paused.values_list("kind", flat=True)) == {"disable", "close_all"}
    firm.trade(enrollment, balance=94000, equity=94000)
    firm.watch(days=1)

    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.is_paused) == (ChallengeStatus.ACTIVE, False)
    enable = BrokerOperation.objects.get(kind=BrokerOperation.Kind.ENABLE)
    assert enable.after == paused.get(kind="close_all")


def test_a_lift_that_has_not_begun_is_dropped_when_the_challenge_fails(firm: Firm) -> None:
    enrollment = firm.enrollment({"daily_loss_action": "pause"})
    firm.trade(enrollment, equity=94000)
    firm.watch()
    firm.trade(enrollment, balance=94000, equity=94000)
    firm.watch(days=1)
    firm.trade(enrollment, balance=89000, equity=89000)
    firm.watch()

    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.FAILED
    assert BrokerOperation.objects.get(kind=BrokerOperation.Kind.ENABLE).status == BrokerOperation.Status.CANCELLED


def test_opening_a_position_counts_a_trading_day(firm: Firm) -> None:
    enrollment = firm.enrollment({"min_trading_days": 2})
    firm.watch()
    firm.trade(enrollment, balance=109000, equity=108500)
    firm.watch()

    state = firm.state(enrollment)
    assert state.trading_days == 1
    assert state.last_flat is False
    assert state.why_not_passed == "The target is met, but 1 of 2 trading days are done."
    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.ACTIVE


@pytest.mark.parametrize("fault", ["error_before", "truncate_after"])
def test_a_broker_that_does_not_answer_breaches_nobody_and_staff_see_it(firm: Firm, fault: str) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.simulator.faults({"endpoint": "accounts-stats", "fault": fault, "probability": 1})

    assert firm.watch() == 0

    watch = firm.unit_watch()
    assert watch.last_error != ""
    assert watch.failing_since == watch.tried_at
    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.ACTIVE
    firm.simulator.faults()
    assert firm.watch() == 1
    watch.refresh_from_db()
    assert (watch.last_error, watch.failing_since) == ("", None)
    enrollment.refresh_from_db()
    assert enrollment.status == ChallengeStatus.FAILED


def test_a_connection_that_is_switched_off_is_not_asked(firm: Firm) -> None:
    firm.enrollment()
    BrokerConnection.objects.update(is_enabled=False)

    assert firm.watch() == 0
    assert firm.unit_watch().tried_at is None
