"""Pages of many rows: the same text as a small page, streamed, and safe from what happens while it is read."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from programs.api.commands import PROGRAMS
from programs.models import Program
from propdesk.lib.mng import table
from propdesk.lib.mng.renderers import json_response, to_json
from propdesk.lib.mng.rows import CHUNK, Rows
from tests.programs.calls import Mng

NOW = datetime(2026, 5, 7, 13, 20, tzinfo=UTC)
COMMAND = "MngGetPropProgramsByFilter"

pytestmark = pytest.mark.django_db


@pytest.fixture
def many() -> int:
    """Two and a half chunks of programs, in reverse sort order; every third is disabled."""
    count = CHUNK * 5 // 2
    Program.objects.bulk_create(
        Program(
            name=f"Program {number} €", price=Decimal(number) / 100, sort_index=-number, status=int(number % 3 == 0),
            created_at=NOW, updated_at=NOW,
        )
        for number in range(1, count + 1)
    )  # fmt: skip
    return count


def read(**request: Any) -> dict[str, Any]:
    """The page as a reader of its JSON gets it."""
    page: dict[str, Any] = json.loads(to_json(PROGRAMS.read(Program.objects.all(), request)))
    return page


def numbers(page: dict[str, Any]) -> list[int]:
    return [round(row[5] * 100) for row in page["rows"]]


def test_a_big_page_is_streamed_and_complete(mng: Mng, many: int) -> None:
    response = mng.post({"command": COMMAND, "extID": "7", "data": {"limit": 50_000, "offset": 0}})

    assert isinstance(response, StreamingHttpResponse)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    pieces = list(response)
    assert [piece.count(b'"USD"') for piece in pieces if b'"USD"' in piece] == [CHUNK, CHUNK, CHUNK // 2]
    answer = json.loads(b"".join(pieces))
    assert list(answer) == ["extID", "status", "data"]
    assert (answer["extID"], answer["data"]["count"]) == ("7", many)
    assert numbers(answer["data"]) == list(range(1, many + 1))


def test_a_page_of_a_thousand_rows_is_sent_whole(mng: Mng, many: int) -> None:
    response = mng.post({"command": COMMAND, "extID": "7", "data": {"limit": CHUNK, "offset": 0}})

    assert not response.streaming
    assert len(json.loads(response.getvalue())["data"]["rows"]) == CHUNK


def test_the_rest_table_streams_the_same_rows(secret: str, many: int) -> None:
    body = json.dumps({"limit": 50_000, "offset": 0})
    response = Client().post(
        "/api/v1/programs/by-filter/", body, content_type="application/json", HTTP_AUTHORIZATION=secret
    )

    assert response.streaming
    assert numbers(json.loads(b"".join(response))) == list(range(1, many + 1))


def test_a_refusal_of_a_big_page_is_an_envelope(mng: Mng, many: int) -> None:
    answer = mng(COMMAND, {"limit": 50_000, "offset": 0, "where": [["nope", "=", 1]]})

    assert (answer["status"], answer["error"]) == (400, "INVALID_DATA")


def test_what_the_database_refuses_fails_before_the_first_byte(many: int) -> None:
    broken = Program.objects.extra(select={"late": "1 / (2500 - programs_program.sort_index * -1)"})

    with pytest.raises(DatabaseError, match="division by zero"):
        Rows(broken.order_by("-sort_index").values_list("id", "late"))


def test_a_reader_holds_no_connection(many: int) -> None:
    reader = json_response(PROGRAMS.read(Program.objects.all(), {"limit": 50_000, "offset": 0}))

    with CaptureQueriesContext(connection) as queries:
        assert numbers(json.loads(b"".join(reader))) == list(range(1, many + 1))
        assert Program.objects.count() == many
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("limit", "offset", "rows"), [(CHUNK + 1, 0, CHUNK + 1), (CHUNK + 1, 2000, 500), (2500, 0, 2500), (2501, 0, 2500),
                                  (10, 2495, 5), (10, 2500, 0), (2000, 2500, 0), (2000, 2**63 - 1, 0)],
)  # fmt: skip
def test_the_count_is_the_total_wherever_the_page_ends(many: int, limit: int, offset: int, rows: int) -> None:
    page = read(limit=limit, offset=offset)

    assert (len(page["rows"]), page["count"]) == (rows, many)


@pytest.mark.parametrize("limit", [10, 50_000])
def test_a_condition_that_nothing_can_meet_gives_no_rows(many: int, limit: int) -> None:
    page = read(limit=limit, offset=0, whereIn=[["status", []]])

    assert (page["rows"], page["count"]) == ([], 0)


@pytest.mark.parametrize("limit", [10, 50_000])
def test_a_page_that_is_not_full_needs_no_count(many: int, limit: int) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert read(limit=limit, offset=0, where=[["price", "<=", Decimal("0.05")]])["count"] == 5
    assert not any("COUNT(" in query["sql"] for query in queries)


@pytest.mark.parametrize("order", [[], [["sort_index", "asc"]], [["created_time", "asc"], ["name", "desc"]]])
@pytest.mark.parametrize("where", [[], [["status", "=", 0], ["price", ">", 1]], [["updated_time", ">", 0]]])
@pytest.mark.parametrize("offset", [999, 1000, 1500])
def test_a_deep_page_holds_the_rows_that_a_long_one_holds_there(
    many: int, order: list[Any], where: list[Any], offset: int
) -> None:
    request = {"where": where, "orderBy": order}
    everything = read(**request, limit=50_000, offset=0)

    page = read(**request, limit=20, offset=offset)

    assert page["rows"] == everything["rows"][offset : offset + 20]
    assert page["count"] == everything["count"]


def test_a_deep_page_reads_only_ids_of_what_it_skips(many: int, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2) as queries:  # the second one counts
        PROGRAMS.read(Program.objects.all(), {"limit": 20, "offset": table.DEEP_OFFSET})

    assert 'IN (SELECT U0."id" AS "pk" FROM "programs_program" U0 ORDER BY 1 ASC LIMIT 20' in queries[0]["sql"]


def test_rows_print_as_a_json_array_wherever_they_stand(many: int) -> None:
    some = Program.objects.order_by("-sort_index").values_list("name", "sort_index")
    none = Rows(some.filter(sort_index__gt=0))
    two = Rows(some[:2])

    text = to_json({"a": [none, {"b": two}], "nul": "\x00", "price": Decimal("0.5")})

    assert text.decode() == ('{"a":[[],{"b":[["Program 1 €",-1],["Program 2 €",-2]]}],"nul":"\\u0000","price":0.5}')
