from decimal import Decimal

import pytest

from programs.terms import (
    RuleTerms,
    daily_loss_level,
    daily_profit_level,
    profit_target_level,
    total_loss_level,
)

INITIAL = Decimal(100_000)


def terms(**given: object) -> RuleTerms:
    return RuleTerms.from_mapping(given)


def daily_level(peak: str = "107000", **given: object) -> Decimal | None:
    """At an initial balance of 100,000, and a balance of 105,000 and equity of 107,000 at the day's start."""
    return daily_loss_level(
        terms(**given),
        initial_balance=INITIAL,
        day_start_balance=Decimal(105_000),
        day_start_equity=Decimal(107_000),
        day_peak_equity=Decimal(peak),
    )


# Six published wordings for the same state; two firms mean the same by different words.
@pytest.mark.parametrize(
    ("wording", "pct", "base", "pct_of", "level"),
    [
        (
            "5 % of the initial balance, from the day's start balance",
            5,
            "day_start_balance",
            "initial_balance",
            100_000,
        ),
        ("balance at reset minus 5 % of the account size", "5.0", "day_start_balance", "initial_balance", 100_000),
        ("5 % of the equity at the day's start", 5, "day_start_equity", "base", 101_650),
        ("5 % of the higher of balance and equity", 5, "day_start_higher", "base", 101_650),
        ("5 % of the previous day's balance", 5, "day_start_balance", "base", 99_750),
        ("4 % of the initial balance, from the higher of the two", 4, "day_start_higher", "initial_balance", 103_000),
    ],
)
def test_the_published_wordings_give_their_published_levels(
    wording: str, pct: object, base: str, pct_of: str, level: int
):
    assert daily_level(max_daily_loss_pct=pct, daily_loss_base=base, daily_loss_pct_of=pct_of) == level


@pytest.mark.parametrize(
    ("base", "pct_of", "level"),
    [
        ("day_start_equity", "base", "101650"),
        ("day_start_equity", "initial_balance", "102000"),
        ("day_start_equity", "day_start_balance", "101750"),
        ("day_start_balance", "day_start_balance", "99750"),
        ("day_start_higher", "day_start_balance", "101750"),
        ("day_peak_equity", "base", "104500"),
        ("day_peak_equity", "initial_balance", "105000"),
        ("day_peak_equity", "day_start_balance", "104750"),
    ],
)
def test_base_and_percentage_of_are_independent(base: str, pct_of: str, level: str):
    at = daily_level("110000", max_daily_loss_pct=5, daily_loss_base=base, daily_loss_pct_of=pct_of)
    assert at == Decimal(level)


@pytest.mark.parametrize(
    ("given", "peak", "level"),
    [
        ({}, "100000", "90000"),
        ({"total_loss_trail": "equity"}, "112000", "102000"),
        ({"total_loss_trail": "equity", "total_loss_pct_of": "peak"}, "112000", "100800"),
        ({"total_loss_trail": "equity", "total_loss_lock_pct": 0}, "109999.99", "99999.99"),
        ({"total_loss_trail": "equity", "total_loss_lock_pct": 0}, "110000.01", "100000"),
        ({"total_loss_trail": "equity", "total_loss_lock_pct": 5}, "120000", "105000"),
        ({"total_loss_trail": "equity", "total_loss_lock_pct": -5}, "104999", "94999"),
        ({"total_loss_trail": "equity", "total_loss_lock_pct": -5}, "120000", "95000"),
    ],
)
def test_the_total_loss_level_follows_its_peak_up_to_the_lock(given: dict[str, object], peak: str, level: str):
    at = total_loss_level(terms(max_total_loss_pct=10, **given), initial_balance=INITIAL, peak=Decimal(peak))
    assert at == Decimal(level)


def test_a_lock_under_the_first_level_does_not_lower_it():
    locked = terms(max_total_loss_pct=10, total_loss_trail="equity", total_loss_lock_pct=-50)
    assert total_loss_level(locked, initial_balance=INITIAL, peak=INITIAL) == 90_000
    assert total_loss_level(locked, initial_balance=INITIAL, peak=Decimal(150_000)) == 90_000


@pytest.mark.parametrize(("of", "level"), [("day_start_equity", "112350"), ("initial_balance", "112000")])
def test_the_daily_profit_counts_from_the_days_start_equity(of: str, level: str):
    limited = terms(max_daily_profit_pct=5, max_daily_profit_of=of)
    assert daily_profit_level(limited, initial_balance=INITIAL, day_start_equity=Decimal(107_000)) == Decimal(level)


def test_the_target_is_a_percentage_of_the_initial_balance():
    assert profit_target_level(terms(profit_target_pct=8), initial_balance=INITIAL) == 108_000


def test_what_is_off_has_no_level():
    off = terms()
    assert daily_level() is None
    assert total_loss_level(off, initial_balance=INITIAL, peak=INITIAL) is None
    assert profit_target_level(off, initial_balance=INITIAL) is None
    assert daily_profit_level(off, initial_balance=INITIAL, day_start_equity=INITIAL) is None


def test_levels_are_exact_where_the_usual_precision_would_round():
    start = Decimal("1234567890123456.12345678")
    level = daily_loss_level(
        terms(max_daily_loss_pct="3.33333333"),
        initial_balance=INITIAL,
        day_start_balance=start,
        day_start_equity=start,
        day_peak_equity=start,
    )
    # Computed apart, with fractions.
    assert level == Decimal("1193415627160493.182345669204115226")


def test_a_loss_of_everything_leaves_a_level_of_0():
    assert total_loss_level(terms(max_total_loss_pct=100), initial_balance=INITIAL, peak=INITIAL) == 0
