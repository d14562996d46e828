"""The conditions and the order of a table request, read strictly: wrong shapes, fields and types are named."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from django.db.models import Q
from django.db.models.expressions import Combinable

from propdesk.lib.mng.errors import InvalidDataError, Problem
from propdesk.lib.mng.inputs import INT64_MAX, INT64_MIN

Kind = Literal["int", "int64", "double", "string"]

OPERATORS = {"=": "exact", "!=": "exact", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "like": "icontains"}
# Far above what a person or a system asks for; it keeps one request from planning for minutes.
MAX_CONDITIONS = 100
MAX_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class Column:
    """`source` is the model field (a path) or an expression. Strings are case-sensitive except for `like`."""

    name: str
    kind: Kind
    source: str | Combinable
    filterable: bool = True
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Condition:
    field: str
    lookup: str
    value: Any
    negated: bool

    def q(self, path: str) -> Q:
        condition = Q(**{f"{path}__{self.lookup}": self.value})
        return ~condition if self.negated else condition


def read_conditions(columns: Mapping[str, Column], request: Mapping[str, Any]) -> list[Condition]:
    """Every condition of the request. Raises InvalidDataError naming each that is wrong, such as `where[0]`."""
    conditions: list[Condition] = []
    problems: list[Problem] = []
    for name, read in _READERS.items():
        entries = request.get(name, [])
        if len(entries) > MAX_CONDITIONS:
            problems.append(Problem(name, f"At most {MAX_CONDITIONS} conditions."))
            continue
        for index, entry in enumerate(entries):
            try:
                conditions.append(read(columns, entry))
            except ValueError as error:
                problems.append(Problem(f"{name}[{index}]", str(error)))
    if problems:
        raise InvalidDataError(problems)
    return conditions


def read_order(columns: Mapping[str, Column], request: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """The fields to order by, and whether descending. Raises InvalidDataError."""
    entries = request.get("orderBy", [])
    if len(entries) > len(columns):
        raise InvalidDataError.at("orderBy", f"At most {len(columns)} fields.")
    return [_read_order(columns, index, entry) for index, entry in enumerate(entries)]


def _read_order(columns: Mapping[str, Column], index: int, entry: Any) -> tuple[str, bool]:
    match entry:
        case [str() as name, "asc" | "desc" as direction]:
            try:
                return _column(columns, name).name, direction == "desc"
            except ValueError as error:
                raise InvalidDataError.at(f"orderBy[{index}]", str(error)) from None
        case _:
            raise InvalidDataError.at(f"orderBy[{index}]", 'Expected [field, "asc"] or [field, "desc"].')


def _compare(columns: Mapping[str, Column], entry: Any) -> Condition:
    match entry:
        case [str() as name, str() as operator, value]:
            return _comparison(_column(columns, name), operator, value)
        case _:
            raise ValueError("Expected [field, operator, value].")


def _compare_not(columns: Mapping[str, Column], entry: Any) -> Condition:
    match entry:
        case [_, value]:
            entry = [entry[0], "=", value]
        case [_, _, _]:
            pass
        case _:
            raise ValueError("Expected [field, value] or [field, operator, value].")
    positive = _compare(columns, entry)
    return Condition(positive.field, positive.lookup, positive.value, negated=not positive.negated)


def _among(columns: Mapping[str, Column], entry: Any, *, negated: bool) -> Condition:
    match entry:
        case [str() as name, list() as values] if len(values) <= MAX_VALUES:
            column = _column(columns, name)
            return Condition(name, "in", [_typed(column, value) for value in values], negated)
    raise ValueError(f"Expected [field, [value, ...]] with at most {MAX_VALUES} values.")


def _between(columns: Mapping[str, Column], entry: Any, *, negated: bool) -> Condition:
    match entry:
        case [str() as name, [low, high]]:
            column = _column(columns, name)
            return Condition(name, "range", (_typed(column, low), _typed(column, high)), negated)
        case _:
            raise ValueError("Expected [field, [from, to]].")


_READERS: dict[str, Callable[[Mapping[str, Column], Any], Condition]] = {
    "where": _compare,
    "whereNot": _compare_not,
    "whereIn": lambda columns, entry: _among(columns, entry, negated=False),
    "whereNotIn": lambda columns, entry: _among(columns, entry, negated=True),
    "whereBetween": lambda columns, entry: _between(columns, entry, negated=False),
    "whereNotBetween": lambda columns, entry: _between(columns, entry, negated=True),
}


def _comparison(column: Column, operator: str, value: Any) -> Condition:
    if operator not in OPERATORS:
        raise ValueError(f"Unknown operator {operator[:20]!r}; there are {' '.join(OPERATORS)}.")
    if operator == "like" and column.kind != "string":
        raise ValueError(f"{column.name} is a number; `like` is for texts.")
    return Condition(column.name, OPERATORS[operator], _typed(column, value), negated=operator == "!=")


def _column(columns: Mapping[str, Column], name: str) -> Column:
    column = columns.get(name)
    if column is None or not column.filterable:
        known = ", ".join(column.name for column in columns.values() if column.filterable)
        raise ValueError(f"Unknown field {name[:60]!r}; there are {known}.")
    return column


def _typed(column: Column, value: Any) -> Any:
    match column.kind, value:
        case "string", str():
            return value
        case (("int" | "int64" | "double"), bool()):
            pass
        case (("int" | "int64"), int()) if INT64_MIN <= value <= INT64_MAX:
            return value
        case "double", int() | Decimal():
            return Decimal(value)
        case _:
            pass
    raise ValueError(f"{column.name} is of type {column.kind}; {_shown(value)} is not.")


def _shown(value: Any) -> str:
    return f"{value!s:.40}" if isinstance(value, str | int | Decimal) else type(value).__name__
