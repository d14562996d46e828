"""Canonical JSON: one text, and so one digest, for one meaning."""

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal


def plain(number: Decimal) -> str:
    """The shortest plain text of a finite number: `5`, `5.00` and `5E+0` give `5`; `-0` gives `0`."""
    if not number.is_finite():
        raise ValueError(f"{number} is not a finite number")
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces and Decimals as plain strings. Floats and unknown types raise TypeError."""
    return json.dumps(_jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, as 64 lower-case hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _jsonable(value: object) -> object:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Mapping):
        return {_key(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{key!r} is not a text key")
    return key
