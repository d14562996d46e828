"""The rules in plain words: the admin's preview and the evidence of a breach print these."""

from decimal import Decimal

from programs.terms.canonical import plain
from programs.terms.levels import (
    daily_loss_level,
    daily_profit_level,
    lock_level,
    profit_target_level,
    total_loss_level,
)
from programs.terms.rule_terms import RuleTerms

DAILY_BASE_WORDS = {
    "day_start_equity": "the equity at the day's start",
    "day_start_balance": "the balance at the day's start",
    "day_start_higher": "the higher of balance and equity at the day's start",
    "day_peak_equity": "the day's highest equity",
}
PEAK_WORDS = {
    "none": "the initial balance",
    "equity": "the highest equity so far",
    "balance": "the highest balance so far",
    "higher": "the highest of balance and equity so far",
    "eod_balance": "the highest balance at a day's end so far",
}
TESTED_WORDS = {"equity": "equity", "balance": "balance", "lower": "the lower of balance and equity"}
COUNTS_WORDS = {"opened": "a position was opened on it", "closed": "a position was closed on it"}


def amount_text(amount: Decimal) -> str:
    """Two decimals, and more only where they are not zero: `95000.00`, `94999.995`."""
    whole, _, fraction = plain(amount).partition(".")
    return f"{whole}.{fraction:0<2}"


def grouped(amount: Decimal) -> str:
    """The same for reading: `95,000.00`."""
    whole, _, fraction = amount_text(amount).partition(".")
    return f"{Decimal(whole):,}.{fraction}" if whole != "-0" else f"-0.{fraction}"


def sentences(terms: RuleTerms, initial_balance: Decimal, currency: str) -> list[str]:
    """What the terms mean for an account that starts with `initial_balance`, one or two sentences a rule."""
    parts = (
        _daily_loss(terms, initial_balance, currency),
        _total_loss(terms, initial_balance, currency),
        _target(terms, initial_balance, currency),
        _daily_profit(terms, initial_balance, currency),
        _consistency(terms),
        _trading_days(terms),
        *_time_limits(terms),
        _inactivity(terms),
        *_exposure(terms),
        _weekend(terms),
        _stop_loss(terms),
        _warning(terms),
        _day(terms),
    )
    return [part for part in parts if part]


def daily_share_words(terms: RuleTerms) -> str:
    """What the daily loss percentage is of: ` of the initial balance`, or nothing where it is of the base itself."""
    words = {
        "base": "",
        "initial_balance": " of the initial balance",
        "day_start_balance": " of the balance at the day's start",
    }
    return words[terms.daily_loss_pct_of]


def comparison(terms: RuleTerms) -> str:
    """`below`, or `to or below` where touching the level breaks it."""
    return "below" if terms.breach_when == "below" else "to or below"


def _daily_loss(terms: RuleTerms, initial: Decimal, currency: str) -> str:
    level = daily_loss_level(
        terms,
        initial_balance=initial,
        day_start_balance=initial,
        day_start_equity=initial,
        day_peak_equity=initial,
    )
    if level is None:
        return ""
    verb = "Fail" if terms.daily_loss_action == "fail" else "Pause until the next trading day"
    return (
        f"{verb} when {TESTED_WORDS[terms.loss_tested_on]} falls {comparison(terms)} {grouped(level)} {currency}, "
        f"{plain(terms.max_daily_loss_pct)} %{daily_share_words(terms)} under "
        f"{DAILY_BASE_WORDS[terms.daily_loss_base]}; "
        f"the figure is the first day's and is set anew every trading day."
    )


def _total_loss(terms: RuleTerms, initial: Decimal, currency: str) -> str:
    level = total_loss_level(terms, initial_balance=initial, peak=initial)
    if level is None:
        return ""
    share = " of the initial balance" if terms.total_loss_pct_of == "initial_balance" else ""
    trails = terms.total_loss_trail != "none"
    text = (
        f"Fail when {TESTED_WORDS[terms.loss_tested_on]} falls {comparison(terms)} {grouped(level)} {currency}, "
        f"{plain(terms.max_total_loss_pct)} %{share if trails else ''} under {PEAK_WORDS[terms.total_loss_trail]}"
    )
    if trails:
        text += "; the level rises with it and never falls"
        lock = lock_level(terms, initial_balance=initial)
        text += f", up to {grouped(lock)} {currency}" if lock is not None else ""
    if terms.total_loss_checked == "end_of_day":
        text += "; it is checked only on the last reading before a trading day ends"
    return f"{text}."


def _target(terms: RuleTerms, initial: Decimal, currency: str) -> str:
    target = profit_target_level(terms, initial_balance=initial)
    if target is None:
        return "There is no profit target: the phase never passes by itself."
    value = {"balance": "balance", "equity": "equity", "balance_flat": "balance, with no position open,"}
    return (
        f"Pass when {value[terms.profit_target_on]} reaches {grouped(target)} {currency}, "
        f"{plain(terms.profit_target_pct)} % over the initial balance."
    )


def _daily_profit(terms: RuleTerms, initial: Decimal, currency: str) -> str:
    level = daily_profit_level(terms, initial_balance=initial, day_start_equity=initial)
    if level is None:
        return ""
    verbs = {"pause": "Pause until the next trading day", "flag": "Record it", "fail": "Fail"}
    share = "" if terms.max_daily_profit_of == "day_start_equity" else " of the initial balance"
    return (
        f"{verbs[terms.max_daily_profit_action]} when equity rises above {grouped(level)} {currency}, "
        f"{plain(terms.max_daily_profit_pct)} %{share} over the equity at the day's start; "
        f"the figure is the first day's and is set anew every trading day."
    )


def _consistency(terms: RuleTerms) -> str:
    if terms.consistency_pct is None:
        return ""
    return (
        f"Passing and payouts wait while the best day's closed profit is more than {plain(terms.consistency_pct)} % "
        f"of the total closed profit."
    )


def _trading_days(terms: RuleTerms) -> str:
    if not terms.min_trading_days and not terms.max_trading_days:
        return ""
    if terms.trading_day_counts == "profit":
        least = terms.trading_day_min_profit_pct
        counts = f"its closed profit is at least {plain(least)} % of the initial balance"
    else:
        counts = COUNTS_WORDS[terms.trading_day_counts]
    needs = f"Passing needs at least {_days(terms.min_trading_days, 'trading')}. " if terms.min_trading_days else ""
    return f"{needs}A day counts as a trading day when {counts}."


def _time_limits(terms: RuleTerms) -> list[str]:
    limits = []
    if terms.max_trading_days:
        limits.append(_days(terms.max_trading_days, "trading"))
    if terms.duration_days:
        limits.append(_days(terms.duration_days, "calendar"))
    if terms.profit_target_pct:
        return [f"Fail after {limit} without reaching the target." for limit in limits]
    return [f"Record it for staff after {limit}; the account goes on." for limit in limits]


def _inactivity(terms: RuleTerms) -> str:
    if not terms.inactivity_days:
        return ""
    return f"Fail after {_days(terms.inactivity_days, 'whole calendar')} without a trade or an open position."


def _exposure(terms: RuleTerms) -> list[str]:
    verb = "Fail" if terms.exposure_action == "fail" else "Record it"
    texts = []
    if terms.max_positions:
        texts.append(f"{verb} when more than {terms.max_positions} positions are open.")
    if terms.max_open_lots:
        texts.append(f"{verb} when more than {plain(terms.max_open_lots)} lots are open.")
    return texts


def _weekend(terms: RuleTerms) -> str:
    if terms.weekend_holding_allowed:
        return ""
    return (
        f"Positions open after Friday {terms.weekend_cutoff:%H:%M} ({terms.day_reset_timezone}) are closed, "
        f"and it is recorded."
    )


def _stop_loss(terms: RuleTerms) -> str:
    if not terms.stop_loss_required:
        return ""
    return "Record every position without a stop-loss, where the broker reports stop-losses."


def _warning(terms: RuleTerms) -> str:
    if not terms.early_warning_pct or not (terms.max_daily_loss_pct or terms.max_total_loss_pct):
        return ""
    return f"Warn staff when {plain(terms.early_warning_pct)} % of a loss allowance is used up."


def _day(terms: RuleTerms) -> str:
    return f"A trading day starts at {terms.day_reset_time:%H:%M} {terms.day_reset_timezone} time."


def _days(count: int, kind: str) -> str:
    return f"{count} {kind} {'day' if count == 1 else 'days'}"
