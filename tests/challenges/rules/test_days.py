from datetime import date, timedelta
from decimal import Decimal

import pytest

from challenges.rules import judge
from challenges.rules.days import day_start, trading_day
from tests.challenges.rules.scenarios import INITIAL, broken, figures, last, opening, reading, run, terms, utc

PRAGUE = terms(day_reset_timezone="Europe/Prague")
NEW_YORK = terms(day_reset_time="17:00", day_reset_timezone="America/New_York")
HALF_PAST = terms(day_reset_time="00:30")
EVENING = terms(day_reset_time="20:00", day_reset_timezone="America/New_York")


@pytest.mark.parametrize(
    ("rules", "at", "day"),
    [
        (terms(), "01-13 00:00", "2025-01-13"),
        (terms(), "01-13 23:59:59", "2025-01-13"),
        (PRAGUE, "01-12 22:59:59", "2025-01-12"),
        (PRAGUE, "01-12 23:00", "2025-01-13"),
        (PRAGUE, "07-12 22:00", "2025-07-13"),
        (HALF_PAST, "01-13 00:29:59", "2025-01-12"),
        (HALF_PAST, "01-13 00:30", "2025-01-13"),
        (NEW_YORK, "01-13 08:00", "2025-01-13"),
        (NEW_YORK, "01-13 21:59:59", "2025-01-13"),
        (NEW_YORK, "01-13 22:00", "2025-01-14"),
        (NEW_YORK, "07-13 21:00", "2025-07-14"),
        (EVENING, "01-14 00:59:59", "2025-01-13"),
        (EVENING, "01-14 01:00", "2025-01-14"),
    ],
)
def test_a_day_is_named_after_the_date_it_mostly_lies_on(rules, at: str, day: str):
    assert trading_day(utc(at), rules).isoformat() == day


@pytest.mark.parametrize(
    ("rules", "day", "hours"),
    [
        (PRAGUE, "2025-03-30", 23),
        (PRAGUE, "2025-10-26", 25),
        (PRAGUE, "2025-03-31", 24),
        (NEW_YORK, "2025-03-09", 23),
        (NEW_YORK, "2025-11-02", 25),
        (terms(day_reset_time="02:30", day_reset_timezone="Europe/Prague"), "2025-03-29", 24),
        (terms(day_reset_time="02:30", day_reset_timezone="Europe/Prague"), "2025-03-30", 23),
        (terms(day_reset_time="02:30", day_reset_timezone="Europe/Prague"), "2025-10-25", 24),
        (terms(day_reset_time="02:30", day_reset_timezone="Europe/Prague"), "2025-10-26", 25),
    ],
)
def test_days_have_23_and_25_hours_when_the_clocks_change(rules, day: str, hours: int):
    begins = date.fromisoformat(day)
    length = day_start(begins + timedelta(days=1), rules) - day_start(begins, rules)
    assert length == timedelta(hours=hours)


@pytest.mark.parametrize("zone", ["Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("reset", ["00:00", "00:30", "02:30", "11:59", "12:00", "17:00", "23:59"])
def test_every_hour_of_a_year_lies_in_exactly_one_day(zone: str, reset: str):
    rules = terms(day_reset_time=reset, day_reset_timezone=zone)
    moment = utc("01-01 00:00")
    while moment < utc("2026-01-01 00:00"):
        day = trading_day(moment, rules)
        assert day_start(day, rules) <= moment < day_start(day + timedelta(days=1), rules)
        moment += timedelta(hours=1)


def test_the_short_prague_day_begins_and_ends_on_its_own_midnights():
    rules = terms(max_daily_loss_pct=5, day_reset_timezone="Europe/Prague")
    judged = run(
        rules,
        reading("03-29 12:00", 102_000),
        reading("03-29 23:00", 101_000),
        reading("03-30 21:59:59", 99_000),
        reading("03-30 22:00", 98_000),
        started_at="03-29 12:00",
    )
    assert [item.state.trading_day.isoformat() for item in judged] == [
        "2025-03-29",
        "2025-03-30",
        "2025-03-30",
        "2025-03-31",
    ]
    assert [item.levels.daily_loss for item in judged] == [95_000, 96_900, 96_900, 94_050]


def test_the_first_day_starts_from_the_initial_balance():
    state = opening(terms(max_daily_loss_pct=5), "01-13 15:00")
    assert (state.day_start_balance, state.day_start_equity, state.trading_day) == (INITIAL, INITIAL, date(2025, 1, 13))


def test_a_boundary_takes_the_last_state_before_it_and_not_the_first_after_it():
    judged = last(terms(), reading("01-13 23:50", 103_000, 102_000), reading("01-14 00:10", 90_000, 91_000))
    (day,) = judged.days
    assert (day.trading_day, day.ended_day) == (date(2025, 1, 14), date(2025, 1, 13))
    assert figures(day.start_balance, day.start_equity) == (102_000, 103_000)
    assert (day.boundary_at, day.taken_at) == (utc("01-14 00:00"), utc("01-13 23:50"))


def test_the_ended_day_reports_its_low_and_high():
    judged = run(
        terms(),
        *(reading(f"01-13 {hour:02}:00", equity) for hour, equity in ((8, 101_000), (9, 97_000), (10, 99_000))),
        reading("01-14 08:00"),
    )
    (day,) = judged[-1].days
    assert figures(day.ended_low_equity, day.ended_high_equity, day.start_equity) == (97_000, 101_000, 99_000)
    assert judged[-1].state.day_low_equity == 99_000
    assert judged[-1].state.day_peak_equity == 100_000


def test_every_boundary_of_a_gap_has_its_own_start():
    judged = last(terms(), reading("01-13 08:00", 101_000), reading("01-16 08:00", 95_000))
    assert [day.trading_day.day for day in judged.days] == [14, 15, 16]
    assert {figures(day.start_equity, day.ended_high_equity) for day in judged.days} == {(101_000, 101_000)}


@pytest.mark.parametrize(("taken_at", "late"), [("01-13 23:58:30", False), ("01-13 23:58:29", True)])
def test_a_start_older_than_the_allowance_is_marked_late(taken_at: str, late: bool):
    rules = terms()
    first = judge(opening(rules), rules, reading(taken_at))
    second = judge(first.state, rules, reading("01-14 00:00:10"), late_after=timedelta(seconds=90))
    assert [day.late for day in second.days] == [late]


def test_without_an_allowance_nothing_is_late():
    (day,) = last(terms(), reading("01-14 08:00")).days
    assert (day.late, day.taken_at) == (False, utc("01-13 00:00"))


def test_an_end_of_day_limit_is_judged_on_the_last_state_and_nowhere_else():
    rules = terms(max_total_loss_pct=10, total_loss_checked="end_of_day")
    judged = run(
        rules,
        reading("01-13 08:00", 80_000),
        reading("01-13 23:00", 90_000),
        reading("01-14 08:00", 89_999),
        reading("01-15 08:00", 95_000),
    )
    assert [broken(item) for item in judged] == [[], [], [], [("total_loss", 90_000, 89_999, "fail")]]
    (found,) = judged[-1].findings
    assert (found.at, found.trading_day) == (utc("01-15 00:00"), date(2025, 1, 14))


def test_an_end_of_day_limit_uses_the_level_before_the_end_of_day_mark_rises():
    rules = terms(max_total_loss_pct=10, total_loss_trail="eod_balance", total_loss_checked="end_of_day")
    judged = run(rules, reading("01-13 23:00", 95_000, 110_000), reading("01-14 08:00", 95_000, 110_000))
    assert [item.status for item in judged] == ["active", "active"]
    assert judged[-1].levels.total_loss == 100_000
    assert last(rules, reading("01-13 23:00", 95_000, 110_000), reading("01-15 08:00", 100_000)).status == "failed"


def test_an_always_limit_is_judged_at_midnight_against_the_risen_end_of_day_mark():
    rules = terms(max_total_loss_pct=10, total_loss_trail="eod_balance")
    judged = run(rules, reading("01-13 23:00", 95_000, 110_000), reading("01-14 08:00", 120_000))
    assert [broken(item) for item in judged] == [[], [("total_loss", 100_000, 95_000, "fail")]]
    (found,) = judged[-1].findings
    assert (found.at, found.trading_day) == (utc("01-14 00:00"), date(2025, 1, 14))


def test_a_floating_loss_can_break_the_daily_limit_at_midnight_without_a_trade():
    rules = terms(max_daily_loss_pct=5, daily_loss_base="day_start_balance", daily_loss_pct_of="initial_balance")
    judged = run(rules, reading("01-13 23:00", 97_000, 103_000), reading("01-14 08:00", 103_000))
    assert [broken(item) for item in judged] == [[], [("daily_loss", 98_000, 97_000, "fail")]]
    assert judged[-1].findings[0].at == utc("01-14 00:00")


def test_a_boundary_break_is_found_once_though_it_lasts():
    rules = terms(max_daily_loss_pct=5, daily_loss_base="day_start_balance")
    judged = run(rules, reading("01-13 23:00", 97_000, 103_000), reading("01-16 08:00", 97_000, 103_000))
    assert len(judged[-1].findings) == 1
    assert Decimal(97_850) == judged[-1].findings[0].level
