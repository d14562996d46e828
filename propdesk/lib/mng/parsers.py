"""Strict JSON, for every surface: what is ambiguous or would break something further in is refused here.

Refused: bodies over 2 MiB, nesting deeper than 32, NaN and infinities, duplicate keys, NUL and lone surrogates.
Numbers with a fraction or an exponent become Decimals, never floats.
"""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import IO, Any, NoReturn

from rest_framework.parsers import BaseParser

from propdesk.lib.mng.errors import InvalidDataError, TooLargeError

MAX_BODY = 2 * 1024 * 1024
MAX_DEPTH = 32
# No figure of ours has more digits than this; a longer one only costs time.
MAX_DIGITS = 40
# What is read and thrown away after the limit, so that the caller hears the refusal instead of a broken connection.
MAX_DISCARDED = 64 * 1024 * 1024


def parse_json(body: bytes) -> Any:
    """The value in a UTF-8 JSON document. Raises InvalidDataError saying why not, TooLargeError over `MAX_BODY`."""
    if len(body) > MAX_BODY:
        raise TooLargeError(f"The body is larger than {MAX_BODY} bytes.")
    try:
        text = body.decode()
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except RecursionError:
        raise _refuse(f"nested deeper than {MAX_DEPTH}") from None
    except UnicodeDecodeError:
        raise _refuse("not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _refuse(f"malformed at line {error.lineno} column {error.colno}: {error.msg}") from None
    # Keys and values can hold these only through an escape, so most documents need no look at every string.
    check_text = "\\u0000" in text or "\\ud" in text.lower()
    _check(value, check_text=check_text)
    return value


class StrictJSONParser(BaseParser):
    """DRF's parser for every endpoint."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            _discard(stream)
        return parse_json(body)


def _discard(stream: IO[Any]) -> None:
    left = MAX_DISCARDED
    while left > 0 and (chunk := stream.read(65536)):
        left -= len(chunk)


def _refuse(reason: str) -> InvalidDataError:
    return InvalidDataError.at("", f"JSON: {reason}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _refuse(f"the key {twice[:50]!r} appears twice")
    return found


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent beyond what a Decimal can hold
        number = Decimal("Infinity")
    if len(text) > MAX_DIGITS or not number.is_finite() or abs(number.adjusted()) > MAX_DIGITS:
        raise _refuse(f"the number {text[:MAX_DIGITS]} is out of range")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise _refuse(f"the number {text[:MAX_DIGITS]} is out of range")
    return int(text)


def _constant(name: str) -> NoReturn:
    raise _refuse(f"{name} is not a number")


def _check(value: Any, *, check_text: bool) -> None:
    """Depth, and characters that no database column takes. Level by level, so that it cannot run out of stack."""
    depth, level = 0, [value]
    while level:
        containers = [item for item in level if isinstance(item, dict | list)]
        depth += bool(containers)
        if depth > MAX_DEPTH:
            raise _refuse(f"nested deeper than {MAX_DEPTH}")
        if check_text:
            for item in level:
                _check_characters(item)
        level = []
        for container in containers:
            level.extend(container.values() if isinstance(container, dict) else container)
            if check_text and isinstance(container, dict):
                level.extend(container)


def _check_characters(value: Any) -> None:
    if not isinstance(value, str):
        return
    if "\x00" in value:
        raise _refuse("a text holds a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise _refuse("a text holds half a surrogate pair")
