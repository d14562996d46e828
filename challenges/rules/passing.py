from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import localcontext

from challenges.rules.activity import best_day_and_total
from challenges.rules.limits import levels_of
from challenges.rules.observations import Trade
from challenges.rules.state import RunningState
from programs.terms import EXACT, RuleTerms, grouped, plain


def passes(state: RunningState, terms: RuleTerms, trades: Sequence[Trade] | None) -> tuple[RunningState, str]:
    """The state, passed if everything holds; and, when the target is met but something is missing, what is."""
    if state.verdict != "active" or not target_reached(state, terms):
        return state, ""
    missing = list(_missing(state, terms, trades))
    if missing:
        return state, f"The target is met, but {'; '.join(missing)}."
    return replace(state, verdict="passed"), ""


def target_reached(state: RunningState, terms: RuleTerms) -> bool:
    """Whether the value that the terms name stands at or above the target. Target 0 is never reached."""
    target = levels_of(state, terms).profit_target
    value = state.last_equity if terms.profit_target_on == "equity" else state.last_balance
    return target is not None and value >= target


def consistency_holds(state: RunningState, terms: RuleTerms, trades: Sequence[Trade] | None) -> bool:
    """Whether the best day is a small enough share; payouts wait for it too. Without a profit there is no share."""
    if terms.consistency_pct is None:
        return True
    with localcontext(EXACT):
        best, total = best_day_and_total(state, terms, trades)
        return total > 0 and best * 100 <= terms.consistency_pct * total


def _missing(state: RunningState, terms: RuleTerms, trades: Sequence[Trade] | None) -> Iterator[str]:
    if terms.profit_target_on == "balance_flat" and not state.last_flat:
        yield "positions are still open" if state.last_flat is False else "it is not known whether positions are open"
    if state.trading_days < terms.min_trading_days:
        yield f"{state.trading_days} of {terms.min_trading_days} trading days are done"
    if terms.consistency_pct is not None and not consistency_holds(state, terms, trades):
        best, total = best_day_and_total(state, terms, trades)
        yield (
            f"the best day's profit {grouped(best)} may be at most {plain(terms.consistency_pct)} % of the total "
            f"closed profit {grouped(total)}"
        )
    if state.paused_on is not None:
        yield "the account is paused until the next trading day"
