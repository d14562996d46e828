import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from challenges.rules import Observation, ObservationOutOfOrderError, RunningState, judge, progress
from tests.challenges.rules.scenarios import figures, last, opening, reading, run, terms, utc

RULES = terms(max_daily_loss_pct=5, max_total_loss_pct=10, profit_target_pct=8, min_trading_days=5, max_positions=10)


def test_an_older_reading_is_refused():
    state = judge(opening(RULES), RULES, reading("01-13 08:00")).state
    with pytest.raises(ObservationOutOfOrderError, match="2025-01-13T07:59:59"):
        judge(state, RULES, reading("01-13 07:59:59"))


def test_a_reading_from_before_the_start_is_refused():
    with pytest.raises(ObservationOutOfOrderError):
        judge(opening(RULES, "01-13 08:00"), RULES, reading("01-13 07:59:59"))


def test_the_same_reading_twice_changes_nothing_more():
    breaking = reading("01-13 08:00", 80_000, opened=True)
    first = judge(opening(RULES), RULES, breaking)
    second = judge(first.state, RULES, breaking)
    assert second.state == first.state
    assert (len(first.findings), second.findings, second.days) == (2, (), ())


def test_a_second_reading_of_the_same_moment_is_judged():
    judged = run(RULES, reading("01-13 08:00"), reading("01-13 08:00", 80_000))
    assert [item.status for item in judged] == ["active", "failed"]


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_figures_that_are_not_finite_are_refused(figure: str):
    with pytest.raises(ValueError, match="must be finite"):
        judge(opening(RULES), RULES, replace(reading("01-13 08:00"), equity=Decimal(figure)))


def test_a_time_without_a_zone_is_refused():
    naive = Observation(at=datetime(2025, 1, 13, 8), balance=Decimal(1), equity=Decimal(1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="no zone"):
        judge(opening(RULES), RULES, naive)


@pytest.mark.parametrize("balance", ["0", "-1"])
def test_an_enrollment_cannot_start_without_money(balance: str):
    with pytest.raises(ValueError, match="above 0"):
        RunningState.opening(Decimal(balance), utc("01-13 08:00"), RULES)


def test_figures_wider_than_the_usual_precision_are_compared_unrounded():
    rules = terms(max_daily_loss_pct="3.33333333")
    start = Decimal("1234567890123456.12345678")
    level = Decimal("1193415627160493.182345669204115226")
    for equity, status in ((level, "active"), (level - Decimal("1e-18"), "failed")):
        state = RunningState.opening(start, utc("01-13 00:00"), rules)
        judged = judge(state, rules, Observation(at=utc("01-13 08:00"), balance=start, equity=equity))
        assert (judged.levels.daily_loss, judged.status) == (level, status)


def test_what_was_found_is_remembered_by_rule():
    state = opening(RULES).with_found("daily_loss", date(2025, 1, 13)).with_found("total_loss", date(2025, 1, 13))
    state = state.with_found("daily_loss", date(2025, 1, 14))
    assert state.found == "total_loss@2025-01-13 daily_loss@2025-01-14"
    assert state.found_on("daily_loss") == date(2025, 1, 14)
    assert state.found_on("daily") is None


def test_progress_is_the_documented_arithmetic():
    judged = last(RULES, reading("01-13 08:00", 104_500, opened=True))
    shown = progress(judged.state, RULES)
    assert figures(shown.profit_pct, shown.profit_target_pct, shown.profit_target_progress_pct) == (
        Decimal("4.5"),
        8,
        Decimal("56.25"),
    )
    assert figures(shown.daily_loss_pct, shown.daily_loss_limit_pct) == (0, 5)
    assert figures(shown.total_loss_pct, shown.total_loss_limit_pct) == (0, 10)
    assert (shown.trading_days, shown.min_trading_days, shown.max_trading_days, shown.max_positions) == (1, 5, 0, 10)


@pytest.mark.parametrize(
    ("equity", "daily", "total", "target"),
    [("97000", "3", "3", "0"), ("95000", "5", "5", "0"), ("101000", "0", "0", "12.5"), ("120000", "0", "0", "100")],
)
def test_losses_and_target_progress_stay_within_their_ends(equity: str, daily: str, total: str, target: str):
    shown = progress(last(RULES, reading("01-13 08:00", equity)).state, RULES)
    assert (shown.daily_loss_pct, shown.total_loss_pct) == (Decimal(daily), Decimal(total))
    assert shown.profit_target_progress_pct == Decimal(target)


def test_a_loss_is_a_percentage_of_what_its_limit_is_a_percentage_of():
    rules = terms(max_daily_loss_pct=5, daily_loss_base="day_start_equity", daily_loss_pct_of="initial_balance")
    judged = last(rules, reading("01-13 08:00", 110_000), reading("01-14 08:00", 107_000))
    assert progress(judged.state, rules).daily_loss_pct == 3


def test_a_locked_level_is_reached_at_its_own_limit():
    rules = terms(max_total_loss_pct=10, total_loss_trail="equity", total_loss_lock_pct=0)
    judged = run(
        rules, reading("01-13 08:00", 130_000), reading("01-13 09:00", 104_000), reading("01-13 10:00", 100_000)
    )
    assert [progress(item.state, rules).total_loss_pct for item in judged] == [0, 6, 10]


def test_losses_are_shown_without_limits_too():
    shown = progress(last(terms(), reading("01-13 08:00", 97_000)).state, terms())
    assert figures(shown.daily_loss_pct, shown.total_loss_pct, shown.daily_loss_limit_pct) == (3, 3, 0)
    assert figures(shown.profit_pct, shown.profit_target_progress_pct) == (-3, 0)


def test_percentages_are_rounded_to_eight_decimals():
    state = RunningState.opening(Decimal(30_000), utc("01-13 00:00"), RULES)
    judged = judge(state, RULES, Observation(at=utc("01-13 08:00"), balance=Decimal(30_001), equity=Decimal(30_001)))
    assert progress(judged.state, RULES).profit_pct == Decimal("0.00333333")


@pytest.mark.parametrize("module", ["programs.terms", "challenges.rules", "challenges.rules.lab"])
def test_the_rules_know_no_framework(module: str):
    seen = f"import sys, {module}; print(sorted({{'django', 'celery', 'requests'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True).stdout == "[]\n"
