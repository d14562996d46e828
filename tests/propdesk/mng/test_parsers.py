from decimal import Decimal
from io import BytesIO

import pytest

from propdesk.lib.mng.errors import InvalidDataError, TooLargeError
from propdesk.lib.mng.parsers import MAX_BODY, StrictJSONParser, parse_json


def test_numbers_with_a_fraction_stay_exact() -> None:
    assert parse_json(b'{"price": 499.01, "big": 1e3, "n": 5}') == {"price": Decimal("499.01"), "big": 1000, "n": 5}


@pytest.mark.parametrize("depth", [1, 32])
def test_nesting_up_to_32_is_taken(depth: int) -> None:
    parse_json(b"[" * depth + b"1" + b"]" * depth)


@pytest.mark.parametrize("depth", [33, 900, 100_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_deeper_nesting_is_refused(depth: int, opening: bytes, closing: bytes) -> None:
    with pytest.raises(InvalidDataError, match="nested deeper than 32"):
        parse_json(opening * depth + b"1" + closing * depth)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed"),
        (b"{", "malformed"),
        (b'{"a": 1,}', "malformed"),
        (b"{'a': 1}", "malformed"),
        (b'"\x00"', "malformed"),
        (b"\xff", "not UTF-8"),
        (b"NaN", "NaN is not a number"),
        (b"[-Infinity]", "-Infinity is not a number"),
        (b"1e999", "out of range"),
        (b"1e-999", "out of range"),
        (b"1E99999999999999999999", "out of range"),
        (b"9" * 41, "out of range"),
        (b"9" * 5000, "out of range"),
        (b"0." + b"1" * 50, "out of range"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "the key 'c' appears twice"),
        (b'{"a": 1, "\\u0061": 2}', "the key 'a' appears twice"),
        (rb'["a\u0000b"]', "NUL"),
        (rb'{"a\u0000": 1}', "NUL"),
        (rb'["\ud800"]', "half a surrogate pair"),
        (rb'{"\uDFFF": 1}', "half a surrogate pair"),
    ],
)
def test_ambiguous_or_harmful_json_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(InvalidDataError, match=reason):
        parse_json(body)


def test_a_surrogate_pair_is_one_character() -> None:
    assert parse_json(rb'"\ud83d\ude00"') == "\U0001f600"


def test_a_body_of_two_mebibytes_is_taken_and_one_byte_more_is_not() -> None:
    body = b'"' + b"a" * (MAX_BODY - 2) + b'"'

    assert len(parse_json(body)) == MAX_BODY - 2
    with pytest.raises(TooLargeError):
        parse_json(body + b" ")


def test_an_oversized_body_is_read_to_its_end_so_that_the_caller_hears_the_refusal() -> None:
    stream = BytesIO(b" " * (10 * 1024 * 1024))

    with pytest.raises(TooLargeError):
        StrictJSONParser().parse(stream)

    assert stream.read() == b""
