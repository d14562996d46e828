from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from challenges.rules.limits import levels_of, tested_value
from challenges.rules.state import RunningState
from programs.terms import EXACT, RuleTerms, daily_loss_base, daily_loss_share_base, total_loss_share_base

EIGHT_PLACES = Decimal("0.00000001")
ROUNDING = Context(prec=120, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress block of a phase. Percentages (5 = 5 %) are rounded to eight decimals; limits of 0 are off."""

    profit_pct: Decimal
    profit_target_pct: Decimal
    profit_target_progress_pct: Decimal
    daily_loss_pct: Decimal
    daily_loss_limit_pct: Decimal
    total_loss_pct: Decimal
    total_loss_limit_pct: Decimal
    trading_days: int
    min_trading_days: int
    max_trading_days: int
    max_positions: int


def progress(state: RunningState, terms: RuleTerms) -> Progress:
    """Where the enrollment stands.

    profit_pct: of the initial balance, by the value that the target is tested on; may be negative.
    profit_target_progress_pct: 0..100 (4.5 of 8 is 56.25); 0 without a target.
    daily_loss_pct, total_loss_pct: the loss counted against the limit, never below 0, as a percentage of what the limit
        is a percentage of, so that the limit's own number is reached exactly at the level.
    """
    initial = state.initial_balance
    value = state.last_equity if terms.profit_target_on == "equity" else state.last_balance
    with localcontext(EXACT):
        gained, losses = value - initial, _losses(state, terms)
        target = initial * terms.profit_target_pct / 100
        daily_of, total_of = _share_bases(state, terms)
    return Progress(
        profit_pct=percentage(gained, initial),
        profit_target_pct=terms.profit_target_pct,
        profit_target_progress_pct=min(Decimal(100), max(Decimal(0), percentage(gained, target))),
        daily_loss_pct=max(Decimal(0), percentage(losses["daily_loss"], daily_of)),
        daily_loss_limit_pct=terms.max_daily_loss_pct,
        total_loss_pct=max(Decimal(0), percentage(losses["total_loss"], total_of)),
        total_loss_limit_pct=terms.max_total_loss_pct,
        trading_days=state.trading_days,
        min_trading_days=terms.min_trading_days,
        max_trading_days=terms.max_trading_days,
        max_positions=terms.max_positions,
    )


def percentage(part: Decimal, whole: Decimal) -> Decimal:
    """`part` as a percentage of `whole`, rounded half even to eight decimals; 0 where the whole is not above 0."""
    if whole <= 0:
        return Decimal(0)
    return ROUNDING.quantize(ROUNDING.divide(ROUNDING.multiply(part, Decimal(100)), whole), EIGHT_PLACES)


def allowances(state: RunningState, terms: RuleTerms) -> dict[str, Decimal]:
    """How much each loss limit allows to be lost, in money."""
    daily_of, total_of = _share_bases(state, terms)
    return {
        "daily_loss": daily_of * terms.max_daily_loss_pct / 100,
        "total_loss": total_of * terms.max_total_loss_pct / 100,
    }


def _losses(state: RunningState, terms: RuleTerms) -> dict[str, Decimal]:
    """The losses so far: the allowance less what remains to the level, or counted from the base where a limit is off.

    Counting from the level makes a locked level come out right: there the peak no longer says what may be lost.
    """
    levels, allowed, value = levels_of(state, terms), allowances(state, terms), tested_value(state, terms)
    daily, total = levels.daily_loss, levels.total_loss
    return {
        "daily_loss": _daily_base(state, terms) - value if daily is None else allowed["daily_loss"] - (value - daily),
        "total_loss": state.peak(terms) - value if total is None else allowed["total_loss"] - (value - total),
    }


def _daily_base(state: RunningState, terms: RuleTerms) -> Decimal:
    return daily_loss_base(
        terms,
        day_start_balance=state.day_start_balance,
        day_start_equity=state.day_start_equity,
        day_peak_equity=state.day_peak_equity,
    )


def _share_bases(state: RunningState, terms: RuleTerms) -> tuple[Decimal, Decimal]:
    """What the daily and the total loss percentages are percentages of."""
    daily = daily_loss_share_base(
        terms,
        base=_daily_base(state, terms),
        initial_balance=state.initial_balance,
        day_start_balance=state.day_start_balance,
    )
    return daily, total_loss_share_base(terms, initial_balance=state.initial_balance, peak=state.peak(terms))
