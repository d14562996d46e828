"""`/api/v1/programs/`, the schema and the pages around it."""

import json
from typing import Any

import pytest
from django.test import Client

from programs.models import Program
from programs.services import save_program
from propdesk.lib.actors import Actor
from propdesk.lib.times import utc_now
from tests.programs.calls import Mng
from tests.programs.programs import EVALUATION, TWO_STEPS

pytestmark = pytest.mark.usefixtures("groups")

STEP = {"phase_index": 1, "name": "Evaluation", "account_group": "PROP_DEMO_USD"}
PROGRAM = {"brand": "default", "name": "P", "price": 499.0, "price_currency": "USD", "steps": [STEP]}


class Rest:
    def __init__(self, secret: str) -> None:
        self.secret = secret

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        response = getattr(Client(), method)(f"/api/v1/{path}", **content, HTTP_AUTHORIZATION=f"Bearer {self.secret}")
        assert response["Content-Type"] == "application/json"
        return response.status_code, json.loads(response.content)


@pytest.fixture
def rest(secret: str) -> Rest:
    return Rest(secret)


def make(name: str, **fields: Any) -> Program:
    return save_program(data={**TWO_STEPS, "name": name, **fields}, by=Actor("anna"), now=utc_now())


def test_a_program_lives_through_the_resource_as_through_the_commands(rest: Rest, mng: Mng) -> None:
    status, created = rest("post", "programs/", PROGRAM)
    number = created["program"]["id"]
    assert status == 201
    assert created == mng.data("MngGetPropProgram", {"id": number})

    status, changed = rest("patch", f"programs/{number}/", {"name": "Q", "version": 1})
    assert (status, changed["program"]["name"], changed["program"]["version"]) == (200, "Q", 2)
    assert rest("get", f"programs/{number}/") == (200, changed)

    status, deleted = rest("delete", f"programs/{number}/")
    assert (status, deleted["counters"]["phases"]) == (200, 1)
    assert rest("get", f"programs/{number}/")[0] == 404


@pytest.mark.parametrize("body", [[], [1], "name", 1, False])
def test_an_update_that_is_no_object_is_refused_and_changes_nothing(rest: Rest, body: Any) -> None:
    program = make("A")

    status, answer = rest("patch", f"programs/{program.pk}/", body)

    assert (status, answer["error"], answer["message"]) == (400, "INVALID_DATA", "An object is required.")
    assert Program.objects.get(pk=program.pk).version == program.version


def test_a_stale_update_is_a_conflict(rest: Rest) -> None:
    program = make("A")

    status, answer = rest("patch", f"programs/{program.pk}/", {"name": "B", "version": 7})

    assert (status, answer["error"]) == (409, "CONFLICT")
    assert Program.objects.get().name == "A"


def test_a_refusal_names_the_field(rest: Rest) -> None:
    status, answer = rest("post", "programs/", {**PROGRAM, "steps": [{**STEP, "account_group": "X"}]})

    assert (status, answer["error"]) == (400, "INVALID_DATA")
    reason = "There is no account group 'X'."
    assert answer["errors"] == [{"field": "steps[0].account_group", "message": reason}]
    assert answer["message"] == f"steps[0].account_group: {reason}"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["B", "A", "C"]),
        ("?ordering=price", ["A", "C", "B"]),
        ("?ordering=-price", ["B", "C", "A"]),
        ("?status=1", ["C"]),
        ("?name=b", ["B"]),
        ("?price_min=400&price_max=499", ["C"]),
        ("?limit=1&offset=1", ["A"]),
        ("?brand=nobody", []),
        ("?demo_group=PROP_DEMO_USD&price_currency=USD", ["B", "A", "C"]),
        ("?offset=1000000000000000000000000000000", []),
    ],
)
def test_the_list_is_filtered_ordered_and_paged(rest: Rest, query: str, expected: list[str]) -> None:
    make("A", price=100, sort_index=2)
    make("B", price=500, sort_index=1)
    make("C", price=450, sort_index=3, status=1)

    status, page = rest("get", f"programs/{query}")

    assert status == 200
    assert [row["name"] for row in page["results"]] == expected
    assert list(page) == ["count", "next", "previous", "results"]


@pytest.mark.parametrize("query", ["?status=x", "?price_min=NaN", "?price_min=1e999", "?name=%00", "?status=7"])
def test_a_wrong_filter_is_refused(rest: Rest, query: str) -> None:
    status, answer = rest("get", f"programs/{query}")

    assert (status, answer["error"]) == (400, "INVALID_DATA")
    assert answer["errors"][0]["field"] == query[1:].partition("=")[0]


def test_the_list_costs_the_same_queries_for_any_number_of_rows(rest: Rest, django_assert_max_num_queries: Any) -> None:
    for index in range(12):
        make(f"P{index}", steps=[EVALUATION])

    with django_assert_max_num_queries(7):
        rest("get", "programs/")


def test_the_table_is_there_too(rest: Rest) -> None:
    make("A")

    status, table = rest("post", "programs/by-filter/", {"limit": 10, "offset": 0})

    assert (status, table["count"], table["structure"][0]) == (200, 1, "id")


@pytest.mark.parametrize("path", ["/api/v1/nope", "/client/nope", "/api/v1/programs/x/"])
def test_an_unknown_address_is_a_json_404(path: str) -> None:
    response = Client().get(path)

    assert (response.status_code, response["Content-Type"]) == (404, "application/json")
    assert json.loads(response.content)["error"] == "NOT_FOUND"


def test_the_schema_and_its_page_open_without_a_token() -> None:
    schema = Client().get("/api/schema?format=json")

    paths = json.loads(schema.content)["paths"]
    assert {"/api/v1/mng", "/api/v1/programs/", "/api/v1/programs/{id}/", "/api/v1/auth/token"} <= set(paths)
    page = Client().get("/api/docs")
    assert page.status_code == 200
    assert b"https://" not in page.content.replace(b"https://www.w3.org", b"")
