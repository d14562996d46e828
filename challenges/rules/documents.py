"""Reads a document of the rule lab. Whatever is wrong is one LabError that names the place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import NoReturn

from challenges.rules.observations import Observation, Position, Trade
from programs.terms import RuleTerms, TermsError, finite_number

# Amounts fit NUMERIC(24,8) before the point; times stay where dates can be counted.
AMOUNT_LIMIT = Decimal(10) ** 16
MOST_DECIMALS = 20
YEARS = range(1970, 2200)

DOCUMENT_KEYS = {"initial_balance", "terms", "observations", "trades"}
OBSERVATION_KEYS = {"at", "balance", "equity", "positions"}


class LabError(ValueError):
    """The document cannot be judged; the message names the place, such as `observations[2].balance`."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabDocument:
    """What the lab judges. `times` are the observations' times as they were written."""

    initial_balance: Decimal
    terms: RuleTerms
    observations: tuple[Observation, ...]
    times: tuple[str, ...]
    trades: tuple[Trade, ...] | None


def parsed_json(text: str) -> object:
    """The text as JSON with Decimals for numbers. NaN, Infinity, duplicate keys and bad JSON raise LabError."""
    try:
        return json.loads(
            text, parse_float=Decimal, parse_int=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_duplicates
        )
    except json.JSONDecodeError as error:
        raise LabError(f"line {error.lineno} column {error.colno}", f"not JSON: {error.msg}") from None
    except InvalidOperation:
        raise LabError("", "not JSON: a number is out of range") from None
    except RecursionError:
        raise LabError("", "not JSON: nested too deeply") from None


def read_document(raw: object, place: str = "") -> LabDocument:
    """The document, checked. `place` is put before the place that an error names."""
    document = _object(raw, place, DOCUMENT_KEYS)
    balance = _amount(document, "initial_balance", place)
    if balance <= 0:
        raise LabError(f"{place}initial_balance", "must be above 0")
    rows = _list(_required(document, "observations", place), f"{place}observations")
    observations = [_observation(row, f"{place}observations[{index}]") for index, row in enumerate(rows)]
    return LabDocument(
        initial_balance=balance,
        terms=_terms(document.get("terms", {}), f"{place}terms"),
        observations=tuple(observations),
        times=tuple(str(row["at"]) for row in rows if isinstance(row, Mapping)),
        trades=_trades(document.get("trades"), f"{place}trades"),
    )


def _terms(raw: object, place: str) -> RuleTerms:
    try:
        return RuleTerms.from_mapping(_object(raw, place))
    except TermsError as error:
        raise LabError("", "; ".join(f"{place}.{name}: {message}" for name, message in error.errors)) from None


def _observation(raw: object, place: str) -> Observation:
    row = _object(raw, place, OBSERVATION_KEYS)
    positions = row.get("positions")
    return Observation(
        at=_moment(row, "at", f"{place}."),
        balance=_amount(row, "balance", f"{place}."),
        equity=_amount(row, "equity", f"{place}."),
        positions=None
        if positions is None
        else tuple(
            _position(item, f"{place}.positions[{index}]")
            for index, item in enumerate(_list(positions, f"{place}.positions"))
        ),
    )


def _position(raw: object, place: str) -> Position:
    row = _object(raw, place)
    stop_loss = None if row.get("stop_loss") is None else _amount(row, "stop_loss", f"{place}.")
    return Position(
        id=str(_required(row, "id", f"{place}.")),
        symbol=str(row.get("symbol", "")),
        lots=_amount(row, "lots", f"{place}."),
        opened_at=_moment(row, "opened_at", f"{place}."),
        stop_loss=stop_loss,
        reports_stop_loss="stop_loss" in row,
    )


def _trades(raw: object, place: str) -> tuple[Trade, ...] | None:
    if raw is None:
        return None
    return tuple(_trade(row, f"{place}[{index}]") for index, row in enumerate(_list(raw, place)))


def _trade(raw: object, place: str) -> Trade:
    row = _object(raw, place)
    opened_at = _moment(row, "opened_at", f"{place}.")
    closed_at = None if row.get("closed_at") is None else _moment(row, "closed_at", f"{place}.")
    if closed_at is not None and closed_at < opened_at:
        raise LabError(f"{place}.closed_at", "is before opened_at")
    return Trade(
        opened_at=opened_at,
        closed_at=closed_at,
        profit=_amount(row, "profit", f"{place}."),
        lots=_amount(row, "lots", f"{place}.") if "lots" in row else Decimal(0),
        symbol=str(row.get("symbol", "")),
    )


def _object(raw: object, place: str, known: set[str] | None = None) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise LabError(place.rstrip("."), "must be an object")
    unknown = sorted(raw.keys() - known) if known else []
    if unknown:
        raise LabError(f"{place.rstrip('.')}.{unknown[0]}".lstrip("."), "unknown field")
    return raw


def _list(raw: object, place: str) -> list[object]:
    if not isinstance(raw, list):
        raise LabError(place, "must be a list")
    return raw


def _required(row: Mapping[str, object], name: str, place: str) -> object:
    if row.get(name) is None:
        raise LabError(f"{place}{name}", "is required")
    return row[name]


def _amount(row: Mapping[str, object], name: str, place: str) -> Decimal:
    try:
        amount = finite_number(_required(row, name, place))
    except LabError:
        raise
    except ValueError as error:
        raise LabError(f"{place}{name}", str(error)) from None
    exponent = amount.as_tuple().exponent
    if amount.copy_abs() >= AMOUNT_LIMIT or not isinstance(exponent, int) or exponent < -MOST_DECIMALS:
        raise LabError(f"{place}{name}", f"must be below {AMOUNT_LIMIT:f} with at most {MOST_DECIMALS} decimals")
    return amount


def _moment(row: Mapping[str, object], name: str, place: str) -> datetime:
    raw = _required(row, name, place)
    try:
        moment = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in YEARS:
        message = f"must be a time with its zone, such as 2025-01-13T08:00:00Z, in the years {YEARS[0]} to {YEARS[-1]}"
        raise LabError(f"{place}{name}", message)
    return moment


def _no_constant(text: str) -> NoReturn:
    raise LabError("", f"not JSON: {text} is not a number")


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = dict(pairs)
    if len(names) != len(pairs):
        doubled = next(name for index, (name, _) in enumerate(pairs) if name in dict(pairs[:index]))
        raise LabError("", f"not JSON: {doubled!r} appears twice in one object")
    return names
