"""The challenge commands of the Mng surface, over HTTP."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token
from propdesk.lib.times import unix
from tests.challenges.firm import TESTER, Firm


@pytest.fixture
def command(firm: Firm) -> Any:
    user = User.objects.create_user(username="manager")
    grant_session(user=user, session=Session.MANAGER)
    _, secret = issue_token(user=user, session=Session.MANAGER, name="test", by=TESTER, now=firm.clock())

    def send(name: str, **data: Any) -> Any:
        body = {"command": name, "extID": "1", "data": data}
        headers = {"authorization": f"Bearer {secret}"}
        return Client().post("/api/v1/mng", body, content_type="application/json", headers=headers).json()

    return send


@pytest.mark.parametrize("name", ["MngGetPropChallangesByFilter", "MngGetPropChallengesByFilter"])
def test_the_table_of_challenges_has_the_documented_columns(firm: Firm, command: Any, name: str) -> None:
    firm.challenge(firm.program())
    newest = firm.challenge(firm.program())

    answer = command(name, limit=1, offset=0, where=[["status", "=", 1]], orderBy=[["id", "desc"]])

    started = unix(newest.started_at)
    assert answer["status"] == 200
    assert answer["data"] == {
        "structure": [
            "id", "purchase_id", "program_id", "program_name", "customer_id", "account_login", "current_phase_index",
            "status", "start_time", "end_time", "created_time", "updated_time",
        ],
        "rows": [[
            newest.pk, newest.purchase_id, newest.program_id, "Evaluation 100K", newest.customer_id,
            newest.account_login, 1, 1, started, 0, started, started,
        ]],
        "count": 2,
    }  # fmt: skip


def test_the_program_name_may_not_be_filtered_by(firm: Firm, command: Any) -> None:
    answer = command("MngGetPropChallangesByFilter", limit=1, offset=0, where=[["program_name", "=", "x"]])

    assert (answer["status"], answer["error"]) == (400, "INVALID_DATA")


def test_one_challenge_comes_with_its_phases(firm: Firm, command: Any) -> None:
    challenge = firm.challenge(firm.program())

    answer = command("MngGetPropChallenge", id=challenge.pk)

    assert answer["data"]["challenge"]["id"] == challenge.pk
    assert [phase["phase_index"] for phase in answer["data"]["phases"]] == [1]


def test_a_challenge_that_is_not_there_is_not_found(firm: Firm, command: Any) -> None:
    answer = command("MngGetPropChallenge", id=999_999)

    assert (answer["status"], answer["error"]) == (404, "NOT_FOUND")
