from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from challenges.rules.state import RunningState

Action = Literal["fail", "pause", "flag", "warn"]
Status = Literal["active", "paused", "passed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The figures that the limits stand at, unrounded; None where a limit is off. `daily_profit` is an equity."""

    daily_loss: Decimal | None
    total_loss: Decimal | None
    profit_target: Decimal | None
    daily_profit: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A broken rule, reported when it is first seen broken.

    rule: daily_loss, total_loss, daily_profit, max_positions, max_open_lots, duration, max_trading_days, inactivity,
        weekend_holding or stop_loss. A rule is found at most once per trading day, and one that fails only once.
    level, observed: the limit and what was compared with it (amounts, counts, lots or days).
    action: fail, pause or flag; warn only in `Judgement.warnings`.
    trading_day, at: of the observation, or of the day boundary on which the last state was judged.
    detail: the formula with the numbers put in.
    """

    rule: str
    level: Decimal
    observed: Decimal
    action: Action
    trading_day: date
    at: datetime
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStart:
    """One day boundary that was passed: how the new day starts, and how the day before it went.

    The start values are the last state known before the boundary (`taken_at`); they are also the close of the day
    before. `late`: that state is older than the monitor allows.
    """

    trading_day: date
    boundary_at: datetime
    start_balance: Decimal
    start_equity: Decimal
    taken_at: datetime
    late: bool
    ended_day: date
    ended_low_equity: Decimal
    ended_high_equity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one observation led to.

    state: to be carried to the next observation.
    days: one per boundary passed, oldest first.
    levels: as they stand after the observation.
    findings: rules seen broken for the first time (for daily rules: that trading day), in the order of judging.
    warnings: loss allowances used up to `early_warning_pct`, once per trading day each.
    status: the verdict, or paused.
    why_not_passed: the target is met, but something else is missing; "" otherwise.
    cannot_judge: rules that are switched on and that this observation has no data for.
    """

    state: RunningState
    days: tuple[DayStart, ...]
    levels: Levels
    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    status: Status
    why_not_passed: str
    cannot_judge: tuple[str, ...]
