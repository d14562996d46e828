"""How far an enrollment is from its levels: what customers and staff look at first."""

from decimal import Decimal

from challenges.rules import Levels, RunningState, levels_of
from challenges.rules.limits import tested_value
from programs.terms import RuleTerms


def remaining(state: RunningState, terms: RuleTerms) -> Levels:
    """What is left to each level, in money: to lose, or to win. Below 0: beyond the level. None: the limit is off."""
    levels, tested = levels_of(state, terms), tested_value(state, terms)
    target_value = state.last_equity if terms.profit_target_on == "equity" else state.last_balance
    return Levels(
        daily_loss=_difference(tested, levels.daily_loss),
        total_loss=_difference(tested, levels.total_loss),
        profit_target=_difference(levels.profit_target, target_value),
        daily_profit=_difference(levels.daily_profit, state.last_equity),
    )


def _difference(upper: Decimal | None, lower: Decimal | None) -> Decimal | None:
    return None if upper is None or lower is None else upper - lower
