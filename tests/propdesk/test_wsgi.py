"""Bodies that come in chunks, without a length."""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from propdesk.wsgi import ChunkedBodies


def served(body: bytes, *, most: int = 100, **environ: str) -> tuple[str, bytes]:
    """The length that the application is told, and what it can read."""
    seen: dict[str, Any] = {}

    def application(given: dict[str, Any], _: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(given)
        return [b""]

    ChunkedBodies(application, most=most)({"wsgi.input": BytesIO(body), **environ}, lambda *_: None)
    return seen.get("CONTENT_LENGTH", ""), seen["wsgi.input"].read()


def test_a_body_in_chunks_gets_its_length():
    assert served(b'{"a": 1}', HTTP_TRANSFER_ENCODING="chunked") == ("8", b'{"a": 1}')


def test_a_longer_body_than_may_be_sent_is_read_just_beyond_the_limit():
    assert served(b"x" * 1000, HTTP_TRANSFER_ENCODING="chunked") == ("101", b"x" * 101)


def test_a_body_with_a_length_is_left_alone():
    assert served(b"abc", CONTENT_LENGTH="3") == ("3", b"abc")
