"""Trading days, closed profit by day and the last sign of trading, from a trade list or, without one, from totals."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from challenges.rules.days import trading_day
from challenges.rules.observations import Observation, Position, Trade
from challenges.rules.state import RunningState
from programs.terms import RuleTerms


def with_activity(
    state: RunningState, terms: RuleTerms, observation: Observation, trades: Sequence[Trade] | None
) -> RunningState:
    """The state with trading days, best day and last activity brought up to the observation.

    `state` already stands in the observation's trading day but still holds the figures of the reading before.
    """
    state = replace(
        state,
        best_day_profit=max(state.best_day_profit, observation.balance - state.day_start_balance),
        last_active_at=_last_active_at(state, observation, trades),
    )
    if trades is None:
        return _counted_from_totals(state, terms, observation)
    days = counted_days(trades, observation.positions or (), observation.at, state.initial_balance, terms)
    return replace(state, trading_days=len(days), last_counted_day=max(days, default=None))


def counted_days(
    trades: Sequence[Trade], positions: Sequence[Position], at: datetime, initial_balance: Decimal, terms: RuleTerms
) -> set[date]:
    """The trading days that count by then; only what was opened or closed by then is looked at."""
    match terms.trading_day_counts:
        case "opened":
            opened = [trade.opened_at for trade in trades] + [position.opened_at for position in positions]
            return {trading_day(moment, terms) for moment in opened if moment <= at}
        case "closed":
            return set(closed_profits(trades, at, terms))
        case "profit":
            least = least_profit(initial_balance, terms)
            return {day for day, profit in closed_profits(trades, at, terms).items() if profit >= least}


def closed_profits(trades: Sequence[Trade], at: datetime, terms: RuleTerms) -> dict[date, Decimal]:
    """The profit of the trades closed by then, by the trading day on which they were closed."""
    profits: defaultdict[date, Decimal] = defaultdict(Decimal)
    for trade in trades:
        if trade.closed_at is not None and trade.closed_at <= at:
            profits[trading_day(trade.closed_at, terms)] += trade.profit
    return profits


def best_day_and_total(
    state: RunningState, terms: RuleTerms, trades: Sequence[Trade] | None
) -> tuple[Decimal, Decimal]:
    """The best day's closed profit and the total closed profit so far; without a trade list, the balance's moves."""
    if trades is None:
        return state.best_day_profit, state.last_balance - state.initial_balance
    profits = closed_profits(trades, state.known_at, terms)
    return max(profits.values(), default=Decimal(0)), sum(profits.values(), Decimal(0))


def least_profit(initial_balance: Decimal, terms: RuleTerms) -> Decimal:
    """The closed profit from which a day counts."""
    return initial_balance * terms.trading_day_min_profit_pct / 100


def _counted_from_totals(state: RunningState, terms: RuleTerms, observation: Observation) -> RunningState:
    match terms.trading_day_counts:
        case "opened":
            moments = [item.opened_at for item in observation.positions or () if item.opened_at <= observation.at]
            days = {trading_day(moment, terms) for moment in moments}
            return _counting(state, days | {state.trading_day} if observation.opened else days)
        case "closed":
            closed = observation.balance != state.last_balance
            return _counting(state, {state.trading_day} if closed else set())
        case "profit":
            profit = observation.balance - state.day_start_balance
            if profit and profit >= least_profit(state.initial_balance, terms):
                return _counting(state, {state.trading_day})
            return _taken_back(state)


def _counting(state: RunningState, days: set[date]) -> RunningState:
    """Days are counted in their order, so one at or before the last counted day has been counted already."""
    new = [day for day in days if state.last_counted_day is None or day > state.last_counted_day]
    if not new:
        return state
    return replace(state, trading_days=state.trading_days + len(new), last_counted_day=max(new))


def _taken_back(state: RunningState) -> RunningState:
    """Today's profit has shrunk below the least again. Days before today cannot come back, so none need be known."""
    if state.last_counted_day != state.trading_day:
        return state
    return replace(state, trading_days=state.trading_days - 1, last_counted_day=None)


def _last_active_at(state: RunningState, observation: Observation, trades: Sequence[Trade] | None) -> datetime:
    """Where it is not known whether positions are open, the account is taken to be active: silence breaches no one."""
    closed = trades is None and observation.balance != state.last_balance
    if observation.opened or closed or not observation.is_flat:
        return observation.at
    moments = [moment for trade in trades or () for moment in (trade.opened_at, trade.closed_at) if moment is not None]
    return max([state.last_active_at, *(moment for moment in moments if moment <= observation.at)])
