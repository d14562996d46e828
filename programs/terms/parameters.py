"""The parameters of a phase: the one table of names, defaults, bounds, choices and help texts.

Model fields, serializers, admin forms and the rule lab all read it; nothing repeats a default or a bound.
"""

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from types import MappingProxyType

from programs.terms.parameter import Parameter, choice, count, flag, percent

_DAILY_LOSS = (
    percent(
        "max_daily_loss_pct",
        "daily loss",
        "Max daily loss, %",
        "Most that may be lost within one trading day, in per cent. 0 switches the limit off.",
    ),
    choice(
        "daily_loss_base",
        "daily loss",
        "Counted from",
        "The figure that the day's loss is counted from.",
        day_start_equity="equity at the day's start",
        day_start_balance="balance at the day's start",
        day_start_higher="the higher of balance and equity at the day's start",
        day_peak_equity="the highest equity of the day so far",
    ),
    choice(
        "daily_loss_pct_of",
        "daily loss",
        "Percentage of",
        "What the daily loss percentage is a percentage of.",
        base="the figure that the loss is counted from",
        initial_balance="the initial balance",
        day_start_balance="the balance at the day's start",
    ),
    choice(
        "daily_loss_action",
        "daily loss",
        "When broken",
        "Fail ends the challenge; pause closes everything and stops trading until the next trading day.",
        fail="fail",
        pause="pause until the next day",
    ),
)

_TOTAL_LOSS = (
    percent(
        "max_total_loss_pct",
        "total loss",
        "Max total loss, %",
        "Most that may be lost overall, in per cent. 0 switches the limit off.",
    ),
    choice(
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
    choice(
        "total_loss_pct_of",
        "total loss",
        "Percentage of",
        "What the total loss percentage is a percentage of.",
        initial_balance="the initial balance",
        peak="the highest value reached",
    ),
    percent(
        "total_loss_lock_pct",
        "total loss",
        "Locks at, %",
        "A trailing level stops rising at the initial balance plus this per cent of it. 0 locks at the initial "
        "balance; empty never locks.",
        default=None,
        low=-100,
        high=1000,
    ),
    choice(
        "total_loss_checked",
        "total loss",
        "Checked",
        "At every reading, or only on the last reading before a day ends.",
        always="always",
        end_of_day="at the end of the day",
    ),
    choice(
        "loss_tested_on",
        "both losses",
        "Losses tested on",
        "The value that is compared with the daily and the total loss level.",
        equity="equity",
        balance="balance",
        lower="the lower of balance and equity",
    ),
    choice(
        "breach_when",
        "both losses",
        "Broken when",
        "Whether touching a loss level already breaks it.",
        below="below the level",
        at_or_below="at or below the level",
    ),
    percent(
        "early_warning_pct",
        "both losses",
        "Warn at, % of the allowance",
        "Staff are warned when this share of a loss allowance is used up. 0 switches the warning off.",
        default="80",
    ),
)

_PROFIT = (
    percent(
        "profit_target_pct",
        "profit",
        "Profit target, %",
        "Profit that passes the phase, in per cent of the initial balance. 0: the phase never passes by itself.",
        high=500,
    ),
    choice(
        "profit_target_on",
        "profit",
        "Target reached by",
        "The value that must reach the target.",
        balance="balance",
        balance_flat="balance, while no position is open",
        equity="equity",
    ),
    percent(
        "max_daily_profit_pct",
        "profit",
        "Max daily profit, %",
        "Most that may be won within one trading day, in per cent, counted from equity at the day's start. 0 switches "
        "the limit off.",
        high=500,
    ),
    choice(
        "max_daily_profit_of",
        "profit",
        "Percentage of",
        "What the daily profit percentage is a percentage of.",
        day_start_equity="equity at the day's start",
        initial_balance="the initial balance",
    ),
    choice(
        "max_daily_profit_action",
        "profit",
        "When exceeded",
        "Pause stops trading until the next trading day; flag only records it; fail ends the challenge.",
        pause="pause until the next day",
        flag="record it only",
        fail="fail",
    ),
    percent(
        "consistency_pct",
        "profit",
        "Best day at most, %",
        "The best day's closed profit may be at most this share of the total profit. Until then passing and payouts "
        "wait. Empty switches the rule off.",
        default=None,
    ),
)

_TIME = (
    count("min_trading_days", "time", "Min trading days", "Trading days needed before the phase can pass. 0: none."),
    count(
        "max_trading_days",
        "time",
        "Max trading days",
        "Trading days within which the target must be reached. 0: no limit.",
    ),
    count(
        "duration_days",
        "time",
        "Duration, days",
        "Calendar days, from the start, within which the target must be reached. 0: no limit.",
    ),
    choice(
        "trading_day_counts",
        "time",
        "A day counts when",
        "What makes a day a trading day.",
        opened="a position was opened on it",
        closed="a position was closed on it",
        profit="its closed profit was large enough",
    ),
    percent(
        "trading_day_min_profit_pct",
        "time",
        "Closed profit of a counted day, %",
        "In per cent of the initial balance; used when a day counts by its closed profit.",
    ),
    count(
        "inactivity_days",
        "time",
        "Max days without trading",
        "Whole calendar days without a trade or an open position that end the challenge. 0: no limit.",
    ),
)

_EXPOSURE = (
    count("max_positions", "exposure", "Max open positions", "Most positions open at once. 0: no limit."),
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
    choice(
        "exposure_action",
        "exposure",
        "When exceeded",
        "Fail ends the challenge; flag only records it.",
        fail="fail",
        flag="record it only",
    ),
    flag(
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
    flag(
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
