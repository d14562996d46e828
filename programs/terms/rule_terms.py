import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Any, Self
from zoneinfo import ZoneInfo

from programs.terms.canonical import plain
from programs.terms.parameter import (
    BreachWhen,
    DailyLossAction,
    DailyLossBase,
    DailyLossPctOf,
    ExposureAction,
    Kind,
    LossTestedOn,
    MaxDailyProfitAction,
    MaxDailyProfitOf,
    Parameter,
    ProfitTargetOn,
    TotalLossChecked,
    TotalLossPctOf,
    TotalLossTrail,
    TradingDayCounts,
    Value,
)
from programs.terms.parameters import PARAMETERS


class TermsError(ValueError):
    """Terms that cannot be judged by. `errors` names every bad field: [(field, message), ...]."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        self.errors = errors
        super().__init__("; ".join(f"{name}: {message}" for name, message in errors))


_DEFAULTS: Mapping[str, Any] = {name: parameter.default for name, parameter in PARAMETERS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTerms:
    """The rules of one phase, with the program's trading day. Meanings and bounds: `PARAMETERS`.

    Percentages are Decimals (5 = 5 %). Build it with `from_mapping`, which validates.
    """

    max_daily_loss_pct: Decimal = _DEFAULTS["max_daily_loss_pct"]
    daily_loss_base: DailyLossBase = _DEFAULTS["daily_loss_base"]
    daily_loss_pct_of: DailyLossPctOf = _DEFAULTS["daily_loss_pct_of"]
    daily_loss_action: DailyLossAction = _DEFAULTS["daily_loss_action"]
    max_total_loss_pct: Decimal = _DEFAULTS["max_total_loss_pct"]
    total_loss_trail: TotalLossTrail = _DEFAULTS["total_loss_trail"]
    total_loss_pct_of: TotalLossPctOf = _DEFAULTS["total_loss_pct_of"]
    total_loss_lock_pct: Decimal | None = _DEFAULTS["total_loss_lock_pct"]
    total_loss_checked: TotalLossChecked = _DEFAULTS["total_loss_checked"]
    loss_tested_on: LossTestedOn = _DEFAULTS["loss_tested_on"]
    breach_when: BreachWhen = _DEFAULTS["breach_when"]
    early_warning_pct: Decimal = _DEFAULTS["early_warning_pct"]
    profit_target_pct: Decimal = _DEFAULTS["profit_target_pct"]
    profit_target_on: ProfitTargetOn = _DEFAULTS["profit_target_on"]
    max_daily_profit_pct: Decimal = _DEFAULTS["max_daily_profit_pct"]
    max_daily_profit_of: MaxDailyProfitOf = _DEFAULTS["max_daily_profit_of"]
    max_daily_profit_action: MaxDailyProfitAction = _DEFAULTS["max_daily_profit_action"]
    consistency_pct: Decimal | None = _DEFAULTS["consistency_pct"]
    min_trading_days: int = _DEFAULTS["min_trading_days"]
    max_trading_days: int = _DEFAULTS["max_trading_days"]
    duration_days: int = _DEFAULTS["duration_days"]
    trading_day_counts: TradingDayCounts = _DEFAULTS["trading_day_counts"]
    trading_day_min_profit_pct: Decimal = _DEFAULTS["trading_day_min_profit_pct"]
    inactivity_days: int = _DEFAULTS["inactivity_days"]
    max_positions: int = _DEFAULTS["max_positions"]
    max_open_lots: Decimal | None = _DEFAULTS["max_open_lots"]
    exposure_action: ExposureAction = _DEFAULTS["exposure_action"]
    weekend_holding_allowed: bool = _DEFAULTS["weekend_holding_allowed"]
    weekend_cutoff: time = _DEFAULTS["weekend_cutoff"]
    stop_loss_required: bool = _DEFAULTS["stop_loss_required"]
    day_reset_time: time = _DEFAULTS["day_reset_time"]
    day_reset_timezone: str = _DEFAULTS["day_reset_timezone"]

    @classmethod
    def from_mapping(cls, given: Mapping[str, object]) -> Self:
        """Terms from names and values; absent ones take their defaults.

        Numbers may be Decimals, ints or texts, never floats; times `time`s or "HH:MM[:SS]" texts.
        Raises TermsError naming every unknown name, wrong type, value out of bounds and unknown zone.
        """
        values: dict[str, Any] = {}
        errors: list[tuple[str, str]] = []
        for name, value in given.items():
            parameter = PARAMETERS.get(name)
            if parameter is None:
                errors.append((str(name), "unknown parameter"))
                continue
            try:
                values[name] = checked(parameter, value)
            except ValueError as error:
                errors.append((name, str(error)))
        if errors:
            raise TermsError(errors)
        return cls(**values)

    def to_mapping(self) -> dict[str, str | int | bool | None]:
        """Every parameter as a JSON value: Decimals as plain texts, times as "HH:MM" or "HH:MM:SS"."""
        return {item.name: _json_value(getattr(self, item.name)) for item in fields(self)}


def checked(parameter: Parameter, value: object) -> Value:
    """The value as the parameter's own type, within its bounds. Raises ValueError saying what is wrong."""
    if value is None:
        return None if parameter.nullable else parameter.default
    return _CHECKS[parameter.kind](parameter, value)


def _checked_decimal(parameter: Parameter, value: object) -> Value:
    number = _bounded(parameter, finite_number(value))
    if number != round(number, parameter.decimals):
        raise ValueError(f"has more than {parameter.decimals} decimals")
    if parameter.kind == "lots" and number == 0:
        return None  # 0 and null both mean off: one meaning, one digest
    return Decimal(plain(number))


def _checked_count(parameter: Parameter, value: object) -> Value:
    number = _bounded(parameter, finite_number(value))
    if number != int(number):
        raise ValueError("must be a whole number")
    return int(number)


def _checked_choice(parameter: Parameter, value: object) -> Value:
    if not isinstance(value, str) or value not in parameter.choices:
        raise ValueError(f"must be one of {', '.join(parameter.choices)}")
    return str(value)


def _checked_flag(parameter: Parameter, value: object) -> Value:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _checked_time(parameter: Parameter, value: object) -> Value:
    if isinstance(value, str):
        try:
            value = time.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a time such as 17:00") from None
    if not isinstance(value, time) or value.tzinfo is not None or value.microsecond:
        raise ValueError("must be a time such as 17:00, without a zone or fractions of a second")
    return value


def _checked_zone(parameter: Parameter, value: object) -> Value:
    if not isinstance(value, str):
        raise ValueError("must be the name of a time zone")
    try:
        if value.startswith(_NOT_ZONES):
            raise KeyError(value)
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):  # unknown; a path outside the database; the name of a folder in it
        raise ValueError(f"{value!r} is not an IANA time zone") from None
    return value


_CHECKS: dict[Kind, Callable[[Parameter, object], Value]] = {
    "percent": _checked_decimal,
    "lots": _checked_decimal,
    "count": _checked_count,
    "choice": _checked_choice,
    "flag": _checked_flag,
    "time": _checked_time,
    "zone": _checked_zone,
}


# Files of the zone database that are no IANA names: this machine's own setting, and zones that count leap seconds.
_NOT_ZONES = ("localtime", "posix", "right/", "Factory")

# `Decimal` would also take underscores, blanks and the digits of other scripts.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,4})?")


def finite_number(value: object) -> Decimal:
    """A Decimal from a Decimal, an int or a plain text such as `100000` or `5e-1`; floats and the rest: ValueError."""
    if isinstance(value, bool) or not isinstance(value, (Decimal, int, str)):
        raise ValueError("must be a number")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("must be a number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError("must be a number") from None
    if not number.is_finite():
        raise ValueError("must be a finite number")
    return number


def _bounded(parameter: Parameter, number: Decimal) -> Decimal:
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise ValueError(f"must be between {low} and {high}")
    return number


def _json_value(value: Value) -> str | int | bool | None:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, time):
        return value.isoformat("minutes" if not value.second else "seconds")
    return value
