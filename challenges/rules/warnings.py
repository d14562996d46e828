from challenges.rules.judgement import Finding
from challenges.rules.limits import Positions, levels_of, tested_value
from challenges.rules.progress import allowances
from challenges.rules.state import RunningState
from programs.terms import RuleTerms, grouped, plain


def early_warnings(state: RunningState, terms: RuleTerms) -> tuple[RunningState, tuple[Finding, ...]]:
    """Loss allowances used up to the warning's share and not yet broken, once per trading day each."""
    if state.verdict != "active" or not terms.early_warning_pct:
        return state, ()
    levels, value = levels_of(state, terms), tested_value(state, terms)
    warnings: list[Finding] = []
    for rule, level in (("daily_loss", levels.daily_loss), ("total_loss", levels.total_loss)):
        mark = f"{rule}_warning"
        if level is None or state.trading_day in (state.found_on(rule), state.found_on(mark)):
            continue
        allowance = allowances(state, terms)[rule]
        used = allowance - (value - level)
        if allowance <= 0 or used * 100 < terms.early_warning_pct * allowance:
            continue
        state = state.with_found(mark, state.trading_day)
        warnings.append(
            Finding(
                rule=rule,
                level=level,
                observed=value,
                action="warn",
                trading_day=state.trading_day,
                at=state.known_at,
                detail=f"{grouped(used)} of the {grouped(allowance)} that may be lost is used up, "
                f"{plain(terms.early_warning_pct)} % or more; the level is {grouped(level)}.",
            )
        )
    return state, tuple(warnings)


def cannot_judge(state: RunningState, terms: RuleTerms, positions: Positions) -> tuple[str, ...]:
    """The rules that are switched on and that the last reading had no data for."""
    unlisted = positions is None and not state.last_flat
    unknown = state.last_flat is None
    silent = unlisted or any(not position.reports_stop_loss for position in positions or ())
    blind = {
        "profit_target": unknown and bool(terms.profit_target_pct) and terms.profit_target_on == "balance_flat",
        "max_positions": unlisted and bool(terms.max_positions),
        "max_open_lots": unlisted and bool(terms.max_open_lots),
        "inactivity": unknown and bool(terms.inactivity_days),
        "weekend_holding": unknown and not terms.weekend_holding_allowed,
        "stop_loss": silent and terms.stop_loss_required,
    }
    return tuple(rule for rule, is_blind in blind.items() if is_blind)
