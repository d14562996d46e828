"""Wrong answers to right questions: each takes the body of a true answer and gives what the caller gets instead.

`luck`, from 0 up to but not including 1, is the throw of the dice that picks a row. An answer without anything to
distort comes back as it is.
"""

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import orjson

Row = dict[str, Any]
BALANCES = ("balance", "accountBalance")
# Where a reply keeps its rows as JSON in a string.
NESTED = ("result", "message")
# The vendor's page prints these two lists differently: only the second has a comma too many.
BARE_ARRAY, BARE_ARRAY_WITH_COMMA = "accounts-details", "accounts-stats"


def string_json(body: bytes, _luck: float) -> bytes:
    """The whole answer as JSON in a string."""
    return orjson.dumps(body.decode())


def numbers_as_strings(body: bytes, luck: float) -> bytes:
    """Every number of one row in quotes."""
    return _with_row(body, luck, lambda row: {name: _quoted(value) for name, value in row.items()})


def null_balance(body: bytes, luck: float) -> bytes:
    """The balance of one row is null."""
    return _with_row(body, luck, lambda row: _with_balance(row, None))


def nan_balance(body: bytes, luck: float) -> bytes:
    """The balance of one row is NaN, which is not JSON."""
    return _with_row(body, luck, lambda row: _with_balance(row, math.nan))


def duplicate_rows(body: bytes, luck: float) -> bytes:
    """One row twice."""
    rows = orjson.loads(body)
    at = int(luck * len(rows))
    return orjson.dumps(rows[: at + 1] + rows[at:])


def conflicting_rows(body: bytes, luck: float) -> bytes:
    """One row twice, the second time with a balance that is 1 higher."""
    rows = orjson.loads(body)
    at = int(luck * len(rows))
    other = [_with_balance(row, row["balance"] + 1) for row in rows[at : at + 1]]
    return orjson.dumps(rows[: at + 1] + other + rows[at + 1 :])


def missing_rows(body: bytes, luck: float) -> bytes:
    """A list that ends too early: at least its last row is missing, at most all are."""
    reply = orjson.loads(body)
    if isinstance(reply, list):
        return orjson.dumps(_cut(reply, luck))
    name = next(name for name in NESTED if name in reply)
    return orjson.dumps({**reply, name: orjson.dumps(_cut(orjson.loads(reply[name]), luck)).decode()})


def _cut(rows: list[Row], luck: float) -> list[Row]:
    return rows[: int(luck * len(rows))]


def balance_before(body: bytes, change: Decimal) -> bytes:
    """The balance as it was before the transfer that changed it by `change`."""
    reply = orjson.loads(body)
    before = Decimal(str(reply["accountBalance"])) - change
    return orjson.dumps({**reply, "accountBalance": float(before)})


def printed_form(body: bytes, endpoint: str) -> bytes:
    """The answer with the very mistakes of the vendor's page, sections 3.7, 3.8, 3.9, 3.11 and 3.14."""
    reply = orjson.loads(body)
    if isinstance(reply, list):
        return ("{ \n  [\n" + _lines(reply, comma_too_many=endpoint == BARE_ARRAY_WITH_COMMA) + "\n  ]\n}").encode()
    if "result" in reply:
        # Quotes inside the string are not escaped.
        text = reply["result"].removesuffix("]")
        return f'{{\n    "status": "success",\n    "result": "{text}\n    ]"\n}}'.encode()
    # Nothing is escaped, lines break inside the string, and it never ends.
    rows = orjson.loads(reply["message"])
    by_unit = endpoint == "closed-positions"
    opening, closing = ("[[", "]]") if by_unit else ("[", "]")
    lines = _lines(rows[0] if by_unit else rows, comma_too_many=True)
    return f'{{ \n  "status": "success", \n  "message": "\n  {opening}\n{lines}\n{closing}\n}}'.encode()


def _lines(rows: list[Row], *, comma_too_many: bool) -> str:
    lines = ",\n".join(f"  {orjson.dumps(row).decode()}" for row in rows)
    return lines + "," * (comma_too_many and bool(rows))


def _with_row(body: bytes, luck: float, change: Callable[[Row], Row]) -> bytes:
    """The answer with one of its rows changed, wherever it keeps them; an answer without rows is a row itself."""
    reply = orjson.loads(body)
    name = next((name for name in NESTED if isinstance(reply, dict) and name in reply), None)
    if name is not None:
        reply[name] = _dumps(_with_one(orjson.loads(reply[name]), luck, change))
        return _dumps(reply).encode()
    return _dumps(_with_one(reply, luck, change)).encode()


def _with_one(value: Any, luck: float, change: Callable[[Row], Row]) -> Any:
    if isinstance(value, dict):
        return change(value)
    # The closed positions of a unit are an array in an array.
    if value and isinstance(value[0], list):
        return [_with_one(value[0], luck, change)]
    at = int(luck * len(value))
    return value[:at] + [_with_one(row, luck, change) for row in value[at : at + 1]] + value[at + 1 :]


def _with_balance(row: Row, balance: float | None) -> Row:
    return {name: balance if name in BALANCES else value for name, value in row.items()}


def _quoted(value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number else value


def _dumps(value: Any) -> str:
    # The standard library's, because it can write NaN.
    return json.dumps(value, separators=(",", ":"))
