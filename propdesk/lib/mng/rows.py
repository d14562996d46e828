"""The rows of a big page: fetched at once, turned into JSON a thousand at a time while they are written out.

A page of 50,000 rows as Python tuples takes 60 MB and as one JSON text 8 MB more. Here the rows stay in the database
driver's own memory (about 20 MB), and only a chunk of them is ever tuples and text. All of the database's work is done
when a `Rows` exists: whatever fails there fails before the first byte of an answer, and a slow reader holds no
connection and no transaction open.
"""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from django.db import connections
from django.db.models import QuerySet

CHUNK = 1_000
# One byte that no JSON document can hold: it marks where rows belong in the text around them.
_MARK = b"\x00"


class Rows:
    """The result of a `values_list` queryset, as the database prints it (no Python converters run). Read it once."""

    def __init__(self, queryset: "QuerySet[Any, tuple[Any, ...]]") -> None:
        sql, parameters = queryset.query.get_compiler(queryset.db).as_sql()
        self._cursor = connections[queryset.db].cursor()
        self._cursor.execute(sql, parameters)
        self._length: int = self._cursor.rowcount

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for chunk in self._chunks():
            yield from chunk

    def json(self) -> Iterator[bytes]:
        """The JSON array of all rows, in pieces."""
        before = b"["
        for chunk in self._chunks():
            yield before + orjson.dumps(chunk)[1:-1]
            before = b","
        yield b"[]" if before == b"[" else b"]"

    def _chunks(self) -> Iterator[list[tuple[Any, ...]]]:
        while chunk := self._cursor.fetchmany(CHUNK):
            yield chunk
        self._cursor.close()


class JsonDocument:
    """A document that may hold `Rows`. What cannot be printed fails here, before the first byte is out."""

    def __init__(self, value: Any, default: Callable[[Any], Any]) -> None:
        self._rows: list[Rows] = []
        self._default = default
        self._text = orjson.dumps(value, default=self._set_aside).split(_MARK)

    @property
    def row_count(self) -> int:
        return sum(len(rows) for rows in self._rows)

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
