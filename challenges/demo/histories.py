"""Made-up but consistent pasts for the demo's traders: every figure went through the very rules the monitor runs."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from challenges.rules import DayStart, Judgement, Levels, Observation, Progress, RunningState, judge, progress
from programs.terms import RuleTerms
from propdesk.lib.money import cents

OBSERVATIONS_A_DAY = 4
DAILY_MOVE_PCT = 0.9
LONGEST_DAYS = 18

FIRST_NAMES = (
    "Ada", "Ben", "Chloe", "Dario", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas",
    "Keiko", "Liam", "Mira", "Nils", "Olga", "Pavel", "Quinn", "Rosa", "Sami", "Tara",
)  # fmt: skip
LAST_NAMES = (
    "Abbot", "Brandt", "Costa", "Dvorak", "Eriksen", "Fontana", "Garcia", "Haas", "Ivanova", "Jensen",
    "Kaya", "Lopez", "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Weber",
)  # fmt: skip


@dataclass(slots=True)
class History:
    """One trader's past: the kept observations, the day starts, and the state it ends in."""

    started_at: datetime
    first_day: date
    state: RunningState
    levels: Levels
    progress: Progress
    days: list[DayStart] = field(default_factory=list)
    points: list[tuple[Observation, Judgement, Progress]] = field(default_factory=list)


def invent(*, seed: int, initial_balance: Decimal, terms: RuleTerms, until: datetime) -> History:
    """A past of up to 18 days that ends flat and undecided just before `until`; the same seed gives the same past."""
    dice = random.Random(seed)  # noqa: S311 (a made-up market, not a secret)
    days = dice.randint(1, LONGEST_DAYS)
    started_at = until - timedelta(days=days, minutes=dice.randint(1, 600))
    state = RunningState.opening(initial_balance, started_at, terms)
    first = judge(
        state,
        terms,
        Observation(at=started_at + timedelta(seconds=1), balance=initial_balance, equity=initial_balance, flat=True),
    )
    history = History(started_at, state.trading_day, first.state, first.levels, progress(first.state, terms))
    step = (until - started_at) / (days * OBSERVATIONS_A_DAY + 1)
    balance = initial_balance
    for number in range(1, days * OBSERVATIONS_A_DAY + 1):
        move = Decimal(str(dice.gauss(0.0003, DAILY_MOVE_PCT / 100 / OBSERVATIONS_A_DAY**0.5)))
        for wanted in (cents(balance * (1 + move)), balance):
            observation = Observation(
                at=started_at + step * number, balance=wanted, equity=wanted, flat=True, opened=wanted != balance
            )
            judgement = judge(history.state, terms, observation)
            if not judgement.findings and judgement.status == "active":
                _go_on(history, observation, judgement, terms)
                balance = wanted
                break
    return history


def _go_on(history: History, observation: Observation, judgement: Judgement, terms: RuleTerms) -> None:
    history.state, history.levels = judgement.state, judgement.levels
    history.progress = progress(judgement.state, terms)
    history.days.extend(judgement.days)
    history.points.append((observation, judgement, history.progress))


def names(count: int) -> list[tuple[str, str]]:
    """`count` first and last names, in a fixed order."""
    return [(FIRST_NAMES[n % 20], LAST_NAMES[(n // 20 + n) % 20]) for n in range(count)]
