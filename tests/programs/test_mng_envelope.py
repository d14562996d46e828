"""The envelope over HTTP: what is wrong is said in the documented shape, and nothing is written."""

import json
import logging
from typing import Any

import pytest
from django.test import Client

from propdesk.lib.access.models import ApiToken
from propdesk.lib.mng import commands
from propdesk.lib.mng.commands import Command
from propdesk.lib.mng.inputs import CommandInput
from propdesk.lib.times import utc_now
from tests.programs.calls import Mng
from tests.programs.programs import everything

pytestmark = pytest.mark.usefixtures("groups")

STEP = {"phase_index": 1, "name": "Evaluation", "account_group": "PROP_DEMO_USD"}
PROGRAM = {"brand": "default", "name": "P", "price": 499.0, "price_currency": "USD", "steps": [STEP]}


@pytest.fixture(autouse=True)
def nothing_written(db: None) -> Any:
    before = everything()
    yield
    assert everything() == before


def error(response: Any) -> tuple[int, str, str]:
    """HTTP status, code and extID of a failure, whose shape is checked."""
    answer = json.loads(response.getvalue())
    assert list(answer) == ["extID", "status", "error", "message", "data"]
    assert answer["status"] == response.status_code
    assert answer["message"]
    assert response["Content-Type"] == "application/json"
    return response.status_code, answer["error"], answer["extID"]


# --- Who speaks ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["Bearer {}", "bearer {}", "{}"])
def test_a_token_may_be_a_bearer_or_bare(mng: Mng, header: str) -> None:
    response = mng.post({"command": "Nope"}, HTTP_AUTHORIZATION=header.format(mng.secret))

    assert error(response) == (405, "UNKNOWN_COMMAND", "")


def test_a_token_may_be_in_the_document(mng: Mng) -> None:
    body = {"command": "MngGetPropProgram", "extID": "x", "data": {"id": 1}, "__token": mng.secret}

    assert error(mng.post(body, HTTP_AUTHORIZATION="")) == (404, "NOT_FOUND", "x")


@pytest.mark.parametrize("header", ["", "Bearer wrong", "wrong", "Basic YTpi", "Bearer a b", "Bearer"])
def test_without_a_good_token_nothing_is_answered(mng: Mng, header: str) -> None:
    response = mng.post({"command": "MngGetPropProgram", "extID": "x", "data": {"id": 1}}, HTTP_AUTHORIZATION=header)

    assert error(response) == (401, "UNAUTHORIZED", "x")
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("token", [5, None, "", "wrong", ["a"]])
def test_a_bad_token_in_the_document_is_refused(mng: Mng, token: Any) -> None:
    body = {"command": "MngGetPropProgram", "extID": "x", "__token": token}

    assert error(mng.post(body, HTTP_AUTHORIZATION="")) == (401, "UNAUTHORIZED", "x")


def test_a_revoked_token_is_refused(mng: Mng) -> None:
    ApiToken.objects.update(revoked_at=utc_now())

    assert error(mng.post({"command": "Nope"}))[:2] == (401, "UNAUTHORIZED")


# --- The document ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "INVALID_DATA"),
        (b"{", 400, "INVALID_DATA"),
        (b"null", 400, "INVALID_DATA"),
        (b"[]", 400, "INVALID_DATA"),
        (b'"text"', 400, "INVALID_DATA"),
        (b"\xff\xfe", 400, "INVALID_DATA"),
        (b"{}", 400, "INVALID_DATA"),
        (b'{"command": 5}', 400, "INVALID_DATA"),
        (b'{"command": null}', 400, "INVALID_DATA"),
        (b'{"command": ["MngGetPropProgram"]}', 400, "INVALID_DATA"),
        (b'{"command": "MngGetPropProgram", "extID": 1}', 400, "INVALID_DATA"),
        (b'{"command": "Nope"}', 405, "UNKNOWN_COMMAND"),
        (b'{"command": ""}', 405, "UNKNOWN_COMMAND"),
        (b'{"command": "mnggetpropprogram"}', 405, "UNKNOWN_COMMAND"),
        (b'{"command": "MngGetPropProgram", "command": "Nope"}', 400, "INVALID_DATA"),
        (b'{"command": "MngGetPropProgram", "data": {"id": NaN}}', 400, "INVALID_DATA"),
        (b'{"command": "MngGetPropProgram", "data": {"id": 1e999}}', 400, "INVALID_DATA"),
        (b'{"command": "MngGetPropProgram", "data": {"id": "\\u0000"}}', 400, "INVALID_DATA"),
        (b"[" * 5000, 400, "INVALID_DATA"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, 400, "INVALID_DATA"),
        (b" " * 10_000_000, 413, "TOO_LARGE"),
    ],
)
def test_a_malformed_document_is_refused(mng: Mng, body: bytes, status: int, code: str) -> None:
    assert error(mng.post(body))[:2] == (status, code)


@pytest.mark.parametrize("data", [None, [], "x", 5, True])
def test_data_that_is_no_object_is_refused(mng: Mng, data: Any) -> None:
    response = mng.post({"command": "MngGetPropProgram", "extID": "7", "data": data})

    assert error(response) == (400, "INVALID_DATA", "7")


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_post_is_spoken(mng: Mng, method: str) -> None:
    response = getattr(Client(), method)("/api/v1/mng", HTTP_AUTHORIZATION=mng.secret)

    assert error(response)[:2] == (405, "METHOD_NOT_ALLOWED")


def test_a_form_is_refused(mng: Mng) -> None:
    response = Client().post("/api/v1/mng", {"command": "X"}, HTTP_AUTHORIZATION=mng.secret)

    assert error(response)[:2] == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_what_nobody_foresaw_is_a_500_without_a_traceback(mng: Mng, monkeypatch: Any, caplog: Any) -> None:
    def broken(*_: Any) -> dict[str, Any]:
        raise RuntimeError("the secret reason")

    monkeypatch.setitem(commands._commands, "Broken", Command("Broken", CommandInput, broken))
    with caplog.at_level(logging.CRITICAL):
        response = mng.post({"command": "Broken", "extID": "9"})

    assert error(response) == (500, "INTERNAL_ERROR", "9")
    assert b"secret reason" not in response.content
    assert b"Traceback" not in response.content


# --- Fields of the commands -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["1", 1.0, 1.5, True, None, [], {}, 2**63, -(2**63) - 1])
def test_an_id_is_a_64_bit_integer(mng: Mng, value: Any) -> None:
    assert mng.refusal("MngGetPropProgram", {"id": value}) == ["id"]


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1])
@pytest.mark.parametrize("command", ["MngGetPropProgram", "MngUpdatePropProgram", "MngDeletePropProgram"])
def test_an_id_that_nobody_has_is_not_found(mng: Mng, command: str, value: int) -> None:
    answer = mng(command, {"id": value})

    assert (answer["status"], answer["error"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"brand": 5}, "brand"),
        ({"brand": ""}, "brand"),
        ({"brand": "x" * 65}, "brand"),
        ({"name": None}, "name"),
        ({"description": ["x"]}, "description"),
        ({"price": "499"}, "price"),
        ({"price": True}, "price"),
        ({"price": None}, "price"),
        ({"price": 499.001}, "price"),
        ({"price": 10**30}, "price"),
        ({"price_currency": "usd"}, "price_currency"),
        ({"price_currency": "DOLLAR"}, "price_currency"),
        ({"status": 3}, "status"),
        ({"status": "0"}, "status"),
        ({"sort_index": 2**31}, "sort_index"),
        ({"sort_index": 1.5}, "sort_index"),
        ({"demo_group": 1}, "demo_group"),
        ({"day_reset_time": "25:00"}, "day_reset_time"),
        ({"day_reset_time": 17}, "day_reset_time"),
        ({"day_reset_timezone": "Nowhere"}, "day_reset_timezone"),
        ({"day_reset_timezone": "../../etc/passwd"}, "day_reset_timezone"),
        ({"colour": "red"}, "colour"),
        ({"profit_split": 0.8}, "profit_split"),
        ({"id": 5}, "id"),
        ({"steps": None}, "steps"),
        ({"steps": {}}, "steps"),
        ({"steps": "x"}, "steps"),
        ({"steps": []}, "steps"),
        ({"steps": [STEP] * 200}, "steps"),
        ({"steps": [5]}, "steps[0]"),
        ({"steps": [STEP, None]}, "steps[1]"),
        ({"steps": [{}]}, "steps[0].phase_index"),
        ({"steps": [{**STEP, "phase_index": "1"}]}, "steps[0].phase_index"),
        ({"steps": [{**STEP, "phase_type": "0"}]}, "steps[0].phase_type"),
        ({"steps": [{**STEP, "account_group": None}]}, "steps[0].account_group"),
        ({"steps": [{**STEP, "account_group": "NOWHERE"}]}, "steps[0].account_group"),
        ({"steps": [{**STEP, "max_daily_loss_pct": "5"}]}, "steps[0].max_daily_loss_pct"),
        ({"steps": [{**STEP, "max_daily_loss_pct": None}]}, "steps[0].max_daily_loss_pct"),
        ({"steps": [{**STEP, "max_daily_loss_pct": 100.01}]}, "steps[0].max_daily_loss_pct"),
        ({"steps": [{**STEP, "duration_days": 30.5}]}, "steps[0].duration_days"),
        ({"steps": [{**STEP, "duration_days": 10**30}]}, "steps[0].duration_days"),
        ({"steps": [{**STEP, "weekend_holding_allowed": 1}]}, "steps[0].weekend_holding_allowed"),
        ({"steps": [{**STEP, "daily_loss_base": "equity"}]}, "steps[0].daily_loss_base"),
        ({"steps": [{**STEP, "initial_balance": 5}]}, "steps[0].initial_balance"),
        ({"steps": [{**STEP, "max_loss": 5}]}, "steps[0].max_loss"),
        ({"steps": [STEP, {**STEP, "phase_index": 2, "oops": 1}]}, "steps[1].oops"),
    ],
)
def test_a_wrong_field_is_named_by_its_path(mng: Mng, changes: dict[str, Any], field: str) -> None:
    assert field in mng.refusal("MngCreatePropProgram", {**PROGRAM, **changes})


def test_every_missing_field_is_named(mng: Mng) -> None:
    fields = mng.refusal("MngCreatePropProgram", {})

    assert fields == ["brand", "name", "price", "price_currency", "steps"]


def test_the_message_names_path_and_reason(mng: Mng) -> None:
    answer = mng("MngCreatePropProgram", {**PROGRAM, "steps": [{**STEP, "account_group": "PROP_REAL_USD"}]})

    reason = "An evaluation step needs a DEMO group; PROP_REAL_USD is REAL."
    assert answer["message"] == f"steps[0].account_group: {reason}"
    assert answer["data"] == {"errors": [{"field": "steps[0].account_group", "message": reason}]}


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ({"offset": 0}, "limit"),
        ({"limit": 1}, "offset"),
        *(({"limit": limit, "offset": 0}, "limit") for limit in (0, -1, 50_001, "50", True, None, 1.0, 10**30)),
        *(({"limit": 1, "offset": offset}, "offset") for offset in (-1, 10**30, 2**63, "0", False, None, 0.5)),
        ({"limit": 1, "offset": 0, "where": {}}, "where"),
        ({"limit": 1, "offset": 0, "where": None}, "where"),
        ({"limit": 1, "offset": 0, "orderBy": "id"}, "orderBy"),
        ({"limit": 1, "offset": 0, "orderBy": [["?", "asc"]]}, "orderBy[0]"),
        ({"limit": 1, "offset": 0, "having": []}, "having"),
    ],
)
def test_a_wrong_page_is_named(mng: Mng, page: dict[str, Any], field: str) -> None:
    assert mng.refusal("MngGetPropProgramsByFilter", page) == [field]


@pytest.mark.parametrize("page", [{"limit": 1, "offset": 2**63 - 1}, {"limit": 50_000, "offset": 0}])
def test_the_widest_page_is_taken(mng: Mng, page: dict[str, Any]) -> None:
    assert mng.data("MngGetPropProgramsByFilter", page)["rows"] == []
