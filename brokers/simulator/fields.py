"""Reading request bodies: every field is checked for its type before anything happens."""

import json
import string
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from aiohttp import web

from brokers.simulator.accounts import CENT
from brokers.simulator.refusals import RefusedError

LARGEST_AMOUNT = Decimal(10) ** 12
LARGEST_ID = 2**53
LONGEST_TEXT = 1000


class Fields:
    """A JSON object whose fields are asked for by name and type. A missing or wrong one is refused by name."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def integer(self, name: str) -> int:
        return _whole(name, self._get(name))

    def integers(self, name: str) -> list[int]:
        values = self._get(name)
        if not isinstance(values, list):
            raise RefusedError(f"{name}: an array of integers is required.")
        return [_whole(name, value) for value in values]

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str) or not value.strip():
            raise RefusedError(f"{name}: a non-empty string is required.")
        return _storable(name, value)

    def remark(self, name: str) -> str:
        """A string that may be empty or left out."""
        value = self.values.get(name, "")
        if not isinstance(value, str):
            raise RefusedError(f"{name}: a string is required.")
        return _storable(name, value)

    def flag(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise RefusedError(f"{name}: true or false is required.")
        return value

    def number(self, name: str) -> Decimal:
        """A number of at most a million millions either way."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise RefusedError(f"{name}: a number is required.")
        number = Decimal(value)
        if abs(number) > LARGEST_AMOUNT:
            raise RefusedError(f"{name}: the number is too large.")
        return number

    def money(self, name: str) -> Decimal:
        """A number rounded to cents."""
        return self.number(name).quantize(CENT)

    def amount(self, name: str) -> Decimal:
        """Money of at least a cent."""
        amount = self.money(name)
        if amount <= 0:
            raise RefusedError(f"{name}: a positive amount is required.")
        return amount

    def amounts(self, name: str) -> list[Decimal]:
        """Any number of amounts of at least a cent each."""
        values = self._get(name)
        if not isinstance(values, list):
            raise RefusedError(f"{name}: an array of amounts is required.")
        return [Fields({name: value}).amount(name) for value in values]

    def time(self, name: str) -> datetime:
        """An ISO time, meant as UTC when it names no zone."""
        try:
            moment = datetime.fromisoformat(self.text(name))
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise RefusedError(f"{name}: a time like 2024-02-10T09:39:47 is required.") from None

    def password(self, name: str) -> None:
        """Check a new password. It is not kept: nobody signs in to a simulated account."""
        value = self.text(name)
        kinds = (str.isupper, str.islower, str.isdigit, string.punctuation.__contains__)
        if not 8 <= len(value) <= 30 or not all(any(map(kind, value)) for kind in kinds):
            raise RefusedError(f"{name}: 8 to 30 characters with upper case, lower case, number and special, please.")

    def only(self, *names: str) -> None:
        """Refuse fields other than these."""
        if unknown := sorted(set(self.values) - set(names)):
            raise RefusedError(f"Unknown field {unknown[0]!r}.")

    def _get(self, name: str) -> Any:
        if name not in self.values:
            raise RefusedError(f"{name}: this field is required.")
        return self.values[name]


async def read_fields(request: web.Request, *, empty: bool = False) -> Fields:
    """The request's JSON object; with `empty`, an empty body counts as {}."""
    body = await request.read()
    if empty and not body.strip():
        return Fields({})
    return fields_of(parse(body))


def parse(body: bytes) -> Any:
    """JSON with exact decimals; NaN and Infinity are refused."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise RefusedError("The body is not valid JSON.") from None


def fields_of(value: Any, name: str = "The body") -> Fields:
    if not isinstance(value, dict):
        raise RefusedError(f"{name} must be a JSON object.")
    return Fields(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST_ID:
        raise RefusedError(f"{name}: an integer is required.")
    return value


def _storable(name: str, value: str) -> str:
    # JSON escapes can spell half a surrogate pair, which no reply and no database could hold.
    if len(value) > LONGEST_TEXT or any("\ud800" <= character <= "\udfff" for character in value):
        raise RefusedError(f"{name}: the text is too long or not valid Unicode.")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
