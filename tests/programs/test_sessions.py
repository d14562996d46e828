"""Every command times every session type: who reaches it and who does not."""

import json
from typing import Any

import pytest
from django.test import Client

from programs.api.commands import COMMANDS
from propdesk.lib.access.sessions import CUSTOMER_SESSIONS, STAFF_SESSIONS, Session
from propdesk.lib.mng.commands import Command, all_commands
from tests.programs.calls import Mng
from tests.programs.conftest import secret_for
from tests.programs.programs import everything

pytestmark = pytest.mark.django_db

STAFF = {Session.MANAGER, Session.ADMIN, Session.DEALER, Session.CRM_MANAGER, Session.CRM_ADMIN}


def test_the_five_documented_sessions_are_the_staff_ones() -> None:
    assert set(STAFF_SESSIONS) == STAFF
    assert set(CUSTOMER_SESSIONS) == {Session.CUSTOMER}


def test_every_program_command_is_registered() -> None:
    names = {command.name for command in all_commands()}

    assert names >= {
        "MngCreatePropProgram",
        "MngGetPropProgram",
        "MngUpdatePropProgram",
        "MngDeletePropProgram",
        "MngGetPropProgramsByFilter",
    }
    assert set(COMMANDS) <= set(all_commands())


@pytest.mark.parametrize("session", list(Session), ids=lambda session: session.documented)
@pytest.mark.parametrize("command", list(all_commands()), ids=lambda command: command.name)
def test_a_command_is_open_to_its_sessions_and_to_no_other(command: Command, session: Session) -> None:
    assert command.sessions == STAFF_SESSIONS, "every Mng command is documented for the five staff sessions"
    answer = Mng(Client(), secret_for(session))(command.name, {"no_such_field": 1})

    if session in STAFF:
        assert (answer["status"], answer["error"]) == (400, "INVALID_DATA")
    else:
        assert (answer["status"], answer["error"]) == (403, "PERMISSION_DENIED")


REST = [
    ("get", "/api/v1/programs/"),
    ("post", "/api/v1/programs/"),
    ("get", "/api/v1/programs/1/"),
    ("patch", "/api/v1/programs/1/"),
    ("delete", "/api/v1/programs/1/"),
    ("post", "/api/v1/programs/by-filter/"),
]


@pytest.mark.parametrize(("method", "path"), REST)
@pytest.mark.parametrize("session", list(Session), ids=lambda session: session.documented)
def test_the_resource_is_for_staff(session: Session, method: str, path: str) -> None:
    before = everything()
    response = _call(method, path, secret_for(session))

    answer = json.loads(response.content)
    if session in STAFF:
        assert response.status_code in {200, 400, 404}
    else:
        assert (response.status_code, answer["error"]) == (403, "PERMISSION_DENIED")
    assert everything() == before


@pytest.mark.parametrize(("method", "path"), REST)
def test_the_resource_needs_a_token(method: str, path: str) -> None:
    for secret in ("", "wrong"):
        response = _call(method, path, secret)
        assert (response.status_code, json.loads(response.content)["error"]) == (401, "UNAUTHORIZED")
        assert response["WWW-Authenticate"] == "Bearer"


def _call(method: str, path: str, secret: str) -> Any:
    body = {} if method == "get" else {"data": "{}", "content_type": "application/json"}
    return getattr(Client(), method)(path, **body, HTTP_AUTHORIZATION=secret)
