"""What holds for every series of readings and every wording of the rules.

The series are drawn alike in every run: whoever looks for others leaves out `derandomize`.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from challenges.rules import (
    Judgement,
    Levels,
    Observation,
    Position,
    RunningState,
    Trade,
    judge,
    judge_series,
    must_keep,
)
from challenges.rules.days import day_start, trading_day
from programs.terms import (
    PARAMETERS,
    RuleTerms,
    daily_loss_level,
    daily_profit_level,
    profit_target_level,
    total_loss_level,
)
from tests.challenges.rules.scenarios import INITIAL, opening, utc

START = utc("03-27 10:00")  # a few days before the clocks change in Europe

FIGURES = st.integers(8_500_000, 11_500_000).map(lambda cents: Decimal(cents) / 100)
# Whole thousands meet the levels exactly, and so does the cent on either side.
EDGES = st.tuples(st.integers(85, 115), st.sampled_from(["0", "-0.01", "0.01"])).map(
    lambda edge: Decimal(1000) * edge[0] + Decimal(edge[1])
)
AMOUNTS = st.one_of(EDGES, FIGURES)
SMALL_PERCENTAGES = st.sampled_from(["0", "1", "3", "5", "10"])
CHOICES = {
    name: st.sampled_from(list(parameter.choices)) for name, parameter in PARAMETERS.items() if parameter.choices
}
TERMS = st.fixed_dictionaries(
    {
        **CHOICES,
        "max_daily_loss_pct": SMALL_PERCENTAGES,
        "max_total_loss_pct": SMALL_PERCENTAGES,
        "total_loss_lock_pct": st.sampled_from([None, "-5", "0", "5"]),
        "profit_target_pct": SMALL_PERCENTAGES,
        "max_daily_profit_pct": SMALL_PERCENTAGES,
        "consistency_pct": st.sampled_from([None, "40", "80"]),
        "min_trading_days": st.integers(0, 3),
        "max_trading_days": st.integers(0, 4),
        "duration_days": st.sampled_from([0, 4, 8]),
        "inactivity_days": st.integers(0, 3),
        "trading_day_min_profit_pct": st.sampled_from(["0", "0.5"]),
        "weekend_holding_allowed": st.booleans(),
        "early_warning_pct": st.sampled_from(["0", "50", "80"]),
        "max_positions": st.integers(0, 2),
        "day_reset_time": st.sampled_from(["00:00", "17:00", "02:30"]),
        "day_reset_timezone": st.sampled_from(["UTC", "Europe/Prague", "America/New_York"]),
    }
).map(RuleTerms.from_mapping)


@st.composite
def totals(draw: st.DrawFn) -> list[Observation]:
    """Readings as the monitor has them: totals, and what the margin says."""
    at, found = START, []
    balance = INITIAL
    for _ in range(draw(st.integers(1, 25))):
        at += timedelta(minutes=draw(st.integers(1, 900)))
        balance = draw(st.one_of(st.just(balance), AMOUNTS))
        flat = draw(st.booleans())
        equity = balance if flat else draw(AMOUNTS)
        found.append(Observation(at=at, balance=balance, equity=equity, flat=flat, opened=draw(st.booleans())))
    return found


@st.composite
def trades(draw: st.DrawFn) -> list[Trade]:
    made = []
    for _ in range(draw(st.integers(0, 8))):
        opened_at = START + timedelta(minutes=draw(st.integers(0, 9000)))
        wait = draw(st.none() | st.integers(0, 3000))
        closed_at = None if wait is None else opened_at + timedelta(minutes=wait)
        profit = Decimal(draw(st.integers(-300_000, 600_000))) / 100
        made.append(Trade(opened_at=opened_at, closed_at=closed_at, profit=profit, lots=Decimal(1), symbol="EURUSD"))
    return made


def stored(state: RunningState) -> RunningState:
    """The state after a visit to its columns: texts and NUMERIC(24,8) figures."""
    row: dict[str, Any] = {}
    for field in fields(state):
        value = getattr(state, field.name)
        if isinstance(value, datetime):
            value = datetime.fromisoformat(value.isoformat())
        elif isinstance(value, date):
            value = date.fromisoformat(value.isoformat())
        elif isinstance(value, Decimal):
            value = Decimal(f"{value:.8f}")
        row[field.name] = value
    return RunningState(**row)


def known_by(at: datetime, made: list[Trade]) -> list[Trade]:
    """The trade list as it stood then."""
    seen = [item for item in made if item.opened_at <= at]
    return [replace(item, closed_at=None) if item.closed_at and item.closed_at > at else item for item in seen]


def one_by_one(rules: RuleTerms, readings: list[Observation], made: list[Trade] | None) -> Iterator[Judgement]:
    state = opening(rules, START.isoformat())
    for item in readings:
        judgement = judge(stored(state), rules, item, None if made is None else known_by(item.at, made))
        state = judgement.state
        yield judgement


@given(TERMS, totals(), st.none() | trades())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_one_by_one_through_the_database_equals_one_go(rules, readings, made):
    state = opening(rules, START.isoformat())
    assert list(one_by_one(rules, readings, made)) == list(judge_series(state, rules, readings, made))


def thinned(rules: RuleTerms, readings: list[Observation]) -> list[Observation]:
    """What a store keeps that drops all it may: with the readings before a boundary or finding and after a finding."""
    kept: list[Observation] = []
    state, after_finding = opening(rules, START.isoformat()), False
    for index, item in enumerate(readings):
        judgement = judge(state, rules, item)
        if index and (judgement.days or judgement.findings) and kept[-1] is not readings[index - 1]:
            kept.append(readings[index - 1])
        if must_keep(state, judgement, rules) or after_finding:
            kept.append(item)
        state, after_finding = judgement.state, bool(judgement.findings)
    return kept


@given(TERMS, totals())
@settings(max_examples=400, deadline=None, derandomize=True)
def test_a_thinned_series_leads_to_the_same_verdicts(rules, readings):
    start = opening(rules, START.isoformat())
    full, thin = (list(judge_series(start, rules, some)) for some in (readings, thinned(rules, readings)))
    assert [found for item in thin for found in item.findings] == [found for item in full for found in item.findings]
    assert [day for item in thin for day in item.days] == [day for item in full for day in item.days]
    assert (thin[-1].state.verdict, thin[-1].state.trading_days) == (
        full[-1].state.verdict,
        full[-1].state.trading_days,
    )


def test_thinning_drops_what_changes_nothing():
    rules = RuleTerms.from_mapping({"max_daily_loss_pct": 5})
    middle = [
        Observation(at=START + timedelta(minutes=minute), balance=INITIAL, equity=INITIAL - minute % 7, flat=False)
        for minute in range(1, 200)
    ]
    kept = thinned(rules, middle)
    assert [item.equity for item in kept] == [INITIAL - minute for minute in range(1, 7)]


def test_thinning_keeps_the_last_calendar_day_on_which_a_position_was_open():
    rules = RuleTerms.from_mapping(
        {"inactivity_days": 1, "day_reset_time": "17:00", "day_reset_timezone": "America/New_York"}
    )
    # Midnight in New York, 04:00 UTC, lies inside a trading day.
    times = ((28, 2, False), (28, 3, False), (28, 5, False), (28, 6, True), (30, 3, True))
    readings = [
        Observation(at=utc(f"03-{day} {hour:02}:00"), balance=INITIAL, equity=INITIAL, flat=flat)
        for day, hour, flat in times
    ]
    assert readings[2] in thinned(rules, readings)


def levels_from_history(rules: RuleTerms, readings: list[Observation]) -> Levels:
    """The levels at the last reading, told from all readings at once, as the rules page words them."""
    today = day_start(trading_day(readings[-1].at, rules), rules)
    before, during = [item for item in readings if item.at < today], [item for item in readings if item.at >= today]
    start_balance, start_equity = (before[-1].balance, before[-1].equity) if before else (INITIAL, INITIAL)
    closes = {trading_day(item.at, rules): item.balance for item in before}
    peaks = {
        "none": INITIAL,
        "equity": max(INITIAL, *(item.equity for item in readings)),
        "balance": max(INITIAL, *(item.balance for item in readings)),
        "higher": max(INITIAL, *(max(item.equity, item.balance) for item in readings)),
        "eod_balance": max([INITIAL, *closes.values()]),
    }
    return Levels(
        daily_loss=daily_loss_level(
            rules,
            initial_balance=INITIAL,
            day_start_balance=start_balance,
            day_start_equity=start_equity,
            day_peak_equity=max(start_equity, *(item.equity for item in during)),
        ),
        total_loss=total_loss_level(rules, initial_balance=INITIAL, peak=peaks[rules.total_loss_trail]),
        profit_target=profit_target_level(rules, initial_balance=INITIAL),
        daily_profit=daily_profit_level(rules, initial_balance=INITIAL, day_start_equity=start_equity),
    )


@given(TERMS, totals())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_levels_follow_from_the_history_alone(rules, readings):
    state = opening(rules, START.isoformat())
    for index, judged in enumerate(judge_series(state, rules, readings)):
        assert judged.levels == levels_from_history(rules, readings[: index + 1])


@given(TERMS, totals(), st.none() | trades())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_verdicts_latch_and_every_rule_is_found_at_most_once_a_day(rules, readings, made):
    state = opening(rules, START.isoformat())
    judged = list(judge_series(state, rules, readings, made))
    statuses = [item.status for item in judged]
    for verdict in ("passed", "failed"):
        if verdict in statuses:
            assert set(statuses[statuses.index(verdict) :]) == {verdict}
    keys = [(found.rule, found.trading_day) for item in judged for found in item.findings]
    assert len(keys) == len(set(keys))
    fails = [found.rule for item in judged for found in item.findings if found.action == "fail"]
    assert ("failed" in statuses) == bool(fails)
    assert len(fails) == len(set(fails))


@given(TERMS, st.lists(AMOUNTS, min_size=1, max_size=4), st.integers(0, 3))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_positions_that_are_unknown_never_break_a_rule_that_known_flat_ones_do_not(rules, figures, count):
    held = tuple(Position(id=str(index), symbol="EURUSD", lots=Decimal(1), opened_at=START) for index in range(count))
    item = Observation(at=START + timedelta(hours=1), balance=figures[0], equity=figures[-1], positions=held)
    state = opening(rules, START.isoformat())
    unknown, flat, known = (
        {found.rule for found in judge(state, rules, replace(item, positions=some)).findings}
        for some in (None, (), held)
    )
    assert unknown <= flat <= known
