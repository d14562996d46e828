from decimal import Decimal

import pytest

from challenges.rules import RunningState, deadline, judge
from tests.challenges.rules.scenarios import broken, last, position, reading, run, terms, trade, utc

OPEN = {"positions": (position("01-13 08:00"),)}


@pytest.mark.parametrize(("at", "findings"), [("02-12 08:00", []), ("02-12 08:00:01", [("duration", 30, 31, "fail")])])
def test_time_runs_out_the_moment_after_the_duration(at: str, findings: list[object]):
    rules = terms(profit_target_pct=10, duration_days=30)
    assert broken(last(rules, reading(at), started_at="01-13 08:00")) == findings


def test_a_duration_counts_calendar_days_of_the_zone_across_a_clock_change():
    rules = terms(duration_days=30, day_reset_timezone="Europe/Prague")
    assert deadline(utc("03-10 09:00"), rules) == utc("04-09 08:00")
    assert deadline(utc("03-10 09:00"), terms()) is None


def test_reaching_the_target_too_late_fails():
    rules = terms(profit_target_pct=10, duration_days=30)
    judged = last(rules, reading("02-13 08:00", 110_000))
    assert (judged.status, broken(judged)) == ("failed", [("duration", 30, 32, "fail")])


def test_reaching_it_at_the_last_moment_passes():
    rules = terms(profit_target_pct=10, duration_days=30)
    assert last(rules, reading("02-12 00:00", 110_000)).status == "passed"


def test_without_a_target_running_out_of_time_is_only_recorded():
    rules = terms(duration_days=30, max_trading_days=1)
    judged = run(
        rules,
        reading("01-13 08:00", opened=True),
        reading("02-13 08:00", opened=True),
        reading("02-14 08:00", opened=True),
    )
    assert [broken(item) for item in judged] == [
        [],
        [("duration", 30, 32, "flag"), ("max_trading_days", 1, 2, "flag")],
        [],
    ]
    assert judged[-1].status == "active"


def test_one_trading_day_more_than_allowed_fails():
    rules = terms(profit_target_pct=10, max_trading_days=2)
    judged = run(rules, *(reading(f"01-{day} 08:00", opened=True) for day in (13, 14, 15)))
    assert [item.status for item in judged] == ["active", "active", "failed"]
    assert broken(judged[-1]) == [("max_trading_days", 2, 3, "fail")]


@pytest.mark.parametrize(("at", "breaks"), [("01-18 23:59:59", False), ("01-19 00:00", True)])
def test_inactivity_counts_whole_calendar_days(at: str, breaks: bool):
    rules = terms(inactivity_days=5)
    judged = last(rules, reading("01-13 08:00", flat=True), reading(at, flat=True))
    assert broken(judged) == ([("inactivity", 5, 5, "fail")] if breaks else [])


def test_a_trade_an_open_position_or_a_moved_balance_is_activity():
    rules = terms(inactivity_days=5)
    end = reading("01-21 08:00", positions=())
    assert last(rules, reading("01-13 08:00", positions=()), end).status == "failed"
    assert last(rules, reading("01-18 08:00", **OPEN), end).status == "active"
    assert last(rules, end, trades=[trade("01-14 08:00", "01-16 08:00")]).status == "active"
    assert last(rules, end, trades=[trade("01-14 08:00", "01-14 09:00")]).status == "failed"
    assert (
        last(rules, reading("01-18 08:00", 100_001, flat=True), reading("01-21 08:00", 100_001, flat=True)).status
        == "active"
    )


def test_silence_about_positions_is_not_inactivity():
    judged = last(terms(inactivity_days=5), reading("01-13 08:00"), reading("03-13 08:00"))
    assert (judged.status, judged.cannot_judge) == ("active", ("inactivity",))


def test_a_failed_account_does_not_run_out_of_time_as_well():
    rules = terms(profit_target_pct=10, max_daily_loss_pct=5, duration_days=5, inactivity_days=5)
    judged = run(rules, reading("01-13 08:00", 90_000, flat=True), reading("03-13 08:00", 90_000, flat=True))
    assert [len(item.findings) for item in judged] == [1, 0]


DAYS = [
    trade("01-13 08:00", "01-15 09:00", "250"),
    trade("01-13 09:00", "01-15 10:00", "250"),
    trade("01-14 08:00", None, 0),
    trade("01-16 08:00", "01-16 09:00", "499.99"),
    trade("01-20 08:00", "01-20 09:00", "5000"),
]


@pytest.mark.parametrize(
    ("counts", "days"), [("opened", [1, 2, 2, 3]), ("closed", [0, 0, 1, 2]), ("profit", [0, 0, 1, 1])]
)
def test_days_count_by_what_was_opened_closed_or_won_by_then(counts: str, days: list[int]):
    rules = terms(trading_day_counts=counts, trading_day_min_profit_pct="0.5")
    judged = run(rules, *(reading(f"01-{day} 12:00") for day in (13, 14, 15, 16)), trades=DAYS)
    assert [item.state.trading_days for item in judged] == days


def test_a_day_whose_profit_is_lost_again_no_longer_counts():
    rules = terms(trading_day_counts="profit", trading_day_min_profit_pct="0.5")
    trades = [trade("01-13 08:00", "01-13 09:00", 500), trade("01-13 10:00", "01-13 11:00", "-0.01")]
    readings = (reading("01-13 09:30"), reading("01-13 11:30"))
    assert [item.state.trading_days for item in run(rules, *readings, trades=trades)] == [1, 0]


def test_positions_count_as_opened_even_if_the_trade_list_never_shows_them():
    rules = terms()
    judged = run(
        rules, reading("01-13 12:00", **OPEN), reading("01-14 12:00", positions=()), trades=[trade("01-14 08:00")]
    )
    assert [item.state.trading_days for item in judged] == [1, 2]


def test_positions_without_a_trade_list_count_by_the_day_they_were_opened():
    held = (position("01-13 08:00"), position("01-14 08:00", name="2"))
    judged = run(terms(), reading("01-15 12:00", positions=held), reading("01-16 12:00", positions=held))
    assert [item.state.trading_days for item in judged] == [2, 2]


def test_what_is_opened_after_the_reading_does_not_count_yet():
    judged = last(terms(), reading("01-13 07:00", **OPEN), trades=[trade("01-13 07:00:01")])
    assert judged.state.trading_days == 0


@pytest.mark.parametrize(
    ("counts", "days"), [("opened", [1, 1, 1, 2]), ("closed", [0, 0, 1, 2]), ("profit", [0, 0, 1, 1])]
)
def test_without_a_trade_list_days_are_read_off_the_totals(counts: str, days: list[int]):
    rules = terms(trading_day_counts=counts, trading_day_min_profit_pct="0.5")
    judged = run(
        rules,
        reading("01-13 08:00", opened=True),
        reading("01-13 09:00", 101_000, 100_000, opened=True),
        reading("01-14 08:00", 100_500),
        reading("01-15 08:00", 100_600, opened=True),
    )
    assert [item.state.trading_days for item in judged] == days


def test_without_a_trade_list_a_day_counts_by_profit_only_while_the_profit_lasts():
    rules = terms(trading_day_counts="profit", trading_day_min_profit_pct="0.5")
    readings = (("01-13 08:00", 100_500), ("01-13 09:00", 100_499), ("01-13 10:00", 100_500), ("01-14 08:00", 101_000))
    judged = run(rules, *(reading(at, equity) for at, equity in readings))
    assert [item.state.trading_days for item in judged] == [1, 0, 1, 2]


def test_trading_days_follow_the_programs_reset():
    rules = terms(day_reset_time="17:00", day_reset_timezone="America/New_York")
    trades = [trade("01-13 21:59"), trade("01-13 22:00"), trade("01-14 21:59")]
    assert last(rules, reading("01-15 08:00"), trades=trades).state.trading_days == 2


def test_with_a_trade_list_a_moved_balance_alone_is_no_activity():
    readings = (reading("01-18 08:00", 100_001, flat=True), reading("01-21 08:00", 100_001, flat=True))
    assert last(terms(inactivity_days=5), *readings, trades=[]).status == "failed"


def test_a_days_profit_is_compared_unrounded():
    rules = terms(trading_day_counts="profit", trading_day_min_profit_pct=100)
    initial = Decimal("1000000000000000.00000000000000000001")
    counted = []
    for profit in (initial, Decimal(10) ** 15):
        state = RunningState.opening(initial, utc("01-13 00:00"), rules)
        won = [trade("01-13 08:00", "01-13 09:00", profit)]
        counted.append(judge(state, rules, reading("01-13 10:00"), won).state.trading_days)
    assert counted == [1, 0]
