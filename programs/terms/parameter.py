from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

# Counts of days and positions: far above any real program, small enough for date arithmetic and a 4-byte column.
MAX_COUNT = 100_000

Kind = Literal["percent", "lots", "count", "choice", "flag", "time", "zone"]
Value = Decimal | int | str | bool | time | None

DailyLossBase = Literal["day_start_equity", "day_start_balance", "day_start_higher", "day_peak_equity"]
DailyLossPctOf = Literal["base", "initial_balance", "day_start_balance"]
DailyLossAction = Literal["fail", "pause"]
TotalLossTrail = Literal["none", "equity", "balance", "higher", "eod_balance"]
TotalLossPctOf = Literal["initial_balance", "peak"]
TotalLossChecked = Literal["always", "end_of_day"]
LossTestedOn = Literal["equity", "balance", "lower"]
BreachWhen = Literal["below", "at_or_below"]
ProfitTargetOn = Literal["balance", "balance_flat", "equity"]
MaxDailyProfitOf = Literal["day_start_equity", "initial_balance"]
MaxDailyProfitAction = Literal["pause", "flag", "fail"]
TradingDayCounts = Literal["opened", "closed", "profit"]
ExposureAction = Literal["fail", "flag"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a phase.

    kind: percent and lots are Decimals, count an int, choice a str, flag a bool, time a wall time, zone an IANA name.
    default: the value when absent. choices: stored value -> label, the default first.
    minimum, maximum: inclusive bounds of numbers. decimals: most decimal places of a Decimal.
    nullable: null is a value of its own (off); elsewhere a null means the default.
    program_wide: set once per program, not per phase.
    """

    name: str
    kind: Kind
    group: str
    label: str
    help: str
    default: Value
    choices: Mapping[str, str] = field(default_factory=dict)
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    decimals: int = 0
    nullable: bool = False
    program_wide: bool = False


def percent(
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


def count(name: str, group: str, label: str, text: str) -> Parameter:
    return Parameter(name, "count", group, label, text, default=0, minimum=Decimal(0), maximum=Decimal(MAX_COUNT))


def choice(name: str, group: str, label: str, text: str, **choices: str) -> Parameter:
    return Parameter(name, "choice", group, label, text, default=next(iter(choices)), choices=MappingProxyType(choices))


def flag(name: str, group: str, label: str, text: str, *, default: bool) -> Parameter:
    return Parameter(name, "flag", group, label, text, default=default)
