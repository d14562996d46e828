"""The level formulas, in exact Decimals. A level is None when its limit is switched off."""

from decimal import Context, Decimal, Inexact

from programs.terms.rule_terms import RuleTerms

# Wide enough for NUMERIC(24,8) times a percentage; a result that would still need rounding raises instead.
EXACT = Context(prec=120, traps=[Inexact])


def daily_loss_base(
    terms: RuleTerms, *, day_start_balance: Decimal, day_start_equity: Decimal, day_peak_equity: Decimal
) -> Decimal:
    """The figure that the day's loss is counted from."""
    match terms.daily_loss_base:
        case "day_start_equity":
            return day_start_equity
        case "day_start_balance":
            return day_start_balance
        case "day_start_higher":
            return max(day_start_balance, day_start_equity)
        case "day_peak_equity":
            return day_peak_equity


def daily_loss_share_base(
    terms: RuleTerms, *, base: Decimal, initial_balance: Decimal, day_start_balance: Decimal
) -> Decimal:
    """The figure that the daily loss percentage is a percentage of."""
    match terms.daily_loss_pct_of:
        case "base":
            return base
        case "initial_balance":
            return initial_balance
        case "day_start_balance":
            return day_start_balance


def daily_loss_level(
    terms: RuleTerms,
    *,
    initial_balance: Decimal,
    day_start_balance: Decimal,
    day_start_equity: Decimal,
    day_peak_equity: Decimal,
) -> Decimal | None:
    """Base minus the percentage of what it is a percentage of."""
    if not terms.max_daily_loss_pct:
        return None
    base = daily_loss_base(
        terms,
        day_start_balance=day_start_balance,
        day_start_equity=day_start_equity,
        day_peak_equity=day_peak_equity,
    )
    share_base = daily_loss_share_base(
        terms, base=base, initial_balance=initial_balance, day_start_balance=day_start_balance
    )
    return _moved(base, -terms.max_daily_loss_pct, share_base)


def total_loss_share_base(terms: RuleTerms, *, initial_balance: Decimal, peak: Decimal) -> Decimal:
    """The figure that the total loss percentage is a percentage of."""
    return initial_balance if terms.total_loss_pct_of == "initial_balance" else peak


def total_loss_level(terms: RuleTerms, *, initial_balance: Decimal, peak: Decimal) -> Decimal | None:
    """Peak minus the percentage. `peak` is the high-water mark that `total_loss_trail` names, never below the
    initial balance, or the initial balance itself for a static level.
    """
    if not terms.max_total_loss_pct:
        return None
    share_base = total_loss_share_base(terms, initial_balance=initial_balance, peak=peak)
    level = _moved(peak, -terms.max_total_loss_pct, share_base)
    lock = lock_level(terms, initial_balance=initial_balance)
    return level if lock is None else min(level, lock)


def lock_level(terms: RuleTerms, *, initial_balance: Decimal) -> Decimal | None:
    """Where the total loss level stops rising; None if it never does. Never under the level the phase begins with."""
    if terms.total_loss_lock_pct is None:
        return None
    first = _moved(initial_balance, -terms.max_total_loss_pct, initial_balance)
    return max(first, _moved(initial_balance, terms.total_loss_lock_pct, initial_balance))


def profit_target_level(terms: RuleTerms, *, initial_balance: Decimal) -> Decimal | None:
    """The balance or equity at which the target is met."""
    if not terms.profit_target_pct:
        return None
    return _moved(initial_balance, terms.profit_target_pct, initial_balance)


def daily_profit_level(terms: RuleTerms, *, initial_balance: Decimal, day_start_equity: Decimal) -> Decimal | None:
    """The equity above which the day's profit is more than allowed."""
    if not terms.max_daily_profit_pct:
        return None
    share_base = day_start_equity if terms.max_daily_profit_of == "day_start_equity" else initial_balance
    return _moved(day_start_equity, terms.max_daily_profit_pct, share_base)


def _moved(start: Decimal, pct: Decimal, of: Decimal) -> Decimal:
    """`start` plus `pct` per cent of `of`, exactly."""
    return EXACT.add(start, EXACT.multiply(of, pct).scaleb(-2, EXACT))
