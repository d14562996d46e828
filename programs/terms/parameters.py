"""The parameters of a phase: the one table of names, defaults, bounds, choices and help texts.

Model fields, serializers, admin forms and the rule lab all read it; nothing repeats a default or a bound.
"""

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from types import MappingProxyType

from programs.terms.parameter import Parameter

# Counts of days and positions: far above any real program, small enough for date arithmetic and a 4-byte column.
MAX_COUNT = 100_000


def _percent(
    name: str,
    group: str,
    label: str,
    text: str,
    *,
    default: str | None = "0",
    low: int = 0,
    high: int = 100,
) -> Parameter:
    return Parameter(
        name,
        "percent",
        group,
        label,
        text,
        default=None if default is None else Decimal(default),
        minimum=Decimal(low),
        maximum=Decimal(high),
        decimals=8,
        nullable=default is None,
    )


def _count(name: str, group: str, label: str, text: str) -> Parameter:
    return Parameter(name, "count", group, label, text, default=0, minimum=Decimal(0), maximum=Decimal(MAX_COUNT))


def _choice(name: str, group: str, label: str, text: str, **choices: str) -> Parameter:
    return Parameter(name, "choice", group, label, text, default=next(iter(choices)), choices=MappingProxyType(choices))


def _flag(name: str, group: str, label: str, text: str, *, default: bool) -> Parameter:
    return Parameter(name, "flag", group, label, text, default=default)


_DAILY_LOSS = (
    _percent(
        "max_daily_loss_pct",
        "daily loss",
        "Max daily loss, %",
        "Most that may be lost within one trading day, in per cent. 0 switches the limit off.",
    ),
    _choice(
        "daily_loss_base",
        "daily loss",
        "Counted from",
        "The figure that the day's loss is counted from.",
        day_start_equity="equity at the day's start",
        day_start_balance="balance at the day's start",
        day_start_higher="the higher of balance and equity at the day's start",
        day_peak_equity="the highest equity of the day so far",
    ),
    _choice(
        "daily_loss_pct_of",
        "daily loss",
        "Percentage of",
        "What the daily loss percentage is a percentage of.",
        base="the figure that the loss is counted from",
        initial_balance="the initial balance",
        day_start_balance="the balance at the day's start",
    ),
    _choice(
        "daily_loss_action",
        "daily loss",
        "When broken",
        "Fail ends the challenge; pause closes everything and stops trading until the next trading day.",
        fail="fail",
        pause="pause until the next day",
    ),
)

_TOTAL_LOSS = (
    _percent(
        "max_total_loss_pct",
        "total loss",
        "Max total loss, %",
        "Most that may be lost overall, in per cent. 0 switches the limit off.",
    ),
    _choice(
        "total_loss_trail",
        "total loss",
        "Trails",
        "A static level stays where it began; a trailing level follows the highest value reached.",
        none="static, from the initial balance",
        equity="the highest equity seen",
        balance="the highest balance seen",
        higher="the highest of balance and equity seen",
        eod_balance="the highest balance at a day's end",
    ),
    _choice(
        "total_loss_pct_of",
        "total loss",
        "Percentage of",
        "What the total loss percentage is a percentage of.",
        initial_balance="the initial balance",
        peak="the highest value reached",
    ),
    _percent(
        "total_loss_lock_pct",
        "total loss",
        "Locks at, %",
        "A trailing level stops rising at the initial balance plus this per cent of it. 0 locks at the initial "
        "balance; empty never locks.",
        default=None,
        low=-100,
        high=1000,
    ),
    _choice(
        "total_loss_checked",
        "total loss",
        "Checked",
        "At every reading, or only on the last reading before a day ends.",
        always="always",
        end_of_day="at the end of the day",
    ),
    _choice(
        "loss_tested_on",
        "both losses",
        "Losses tested on",
        "The value that is compared with the daily and the total loss level.",
        equity="equity",
        balance="balance",
        lower="the lower of balance and equity",
    ),
    _choice(
        "breach_when",
        "both losses",
        "Broken when",
        "Whether touching a loss level already breaks it.",
        below="below the level",
        at_or_below="at or below the level",
    ),
    _percent(
        "early_warning_pct",
        "both losses",
        "Warn at, % of the allowance",
        "Staff are warned when this share of a loss allowance is used up. 0 switches the warning off.",
        default="80",
    ),
)

_PROFIT = (
    _percent(
        "profit_target_pct",
        "profit",
        "Profit target, %",
        "Profit that passes the phase, in per cent of the initial balance. 0: the phase never passes by itself.",
        high=500,
    ),
    _choice(
        "profit_target_on",
        "profit",
        "Target reached by",
        "The value that must reach the target.",
        balance="balance",
        balance_flat="balance, while no position is open",
        equity="equity",
    ),
    _percent(
        "max_daily_profit_pct",
        "profit",
        "Max daily profit, %",
        "Most that may be won within one trading day, in per cent, counted from equity at the day's start. 0 switches "
        "the limit off.",
        high=500,
    ),
    _choice(
        "max_daily_profit_of",
        "profit",
        "Percentage of",
        "What the daily profit percentage is a percentage of.",
        day_start_equity="equity at the day's start",
        initial_balance="the initial balance",
    ),
    _choice(
        "max_daily_profit_action",
        "profit",
        "When exceeded",
        "Pause stops trading until the next trading day; flag only records it; fail ends the challenge.",
        pause="pause until the next day",
        flag="record it only",
        fail="fail",
    ),
    _percent(
        "consistency_pct",
        "profit",
        "Best day at most, %",
        "The best day's closed profit may be at most this share of the total profit. Until then passing and payouts "
        "wait. Empty switches the rule off.",
        default=None,
    ),
)

_TIME = (
    _count("min_trading_days", "time", "Min trading days", "Trading days needed before the phase can pass. 0: none."),
    _count(
        "max_trading_days",
        "time",
        "Max trading days",
        "Trading days within which the target must be reached. 0: no limit.",
    ),
    _count(
        "duration_days",
        "time",
        "Duration, days",
        "Calendar days, from the start, within which the target must be reached. 0: no limit.",
    ),
    _choice(
        "trading_day_counts",
        "time",
        "A day counts when",
        "What makes a day a trading day.",
        opened="a position was opened on it",
        closed="a position was closed on it",
        profit="its closed profit was large enough",
    ),
    _percent(
        "trading_day_min_profit_pct",
        "time",
        "Closed profit of a counted day, %",
        "In per cent of the initial balance; used when a day counts by its closed profit.",
    ),
    _count(
        "inactivity_days",
        "time",
        "Max days without trading",
        "Whole calendar days without a trade or an open position that end the challenge. 0: no limit.",
    ),
)

_EXPOSURE = (
    _count("max_positions", "exposure", "Max open positions", "Most positions open at once. 0: no limit."),
    Parameter(
        "max_open_lots",
        "lots",
        "exposure",
        "Max open lots",
        "Most lots open at once, over all positions. Empty or 0: no limit.",
        default=None,
        minimum=Decimal(0),
        maximum=Decimal(100_000_000),
        decimals=8,
        nullable=True,
    ),
    _choice(
        "exposure_action",
        "exposure",
        "When exceeded",
        "Fail ends the challenge; flag only records it.",
        fail="fail",
        flag="record it only",
    ),
    _flag(
        "weekend_holding_allowed",
        "exposure",
        "Positions may stay open over the weekend",
        "If not, positions open after the Friday cutoff are closed and recorded.",
        default=True,
    ),
    Parameter(
        "weekend_cutoff",
        "time",
        "exposure",
        "Friday cutoff",
        "Local wall time on Friday, in the program's time zone, after which no position may stay open.",
        default=time(20, 0),
    ),
    _flag(
        "stop_loss_required",
        "exposure",
        "Every position needs a stop-loss",
        "Recorded when a position has none. Judged only where the broker reports stop-losses.",
        default=False,
    ),
)

_DAY = (
    Parameter(
        "day_reset_time",
        "time",
        "trading day",
        "Day starts at",
        "Local wall time at which a trading day starts.",
        default=time(0, 0),
        program_wide=True,
    ),
    Parameter(
        "day_reset_timezone",
        "zone",
        "trading day",
        "Time zone",
        "An IANA time zone such as Europe/Prague. Days of 23 and 25 hours happen.",
        default="UTC",
        program_wide=True,
    ),
)

PARAMETERS: Mapping[str, Parameter] = MappingProxyType(
    {
        parameter.name: parameter
        for group in (_DAILY_LOSS, _TOTAL_LOSS, _PROFIT, _TIME, _EXPOSURE, _DAY)
        for parameter in group
    }
)
