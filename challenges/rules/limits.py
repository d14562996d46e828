"""One small function per rule: what is compared, with what, and the sentence that says so.

Each looks at the state as it stands after the reading (`last_balance`, `last_equity`, `last_flat`), and says how the
rule is broken, or None. The latest reading's positions come along for the rules that need them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from challenges.rules.days import local
from challenges.rules.judgement import Action, Levels
from challenges.rules.observations import Position
from challenges.rules.state import RunningState
from programs.terms import (
    RuleTerms,
    daily_loss_level,
    daily_profit_level,
    grouped,
    plain,
    profit_target_level,
    total_loss_level,
)
from programs.terms.sentences import DAILY_BASE_WORDS, PEAK_WORDS, TESTED_WORDS, daily_share_words

FRIDAY, SUNDAY = 4, 6

Positions = tuple[Position, ...] | None


@dataclass(frozen=True, slots=True)
class Broken:
    """How a rule is broken: the limit, what was compared with it, and the words with the numbers put in."""

    level: Decimal
    observed: Decimal
    detail: str


@dataclass(frozen=True, slots=True)
class Rule:
    """again_after: trading days after which a rule that does not fail is reported again; None: never."""

    name: str
    check: Callable[[RunningState, RuleTerms, Positions], Broken | None]
    action: Callable[[RuleTerms], Action]
    again_after: int | None = None


def levels_of(state: RunningState, terms: RuleTerms) -> Levels:
    """The levels as they stand in this state."""
    initial = state.initial_balance
    return Levels(
        daily_loss=daily_loss_level(
            terms,
            initial_balance=initial,
            day_start_balance=state.day_start_balance,
            day_start_equity=state.day_start_equity,
            day_peak_equity=state.day_peak_equity,
        ),
        total_loss=total_loss_level(terms, initial_balance=initial, peak=state.peak(terms)),
        profit_target=profit_target_level(terms, initial_balance=initial),
        daily_profit=daily_profit_level(terms, initial_balance=initial, day_start_equity=state.day_start_equity),
    )


def tested_value(state: RunningState, terms: RuleTerms) -> Decimal:
    """The value that is compared with the loss levels."""
    match terms.loss_tested_on:
        case "equity":
            return state.last_equity
        case "balance":
            return state.last_balance
        case "lower":
            return min(state.last_balance, state.last_equity)


def deadline(started_at: datetime, terms: RuleTerms) -> datetime | None:
    """When the phase runs out of time: the same local wall time `duration_days` later, in UTC. None: never."""
    if not terms.duration_days:
        return None
    return (local(started_at, terms) + timedelta(days=terms.duration_days)).astimezone(UTC)


def time_breaks_something(terms: RuleTerms, *, started_at: datetime, since: datetime, at: datetime) -> bool:
    """Whether, of two moments of one trading day, the later one may break a rule though no figure has moved between."""
    before, now = local(since, terms), local(at, terms)
    if before.date() != now.date():
        return bool(terms.inactivity_days) or not terms.weekend_holding_allowed
    end = deadline(started_at, terms)
    if end is not None and since <= end < at:
        return True
    is_cutoff = now.weekday() == FRIDAY and before.time() <= terms.weekend_cutoff < now.time()
    return is_cutoff and not terms.weekend_holding_allowed


def _daily_loss(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    level, value = levels_of(state, terms).daily_loss, tested_value(state, terms)
    if level is None or not _breaks(value, level, terms):
        return None
    formula = (
        f"{plain(terms.max_daily_loss_pct)} %{daily_share_words(terms)} "
        f"under {DAILY_BASE_WORDS[terms.daily_loss_base]} "
        f"(balance {grouped(state.day_start_balance)} and equity {grouped(state.day_start_equity)} at the day's start, "
        f"highest equity {grouped(state.day_peak_equity)}, initial balance {grouped(state.initial_balance)})"
    )
    return Broken(level, value, _loss_words(value, level, formula, terms))


def _total_loss(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    level, value = levels_of(state, terms).total_loss, tested_value(state, terms)
    if level is None or not _breaks(value, level, terms):
        return None
    share = " of the initial balance" if terms.total_loss_pct_of == "initial_balance" else ""
    lock = terms.total_loss_lock_pct
    formula = (
        f"{plain(terms.max_total_loss_pct)} %{share} under {PEAK_WORDS[terms.total_loss_trail]} "
        f"({grouped(state.peak(terms))}, initial balance {grouped(state.initial_balance)}"
        f"{'' if lock is None else f', locked at {plain(lock)} % over it'})"
    )
    return Broken(level, value, _loss_words(value, level, formula, terms))


def _breaks(value: Decimal, level: Decimal, terms: RuleTerms) -> bool:
    return value < level or (value == level and terms.breach_when == "at_or_below")


def _loss_words(value: Decimal, level: Decimal, formula: str, terms: RuleTerms) -> str:
    where = "at" if value == level else "below"
    words = TESTED_WORDS[terms.loss_tested_on].capitalize()
    return f"{words} {grouped(value)} is {where} the level {grouped(level)}: {formula}."


def _daily_profit(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    level = levels_of(state, terms).daily_profit
    if level is None or state.last_equity <= level:
        return None
    share = "" if terms.max_daily_profit_of == "day_start_equity" else " of the initial balance"
    return Broken(
        level,
        state.last_equity,
        f"Equity {grouped(state.last_equity)} is above the level {grouped(level)}: {plain(terms.max_daily_profit_pct)} "
        f"%{share} over the equity at the day's start ({grouped(state.day_start_equity)}, initial balance "
        f"{grouped(state.initial_balance)}).",
    )


def _max_positions(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    count = len(positions or ())
    if not terms.max_positions or count <= terms.max_positions:
        return None
    detail = f"{count} positions are open; at most {terms.max_positions} may be."
    return Broken(Decimal(terms.max_positions), Decimal(count), detail)


def _max_open_lots(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    lots = sum((abs(position.lots) for position in positions or ()), Decimal(0))
    if not terms.max_open_lots or lots <= terms.max_open_lots:
        return None
    detail = f"{plain(lots)} lots are open; at most {plain(terms.max_open_lots)} may be."
    return Broken(terms.max_open_lots, lots, detail)


def _duration(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    end = deadline(state.started_at, terms)
    if end is None or state.known_at <= end or state.verdict != "active":
        return None
    day = (state.known_at - end).days + terms.duration_days + 1
    detail = f"Day {day} of {terms.duration_days}: the time ended on {end:%Y-%m-%d %H:%M} UTC{_without_target(terms)}."
    return Broken(Decimal(terms.duration_days), Decimal(day), detail)


def _max_trading_days(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    used, most = state.trading_days, terms.max_trading_days
    if not most or used <= most or state.verdict != "active":
        return None
    detail = f"Trading day {used} of {most}{_without_target(terms)}."
    return Broken(Decimal(most), Decimal(used), detail)


def _inactivity(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    if not terms.inactivity_days or state.verdict != "active":
        return None
    today, last_active = local(state.known_at, terms).date(), local(state.last_active_at, terms).date()
    idle = (today - last_active).days - 1  # whole days only: neither the last active day nor today
    if idle < terms.inactivity_days:
        return None
    detail = (
        f"{idle} whole days without a trade or an open position since {last_active}; {terms.inactivity_days} end it."
    )
    return Broken(Decimal(terms.inactivity_days), Decimal(idle), detail)


def _weekend_holding(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    held = _held_over_weekend(state, terms, positions)
    if terms.weekend_holding_allowed or not held:
        return None
    cutoff = f"Friday {terms.weekend_cutoff:%H:%M} ({terms.day_reset_timezone})"
    count = "Positions are" if positions is None else f"{held} position{'s are' if held > 1 else ' is'}"
    return Broken(Decimal(0), Decimal(held), f"{count} open after {cutoff}; none may be.")


def _held_over_weekend(state: RunningState, terms: RuleTerms, positions: Positions) -> int:
    """Positions open in the weekend; 1 stands for an unknown number. Markets reopen on Sunday, so what was opened on
    Sunday is the new week's, and on that day an unknown number of positions says nothing.
    """
    now = local(state.known_at, terms)
    if now.weekday() < FRIDAY or (now.weekday() == FRIDAY and now.time() <= terms.weekend_cutoff):
        return 0
    if positions is None:
        return int(state.last_flat is False and now.weekday() != SUNDAY)
    if now.weekday() == SUNDAY:
        return sum(local(position.opened_at, terms).date() < now.date() for position in positions)
    return len(positions)


def _stop_loss(state: RunningState, terms: RuleTerms, positions: Positions) -> Broken | None:
    if not terms.stop_loss_required:
        return None
    bare = [item for item in positions or () if item.reports_stop_loss and not item.stop_loss]
    if not bare:
        return None
    names = ", ".join(f"{item.id} ({item.symbol})" for item in bare)
    return Broken(Decimal(0), Decimal(len(bare)), f"Without a stop-loss: {names}.")


def _without_target(terms: RuleTerms) -> str:
    return ", and the target is not reached" if terms.profit_target_pct else ""


def _end_of_time(terms: RuleTerms) -> Action:
    """Without a target, running out of time is only for staff to know."""
    return "fail" if terms.profit_target_pct else "flag"


DAILY_LOSS = Rule("daily_loss", _daily_loss, lambda terms: terms.daily_loss_action, again_after=1)
TOTAL_LOSS = Rule("total_loss", _total_loss, lambda terms: "fail")

RULES = (
    DAILY_LOSS,
    TOTAL_LOSS,
    Rule("daily_profit", _daily_profit, lambda terms: terms.max_daily_profit_action, again_after=1),
    Rule("max_positions", _max_positions, lambda terms: terms.exposure_action),
    Rule("max_open_lots", _max_open_lots, lambda terms: terms.exposure_action),
    Rule("duration", _duration, _end_of_time),
    Rule("max_trading_days", _max_trading_days, _end_of_time),
    Rule("inactivity", _inactivity, lambda terms: "fail"),
    # Within one weekend the trading days lie at most three apart.
    Rule("weekend_holding", _weekend_holding, lambda terms: "flag", again_after=4),
    Rule("stop_loss", _stop_loss, lambda terms: "flag", again_after=1),
)
