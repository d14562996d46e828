"""Readings of an account that starts with 100,000, as short as the stories they tell."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from challenges.rules import Judgement, Observation, Position, RunningState, Trade, judge_series
from programs.terms import RuleTerms

INITIAL = Decimal(100_000)


def utc(text: str) -> datetime:
    """`01-13 08:00` or `01-13 08:00:01` in 2025, UTC; a year in front and an offset behind are taken as they are."""
    full = text if text[:2] == "20" else f"2025-{text}"
    return datetime.fromisoformat(full if full[-6] in "+-" and full[-3] == ":" else f"{full}+00:00")


def terms(**given: object) -> RuleTerms:
    return RuleTerms.from_mapping(given)


def reading(at: str, equity: object = 100_000, balance: object | None = None, **more: Any) -> Observation:
    """The balance is the equity unless said otherwise."""
    figure = Decimal(str(equity))
    return Observation(at=utc(at), equity=figure, balance=figure if balance is None else Decimal(str(balance)), **more)


def position(opened_at: str, lots: object = 1, name: str = "1", **more: Any) -> Position:
    return Position(id=name, symbol="EURUSD", lots=Decimal(str(lots)), opened_at=utc(opened_at), **more)


def trade(opened_at: str, closed_at: str | None = None, profit: object = 0) -> Trade:
    return Trade(
        opened_at=utc(opened_at),
        closed_at=None if closed_at is None else utc(closed_at),
        profit=Decimal(str(profit)),
        lots=Decimal(1),
        symbol="EURUSD",
    )


def opening(rules: RuleTerms, started_at: str = "01-13 00:00") -> RunningState:
    return RunningState.opening(INITIAL, utc(started_at), rules)


def run(
    rules: RuleTerms,
    *readings: Observation,
    trades: Sequence[Trade] | None = None,
    started_at: str = "01-13 00:00",
) -> list[Judgement]:
    return list(judge_series(opening(rules, started_at), rules, readings, trades))


def last(rules: RuleTerms, *readings: Observation, **more: Any) -> Judgement:
    return run(rules, *readings, **more)[-1]


def broken(judgement: Judgement) -> list[tuple[object, ...]]:
    """Rule, level, observed and action of each finding."""
    return [(found.rule, found.level, found.observed, found.action) for found in judgement.findings]


def figures(*amounts: object) -> tuple[object, ...]:
    """Amounts side by side, to be compared with whole numbers as well as with Decimals."""
    return amounts
