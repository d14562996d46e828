from decimal import Decimal

import pytest

from tests.challenges.rules.scenarios import broken, last, reading, run, terms

DAILY = terms(max_daily_loss_pct=5)
TOTAL = terms(max_total_loss_pct=10)


@pytest.mark.parametrize(
    ("when", "equity", "fails"),
    [
        ("below", "95000.01", False),
        ("below", "95000", False),
        ("below", "94999.99", True),
        ("below", "94999.99999999", True),
        ("at_or_below", "95000.01", False),
        ("at_or_below", "95000.00000001", False),
        ("at_or_below", "95000", True),
        ("at_or_below", "94999.99", True),
    ],
)
@pytest.mark.parametrize("rule", ["daily_loss", "total_loss"])
def test_the_cent_around_a_level_decides(rule: str, when: str, equity: str, fails: bool):
    judged = last(terms(**{f"max_{rule}_pct": 5, "breach_when": when}), reading("01-13 08:00", equity, 100_000))
    assert broken(judged) == ([(rule, 95_000, Decimal(equity), "fail")] if fails else [])
    assert judged.status == ("failed" if fails else "active")


@pytest.mark.parametrize(
    ("tested_on", "balance", "equity", "observed"),
    [
        ("equity", 94_000, 96_000, None),
        ("equity", 96_000, 94_000, 94_000),
        ("balance", 96_000, 94_000, None),
        ("balance", 94_000, 96_000, 94_000),
        ("lower", 96_000, 94_000, 94_000),
        ("lower", 94_000, 96_000, 94_000),
        ("lower", 95_000, 95_000, None),
    ],
)
def test_the_tested_value_is_the_one_named(tested_on: str, balance: int, equity: int, observed: int | None):
    judged = last(terms(max_daily_loss_pct=5, loss_tested_on=tested_on), reading("01-13 08:00", equity, balance))
    assert broken(judged) == ([] if observed is None else [("daily_loss", 95_000, observed, "fail")])


def test_limits_that_are_off_never_break():
    judged = last(terms(), reading("01-13 08:00", "-5000000"))
    assert (judged.status, broken(judged)) == ("active", [])
    assert judged.levels.daily_loss is judged.levels.total_loss is None


def test_a_one_second_dip_fails_and_no_recovery_clears_it():
    judged = run(
        DAILY,
        reading("01-13 08:00"),
        reading("01-13 08:00:01", 94_999),
        reading("01-13 08:00:02"),
        reading("01-14 08:00"),
    )
    assert [item.status for item in judged] == ["active", "failed", "failed", "failed"]
    assert [len(item.findings) for item in judged] == [0, 1, 0, 0]
    assert judged[-1].levels.daily_loss == 95_000


def test_all_limits_that_break_at_once_are_found():
    judged = last(terms(max_daily_loss_pct=5, max_total_loss_pct=10), reading("01-13 08:00", 80_000))
    assert broken(judged) == [("daily_loss", 95_000, 80_000, "fail"), ("total_loss", 90_000, 80_000, "fail")]


def test_a_limit_that_breaks_after_the_failure_is_found_too_and_once():
    both = terms(max_daily_loss_pct=5, max_total_loss_pct=10)
    readings = (reading("01-13 08:00", 94_000), reading("01-13 09:00", 89_000), reading("01-14 09:00", 50_000))
    judged = run(both, *readings)
    assert [broken(item) for item in judged] == [
        [("daily_loss", 95_000, 94_000, "fail")],
        [("total_loss", 90_000, 89_000, "fail")],
        [],
    ]


def test_the_finding_says_what_was_compared_with_what():
    (found,) = last(DAILY, reading("01-13 08:00", "94999.99")).findings
    assert found.detail == (
        "Equity 94,999.99 is below the level 95,000.00: 5 % under the equity at the day's start "
        "(balance 100,000.00 and equity 100,000.00 at the day's start, highest equity 100,000.00, "
        "initial balance 100,000.00)."
    )
    assert (found.trading_day.isoformat(), found.at.isoformat()) == ("2025-01-13", "2025-01-13T08:00:00+00:00")


@pytest.mark.parametrize(
    ("base", "level"),
    [
        ("day_start_equity", 107_000 * Decimal("0.95")),
        ("day_start_balance", Decimal(99_750)),
        ("day_start_higher", 107_000 * Decimal("0.95")),
        ("day_peak_equity", 108_000 * Decimal("0.95")),
    ],
)
def test_the_day_counts_from_its_own_base(base: str, level: Decimal):
    rules = terms(max_daily_loss_pct=5, daily_loss_base=base)
    before = (reading("01-13 08:00", 120_000, 110_000), reading("01-13 23:59:59", 107_000, 105_000))
    judged = last(rules, *before, reading("01-14 08:00", 108_000, 105_000), reading("01-14 09:00", 104_000, 105_000))
    assert judged.levels.daily_loss == level


def test_the_higher_base_takes_the_balance_when_equity_is_lower():
    rules = terms(max_daily_loss_pct=5, daily_loss_base="day_start_higher")
    judged = last(rules, reading("01-13 08:00", 99_000, 104_000), reading("01-14 08:00", 101_000))
    assert judged.levels.daily_loss == 98_800


def test_the_daily_peak_starts_anew_every_day():
    rules = terms(max_daily_loss_pct=5, daily_loss_base="day_peak_equity", daily_loss_pct_of="initial_balance")
    judged = run(
        rules, reading("01-13 08:00", 104_000), reading("01-13 20:00", 100_000), reading("01-14 08:00", 99_000)
    )
    assert [item.levels.daily_loss for item in judged] == [99_000, 99_000, 95_000]


@pytest.mark.parametrize(
    ("trail", "levels"),
    [
        ("none", [90_000, 90_000, 90_000, 90_000]),
        ("equity", [94_000, 94_000, 94_000, 94_000]),
        ("balance", [91_000, 93_000, 93_000, 93_000]),
        ("higher", [94_000, 94_000, 94_000, 94_000]),
        ("eod_balance", [90_000, 90_000, 93_000, 93_000]),
    ],
)
def test_a_trailing_level_follows_its_own_high_water_mark(trail: str, levels: list[int]):
    judged = run(
        terms(max_total_loss_pct=10, total_loss_trail=trail),
        reading("01-13 08:00", 104_000, 101_000),
        reading("01-13 12:00", 100_000, 103_000),
        reading("01-14 08:00", 99_000, 102_000),
        reading("01-14 12:00", 98_000, 100_000),
    )
    assert [item.levels.total_loss for item in judged] == levels


def test_the_higher_mark_takes_the_balance_when_equity_is_lower():
    judged = last(terms(max_total_loss_pct=10, total_loss_trail="higher"), reading("01-13 08:00", 99_000, 106_000))
    assert judged.levels.total_loss == 96_000


def test_a_new_high_raises_the_level_before_the_comparison_at_the_same_reading():
    rules = terms(max_total_loss_pct=10, total_loss_trail="balance")
    judged = last(rules, reading("01-13 08:00", 95_000, 106_000))
    assert broken(judged) == [("total_loss", 96_000, 95_000, "fail")]


def test_a_trailing_level_stops_at_its_lock():
    rules = terms(max_total_loss_pct=10, total_loss_trail="equity", total_loss_lock_pct=0)
    judged = run(
        rules, *(reading(f"01-13 {8 + step:02}:00", equity) for step, equity in enumerate((105_000, 115_000, 99_999)))
    )
    assert [item.levels.total_loss for item in judged] == [95_000, 100_000, 100_000]
    assert broken(judged[-1]) == [("total_loss", 100_000, 99_999, "fail")]


def test_a_percentage_of_the_peak_grows_with_it():
    rules = terms(max_total_loss_pct=10, total_loss_trail="equity", total_loss_pct_of="peak")
    assert last(rules, reading("01-13 08:00", 120_000)).levels.total_loss == 108_000


def test_a_total_loss_fails_once_however_long_it_lasts():
    judged = run(TOTAL, *(reading(f"01-{day} 08:00", 80_000) for day in (13, 14, 15)))
    assert [len(item.findings) for item in judged] == [1, 0, 0]
