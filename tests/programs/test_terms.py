from dataclasses import fields
from datetime import time
from decimal import Decimal

import pytest

from programs.terms import PARAMETERS, RuleTerms, TermsError

DEFAULTS = {
    "max_daily_loss_pct": "0",
    "daily_loss_base": "day_start_equity",
    "daily_loss_pct_of": "base",
    "daily_loss_action": "fail",
    "max_total_loss_pct": "0",
    "total_loss_trail": "none",
    "total_loss_pct_of": "initial_balance",
    "total_loss_lock_pct": None,
    "total_loss_checked": "always",
    "loss_tested_on": "equity",
    "breach_when": "below",
    "early_warning_pct": "80",
    "profit_target_pct": "0",
    "profit_target_on": "balance",
    "max_daily_profit_pct": "0",
    "max_daily_profit_of": "day_start_equity",
    "max_daily_profit_action": "pause",
    "consistency_pct": None,
    "min_trading_days": 0,
    "max_trading_days": 0,
    "duration_days": 0,
    "trading_day_counts": "opened",
    "trading_day_min_profit_pct": "0",
    "inactivity_days": 0,
    "max_positions": 0,
    "max_open_lots": None,
    "exposure_action": "fail",
    "weekend_holding_allowed": True,
    "weekend_cutoff": "20:00",
    "stop_loss_required": False,
    "day_reset_time": "00:00",
    "day_reset_timezone": "UTC",
}

CHOICES = {
    "daily_loss_base": ["day_start_equity", "day_start_balance", "day_start_higher", "day_peak_equity"],
    "daily_loss_pct_of": ["base", "initial_balance", "day_start_balance"],
    "daily_loss_action": ["fail", "pause"],
    "total_loss_trail": ["none", "equity", "balance", "higher", "eod_balance"],
    "total_loss_pct_of": ["initial_balance", "peak"],
    "total_loss_checked": ["always", "end_of_day"],
    "loss_tested_on": ["equity", "balance", "lower"],
    "breach_when": ["below", "at_or_below"],
    "profit_target_on": ["balance", "balance_flat", "equity"],
    "max_daily_profit_of": ["day_start_equity", "initial_balance"],
    "max_daily_profit_action": ["pause", "flag", "fail"],
    "trading_day_counts": ["opened", "closed", "profit"],
    "exposure_action": ["fail", "flag"],
}

BOUNDS = {
    "max_daily_loss_pct": (0, 100),
    "max_total_loss_pct": (0, 100),
    "consistency_pct": (0, 100),
    "trading_day_min_profit_pct": (0, 100),
    "early_warning_pct": (0, 100),
    "profit_target_pct": (0, 500),
    "max_daily_profit_pct": (0, 500),
    "total_loss_lock_pct": (-100, 1000),
}
COUNTS = ("min_trading_days", "max_trading_days", "duration_days", "inactivity_days", "max_positions")


def errors_of(**given: object) -> list[tuple[str, str]]:
    with pytest.raises(TermsError) as caught:
        RuleTerms.from_mapping(given)
    return caught.value.errors


def test_absent_parameters_take_the_published_defaults():
    assert RuleTerms.from_mapping({}).to_mapping() == DEFAULTS


def test_the_table_and_the_terms_name_the_same_parameters():
    assert [field.name for field in fields(RuleTerms)] == list(RuleTerms().to_mapping())
    assert set(PARAMETERS) == set(DEFAULTS)


def test_every_parameter_explains_itself_to_staff():
    for parameter in PARAMETERS.values():
        assert parameter.label
        assert parameter.help.endswith(".")
        assert parameter.group


def test_only_the_trading_day_is_set_for_the_whole_program():
    wide = [name for name, parameter in PARAMETERS.items() if parameter.program_wide]
    assert wide == ["day_reset_time", "day_reset_timezone"]


@pytest.mark.parametrize(("name", "values"), CHOICES.items())
def test_a_choice_takes_its_values_and_no_other(name: str, values: list[str]):
    assert list(PARAMETERS[name].choices) == values
    assert PARAMETERS[name].default == values[0]
    for value in values:
        assert getattr(RuleTerms.from_mapping({name: value}), name) == value
    message = f"must be one of {', '.join(values)}"
    for wrong in ("", "Equity", 1, True, ["fail"]):
        assert errors_of(**{name: wrong}) == [(name, message)]


@pytest.mark.parametrize(("name", "bounds"), BOUNDS.items())
def test_a_percentage_keeps_within_its_bounds(name: str, bounds: tuple[int, int]):
    low, high = bounds
    for value in bounds:
        assert getattr(RuleTerms.from_mapping({name: value}), name) == Decimal(value)
    message = f"must be between {low} and {high}"
    assert errors_of(**{name: Decimal(low) - Decimal("0.00000001")}) == [(name, message)]
    assert errors_of(**{name: f"{high}.00000001"}) == [(name, message)]


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_a_whole_number_of_at_least_0(name: str):
    assert getattr(RuleTerms.from_mapping({name: "30"}), name) == 30
    assert type(getattr(RuleTerms.from_mapping({name: Decimal("30.0")}), name)) is int
    assert errors_of(**{name: -1}) == [(name, "must be between 0 and 100000")]
    assert errors_of(**{name: Decimal("1.5")}) == [(name, "must be a whole number")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("NaN", "must be a number"),
        ("Infinity", "must be a number"),
        (Decimal("NaN"), "must be a finite number"),
        (Decimal("-Infinity"), "must be a finite number"),
        (5.0, "must be a number"),
        (True, "must be a number"),
        ("five", "must be a number"),
        ("", "must be a number"),
        ("1_0", "must be a number"),
        (" 5", "must be a number"),
        ("\u0665", "must be a number"),
        ("1e99999", "must be a number"),
        ("1e9999", "must be between 0 and 100"),
        ("0.123456789", "has more than 8 decimals"),
        (["5"], "must be a number"),
    ],
)
def test_a_percentage_refuses_what_is_no_plain_number(value: object, message: str):
    assert errors_of(max_daily_loss_pct=value) == [("max_daily_loss_pct", message)]


def test_off_is_one_value_however_it_is_written():
    for nothing in (None, 0, "0.00"):
        assert RuleTerms.from_mapping({"max_open_lots": nothing}).max_open_lots is None
    assert RuleTerms.from_mapping({"max_positions": None}).max_positions == 0
    assert RuleTerms.from_mapping({"consistency_pct": None}).consistency_pct is None
    assert RuleTerms.from_mapping({"total_loss_lock_pct": 0}).total_loss_lock_pct == 0
    assert RuleTerms.from_mapping({"weekend_cutoff": None}).weekend_cutoff == time(20, 0)


@pytest.mark.parametrize("value", ["25:00", "5pm", 17, "17:00+01:00", "17:00:00.5", time(17, 0, 0, 1)])
def test_a_time_is_a_wall_time_in_whole_seconds(value: object):
    assert errors_of(day_reset_time=value)[0][0] == "day_reset_time"


def test_times_are_read_and_written_as_wall_time():
    terms = RuleTerms.from_mapping({"day_reset_time": "17:00", "weekend_cutoff": time(15, 30, 5)})
    assert (terms.day_reset_time, terms.weekend_cutoff) == (time(17, 0), time(15, 30, 5))
    assert terms.to_mapping()["day_reset_time"] == "17:00"
    assert terms.to_mapping()["weekend_cutoff"] == "15:30:05"


@pytest.mark.parametrize(
    "value", ["Prague", "", "../etc/passwd", "/etc/localtime", "Europe", "localtime", "right/UTC", 1, "UTC\0"]
)
def test_a_zone_must_be_in_the_zone_database(value: object):
    assert errors_of(day_reset_timezone=value)[0][0] == "day_reset_timezone"


def test_a_flag_is_true_or_false_and_nothing_like_it():
    for wrong in (1, 0, "true", "yes"):
        assert errors_of(stop_loss_required=wrong) == [("stop_loss_required", "must be true or false")]


def test_every_bad_field_is_named_at_once():
    assert errors_of(max_dayly_loss_pct=5, profit_target_pct="x", breach_when="above", min_trading_days=3) == [
        ("max_dayly_loss_pct", "unknown parameter"),
        ("profit_target_pct", "must be a number"),
        ("breach_when", "must be one of below, at_or_below"),
    ]


def test_a_mapping_survives_the_way_there_and_back():
    given = {
        "max_daily_loss_pct": "4.5",
        "total_loss_lock_pct": "-5.25",
        "max_open_lots": "12.5",
        "consistency_pct": "30",
        "weekend_holding_allowed": False,
        "day_reset_timezone": "America/New_York",
    }
    terms = RuleTerms.from_mapping(given)
    assert terms.to_mapping() == {**DEFAULTS, **given}
    assert RuleTerms.from_mapping(terms.to_mapping()) == terms
