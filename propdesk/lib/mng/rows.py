"""The rows of a big page, turned into JSON a thousand at a time while PostgreSQL sends the next ones.

A page of 50,000 rows as Python tuples takes 60 MB. Here only a chunk of it is ever tuples; what stays is its text. All
of the database's work is done when a `Rows` exists: whatever fails there fails before the first byte of an answer, and
a slow reader holds no connection and no transaction open.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import orjson
import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet

CHUNK = 1_000
# Before version 17 libpq hands over rows one by one, and the driver does not count them for us.
_FETCH = CHUNK if psycopg.capabilities.has_stream_chunked() else 1
# One byte that no JSON document can hold: it marks where rows belong in the text around them.
_MARK = b"\x00"


class Rows:
    """The result of a `values_list` queryset as JSON, printed as the database gives it (no Python converters run)."""

    def __init__(self, queryset: "QuerySet[Any, tuple[Any, ...]]") -> None:
        self._pieces: list[bytes] = []
        self._length = 0
        # Django knows of some conditions that nothing meets them, such as an empty `whereIn`, and has no SQL for them.
        with suppress(EmptyResultSet):
            self._fetch(queryset.db, *queryset.query.get_compiler(queryset.db).as_sql())

    def __len__(self) -> int:
        return self._length

    def json(self) -> Iterator[bytes]:
        """The JSON array of all rows, in pieces of a thousand."""
        before = b"["
        for piece in self._pieces:
            yield before
            yield piece
            before = b","
        yield b"]" if self._pieces else b"[]"

    def _fetch(self, database: str, sql: str, parameters: Any) -> None:
        connection = connections[database]
        with connection.cursor() as cursor, connection.wrap_database_errors:
            rows = cursor.stream(sql, parameters, size=_FETCH)
            while chunk := list(islice(rows, CHUNK)):
                self._length += len(chunk)
                self._pieces.append(orjson.dumps(chunk)[1:-1])


class JsonDocument:
    """A document that may hold `Rows`. What cannot be printed fails here, before the first byte is out."""

    def __init__(self, value: Any, default: Callable[[Any], Any]) -> None:
        self._rows: list[Rows] = []
        self._default = default
        self._text = orjson.dumps(value, default=self._set_aside).split(_MARK)

    @property
    def has_rows(self) -> bool:
        return bool(self._rows)

    def pieces(self) -> Iterator[bytes]:
        """The document's UTF-8 text; each piece holds at most `CHUNK` rows."""
        yield self._text[0]
        for rows, after in zip(self._rows, self._text[1:], strict=True):
            yield from rows.json()
            yield after

    def _set_aside(self, value: Any) -> Any:
        if isinstance(value, Rows):
            self._rows.append(value)
            return orjson.Fragment(_MARK)
        return self._default(value)
