"""What is measured of the tables, and the goals that it is held against."""

import json
from typing import Any

from django.db import connection

from bench.firm import MANY
from bench.pairs import Measured
from bench.web import Web

ROWS = 50_000
COLUMNS = (
    "id, brand, name, description, demo_group, price, price_currency, status, sort_index, phases_count, "
    "created_at, updated_at"
)
ORDER = [["sort_index", "asc"]]
_ACTIVE = "status = 0"
_BRAND = "brand = 'brand 7' AND status = 0"


def big_page(web: Web, *, programs: int, rounds: int) -> list[str]:
    """50,000 rows of the active programs; returns the goals that were missed."""
    request = {"limit": ROWS, "offset": 0, "where": [["status", "=", 0]], "orderBy": ORDER}
    sql = f"SELECT {COLUMNS} FROM programs_program WHERE {_ACTIVE} ORDER BY sort_index, id LIMIT {ROWS}"  # noqa: S608
    web.table(**{**request, "limit": 50})
    grown, theirs_grown = _growth(web, lambda: web.table(**request)), _growth(web, lambda: web.peer(limit=ROWS))
    ours, theirs = web.table(**request), web.peer(limit=ROWS)
    rows = json.loads(ours)["data"]["rows"]
    if [row[0] for row in rows] != [row["id"] for row in json.loads(theirs)]:
        raise RuntimeError("the contestants answer different rows")

    floor, table, peer = (
        "COPY of the same rows (psycopg)",
        "MngGetPropProgramsByFilter (HTTP)",
        "ModelSerializer (HTTP)",
    )
    measured = Measured(
        {
            floor: lambda: _copy(sql),
            # The table answers the total too, so here is what that alone takes.
            "COPY of the same rows, and their count(*)": lambda: (_copy(sql), _count(_ACTIVE)),
            table: lambda: web.table(**request),
            peer: lambda: web.peer(limit=ROWS),
        },
        rounds=rounds,
    )
    print(
        f"\n{ROWS:,} rows x {len(rows[0])} columns, filtered and ordered, of {programs:,} programs: "
        f"{len(ours) / 1e6:.1f} MB of JSON"
    )
    print(measured.table(to=floor))
    print(f"  memory of the worker: + {grown:.0f} MiB (ModelSerializer: + {theirs_grown:.0f} MiB)")
    faster = measured.ratio(peer, table)
    print(f"  faster than ModelSerializer: {str(faster).strip()} times")
    return [
        *_missed("50,000 rows: at most 1.5 x COPY", measured.ratio(table, floor).median <= 1.5),
        *_missed("50,000 rows: at least 10 x faster than ModelSerializer", faster.median >= 10),
        *_missed("50,000 rows: at most 64 MiB", grown <= 64),
    ]


def small_pages(web: Web, *, rounds: int) -> list[str]:
    """A page of 50 among a million, with filter and count; returns the goals that were missed."""
    missed = []
    brand = [["brand", "=", "brand 7"], ["status", "=", 0]]
    for title, condition, where in [
        ("600 match", _BRAND, brand), ("600,000 match", _ACTIVE, [["status", "=", 0]]),
    ]:  # fmt: skip
        page, both, table = "the page alone (psycopg)", "the page and its count(*) (psycopg)", "the table (HTTP)"
        request: dict[str, Any] = {"limit": 50, "offset": 0, "where": where, "orderBy": ORDER}
        measured = Measured(
            {
                page: lambda condition=condition: _page(condition, 0),  # type: ignore[misc]
                both: lambda condition=condition: (_page(condition, 0), _count(condition)),  # type: ignore[misc]
                table: lambda request=request: web.table(**request),  # type: ignore[misc]
            },
            rounds=rounds,
        )
        print(f"\nA page of 50 among {MANY:,} programs, with the count: {title}")
        print(measured.table(to=both))
        print(f"  the table, compared with the page alone: {str(measured.ratio(table, page)).strip()}")
        missed += _missed(f"page of 50, {title}: at most 10 x page and count", measured.ratio(table, both).median <= 10)
    return missed


def deep_pages(web: Web, *, rounds: int) -> None:
    """What an offset costs: the table, which joins late, beside plain OFFSET; both without the count's share."""
    first = "offset 0, plain SQL"
    contestants: dict[str, Any] = {}
    for offset in (0, 10_000, 100_000, 500_000):
        request = {"limit": 50, "offset": offset, "where": [["status", "=", 0]], "orderBy": ORDER}
        contestants[f"offset {offset:,}, plain SQL"] = lambda offset=offset: _page(_ACTIVE, offset)
        contestants[f"offset {offset:,}, the table (HTTP, with the count)"] = lambda request=request: web.table(
            **request
        )
    measured = Measured(contestants, rounds=rounds)
    print("\nDeep offsets, a page of 50 among 600,000 matching")
    print(measured.table(to=first))


def _copy(sql: str) -> int:
    connection.ensure_connection()
    with connection.connection.cursor() as cursor, cursor.copy(f"COPY ({sql}) TO STDOUT") as copy:
        return sum(len(block) for block in copy)


def _page(condition: str, offset: int) -> list[Any]:
    return _fetch(
        f"SELECT {COLUMNS} FROM programs_program WHERE {condition} "  # noqa: S608  (our own texts)
        f"ORDER BY sort_index, id LIMIT 50 OFFSET {offset}"
    )


def _count(condition: str) -> list[Any]:
    return _fetch(f"SELECT count(*) FROM programs_program WHERE {condition}")  # noqa: S608


def _fetch(sql: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[Any] = cursor.fetchall()
        return rows


def _growth(web: Web, request: Any) -> float:
    """How much more the worker held at its peak than before, in MiB."""
    before = web.memory()
    web.forget_peak()
    for _ in range(3):
        request()
    return max(0.0, web.peak_memory() - before)


def _missed(goal: str, reached: bool) -> list[str]:  # noqa: FBT001  (reads as a sentence where it is called)
    return [] if reached else [goal]
