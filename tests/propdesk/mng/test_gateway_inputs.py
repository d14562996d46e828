"""Bad input over TCP: each gets a documented refusal, writes nothing, and the connection goes on."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from propdesk.lib.access.sessions import Session
from propdesk.lib.mng.parsers import MAX_BODY
from tests.database import empty_database
from tests.programs.conftest import secret_for
from tests.propdesk.mng.conftest import make_seed_groups
from tests.propdesk.mng.gateway import Client

STEP = {"phase_index": 1, "name": "Evaluation", "account_group": "PROP_DEMO_USD"}
PROGRAM = {"brand": "default", "name": "P", "price": 499.0, "price_currency": "USD", "steps": [STEP]}
PAGE = {"limit": 10, "offset": 0}
FAILURE = ["extID", "status", "error", "message", "data"]


@pytest.fixture(scope="module")
def secret(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A manager's token, made once with the groups: nothing here writes anything."""
    with django_db_blocker.unblock():
        make_seed_groups()
        yield secret_for(Session.MANAGER)
        empty_database()


@pytest.fixture(autouse=True)
def the_connection_goes_on(client: Client, secret: str) -> Iterator[None]:
    """And there is no program afterwards either."""
    yield
    answer = client.ask({"command": "MngGetPropProgramsByFilter", "extID": "after", "data": PAGE, "__token": secret})
    assert (answer["extID"], answer["status"], answer["data"]["count"]) == ("after", 200, 0)


def refusal(answer: dict[str, Any]) -> tuple[int, str, str]:
    """Status, code and extID of a failure, whose shape is checked."""
    assert list(answer) == FAILURE
    assert answer["message"]
    assert "Traceback" not in answer["message"]
    return answer["status"], answer["error"], answer["extID"]


@pytest.mark.parametrize(
    "frame",
    [
        b"", b" ", b"\n", b"\r", b"{", b"}", b"{}}", b"null", b"true", b"5", b"[]", b'"text"', b"\xff\xfe", b"\xc3",
        b"\x00", b"\xef\xbb\xbf{}", b"{'command': 'x'}", b'{"command": NaN}', b"NaN", b"[" * 5000, b"GET / HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)  # fmt: skip
def test_a_frame_that_is_no_object_is_refused(client: Client, frame: bytes):
    assert refusal(client.ask(frame)) == (400, "INVALID_DATA", "")


@pytest.mark.parametrize(
    "rest",
    [
        b'"data": {"id": NaN}}',
        b'"data": {"id": -Infinity}}',
        b'"data": {"id": 1e999}}',
        b'"data": {"id": ' + b"9" * 5000 + b"}}",
        b'"data": {"id": "\\u0000"}}',
        b'"data": {"name": "\\ud800"}}',
        b'"data": {"\\udc00": 1}}',
        b'"data": {"id": 1, "id": 2}}',
        b'"data": {"id": "\xff"}}',
        b'"data": {"id": 1}',
        b'"data": {"id": 1},}',
        b'"data": ' + b"[" * 40 + b"]" * 40 + b"}",
        b'"data": ' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}",
    ],
)
def test_a_document_that_is_refused_as_a_whole_is_answered_with_its_ext_id(client: Client, rest: bytes):
    frame = b'{"command": "MngGetPropProgram", "extID": "e7", ' + rest
    assert refusal(client.ask(frame)) == (400, "INVALID_DATA", "e7")


def test_of_two_ext_ids_none_is_answered(client: Client):
    assert refusal(client.ask(b'{"extID": "a", "data": {"extID": "b"}, ')) == (400, "INVALID_DATA", "")


@pytest.mark.parametrize("ext_id", [None, 1, 1.5, True, [], {"a": 1}])
def test_an_ext_id_that_is_no_text_is_named(client: Client, secret: str, ext_id: Any):
    answer = client.ask({"command": "MngCreatePropProgram", "extID": ext_id, "data": PROGRAM, "__token": secret})
    assert refusal(answer) == (400, "INVALID_DATA", "")
    assert answer["data"] == {"errors": [{"field": "extID", "message": "A text is required."}]}


def test_a_missing_ext_id_is_named_since_nobody_could_tell_whose_the_answer_is(client: Client, secret: str):
    answer = client.ask({"command": "MngCreatePropProgram", "data": PROGRAM, "__token": secret})
    assert refusal(answer) == (400, "INVALID_DATA", "")
    assert answer["message"] == "extID: A text is required."


@pytest.mark.parametrize("command", [None, 1, ["MngGetPropProgram"], {}])
def test_a_command_that_is_no_text_is_named(client: Client, secret: str, command: Any):
    answer = client.ask({"command": command, "extID": "c", "__token": secret})
    assert refusal(answer) == (400, "INVALID_DATA", "c")
    assert [problem["field"] for problem in answer["data"]["errors"]] == ["command"]


@pytest.mark.parametrize("command", ["", "Nope", "mnggetpropprogram", "Subscribe", "__class__", "x" * 100_000])
def test_an_unknown_command_is_said_to_be_unknown(client: Client, secret: str, command: str):
    assert refusal(client.ask({"command": command, "extID": "c", "__token": secret})) == (405, "UNKNOWN_COMMAND", "c")


@pytest.mark.parametrize("data", [None, [], "x", 5, True, [PAGE]])
def test_data_that_is_no_object_is_refused(client: Client, secret: str, data: Any):
    answer = client.ask({"command": "MngGetPropProgramsByFilter", "extID": "7", "data": data, "__token": secret})
    assert refusal(answer) == (400, "INVALID_DATA", "7")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"limit": 0, "offset": 0}, "limit"),
        ({"limit": 50_001, "offset": 0}, "limit"),
        ({"limit": "50", "offset": 0}, "limit"),
        ({"limit": True, "offset": 0}, "limit"),
        ({"limit": None, "offset": 0}, "limit"),
        ({"limit": 1.0, "offset": 0}, "limit"),
        ({"offset": 0}, "limit"),
        ({"limit": 1}, "offset"),
        ({"limit": 1, "offset": -1}, "offset"),
        ({"limit": 1, "offset": 10**30}, "offset"),
        ({**PAGE, "orderBy": [["nothing", "asc"]]}, "orderBy[0]"),
        ({**PAGE, "orderBy": [["?", "asc"]]}, "orderBy[0]"),
        ({**PAGE, "orderBy": [["phases__id", "asc"]]}, "orderBy[0]"),
        ({**PAGE, "orderBy": [["id", "up"]]}, "orderBy[0]"),
        ({**PAGE, "orderBy": [["id"]]}, "orderBy[0]"),
        ({**PAGE, "orderBy": "id"}, "orderBy"),
        ({**PAGE, "where": [["id", "="]]}, "where[0]"),
        ({**PAGE, "where": [["id", "=", 1, 2]]}, "where[0]"),
        ({**PAGE, "where": [["id", "=", "1"]]}, "where[0]"),
        ({**PAGE, "where": [["id", "=", 10**30]]}, "where[0]"),
        ({**PAGE, "where": [["id", "; drop table", 1]]}, "where[0]"),
        ({**PAGE, "where": [["name__regex", "=", "("]]}, "where[0]"),
        ({**PAGE, "where": [["id) OR (1=1", "=", 1]]}, "where[0]"),
        ({**PAGE, "where": [["password", "=", "x"]]}, "where[0]"),
        ({**PAGE, "where": [["brand", "=", "x"]] * 101}, "where"),
        ({**PAGE, "whereNot": [["id"]]}, "whereNot[0]"),
        ({**PAGE, "whereIn": [["id", 5]]}, "whereIn[0]"),
        ({**PAGE, "whereBetween": [["id", [1]]]}, "whereBetween[0]"),
        ({**PAGE, "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_part_of_a_table_request_is_named(client: Client, secret: str, data: Any, field: str):
    answer = client.ask({"command": "MngGetPropProgramsByFilter", "extID": "t", "data": data, "__token": secret})
    assert refusal(answer) == (400, "INVALID_DATA", "t")
    assert [problem["field"] for problem in answer["data"]["errors"]] == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"steps": []}, "steps"),
        ({"steps": [STEP] * 200}, "steps"),
        ({"steps": [{**STEP, "account_group": "NOWHERE"}]}, "steps[0].account_group"),
        ({"steps": [{**STEP, "duration_days": 10**30}]}, "steps[0].duration_days"),
        ({"price": "499"}, "price"),
        ({"price": 10**30}, "price"),
        ({"sort_index": 2**31}, "sort_index"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_of_a_program_is_named(client: Client, secret: str, changes: dict[str, Any], field: str):
    given = {**PROGRAM, **changes}
    answer = client.ask({"command": "MngCreatePropProgram", "extID": "p", "data": given, "__token": secret})
    assert refusal(answer) == (400, "INVALID_DATA", "p")
    assert [problem["field"] for problem in answer["data"]["errors"]] == [field]


@pytest.mark.parametrize("size", [MAX_BODY + 1, 10_000_000])
def test_an_oversized_frame_is_refused_and_skipped(client: Client, secret: str, size: int):
    start = b'{"command": "MngGetPropProgram", "extID": "big", "data": {"x": "'
    client.send(start + b"x" * (size - len(start)))
    assert refusal(client.receive()) == (413, "TOO_LARGE", "big")


def test_a_frame_of_exactly_the_limit_is_read(client: Client, secret: str):
    request = {"command": "MngGetPropProgramsByFilter", "extID": "full", "data": PAGE, "__token": secret}
    frame = json.dumps(request).encode()
    assert client.ask(frame + b" " * (MAX_BODY - len(frame)))["status"] == 200


def test_what_is_in_flight_beside_an_oversized_frame_is_answered(client: Client, secret: str):
    request = {"command": "MngGetPropProgramsByFilter", "data": PAGE, "__token": secret}
    client.send({**request, "extID": "before"}, b"x" * (MAX_BODY + 1), {**request, "extID": "behind"})
    answers = {answer["extID"]: answer["status"] for answer in (client.receive() for _ in range(3))}
    assert answers == {"before": 200, "": 413, "behind": 200}
