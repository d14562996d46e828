import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from propdesk.lib.access.models import ApiToken, SignInAttempts
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.signing_in import LOCKED_FOR, MAX_FAILURES, sign_in
from propdesk.lib.access.tokens import grant_session, token_for
from propdesk.lib.mng.errors import TooManyRequestsError, UnauthorizedError
from propdesk.lib.times import utc_now

NOW = datetime(2026, 5, 7, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def user(settings: Any) -> User:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    user = User.objects.create_user("carla", password="right")
    grant_session(user=user, session=Session.CRM_MANAGER)
    return user


def post(body: Any) -> tuple[int, dict[str, Any]]:
    response = Client().post("/api/v1/auth/token", json.dumps(body), content_type="application/json")
    return response.status_code, json.loads(response.content)


def test_a_password_gives_a_token_of_the_users_only_session() -> None:
    status, answer = post({"username": "carla", "password": "right"})

    assert (status, answer["session"]) == (200, "SESSION_CRM_MANAGER")
    token = token_for(answer["token"], now=utc_now())
    assert datetime.fromisoformat(answer["expires_at"]) == token.expires_at
    assert timedelta(hours=11) < token.expires_at - utc_now() <= timedelta(hours=12)


def test_with_two_sessions_one_must_be_chosen(user: User) -> None:
    grant_session(user=user, session=Session.ADMIN)

    status, answer = post({"username": "carla", "password": "right"})
    assert (status, answer["error"], answer["errors"][0]["field"]) == (400, "INVALID_DATA", "session")

    status, answer = post({"username": "carla", "password": "right", "session": "SESSION_ADMIN"})
    assert (status, answer["session"]) == (200, "SESSION_ADMIN")


def test_a_session_the_user_does_not_have_is_refused() -> None:
    status, answer = post({"username": "carla", "password": "right", "session": "SESSION_ADMIN"})

    assert (status, answer["error"]) == (403, "PERMISSION_DENIED")
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(("username", "password"), [("carla", "wrong"), ("nobody", "right")])
def test_a_wrong_name_and_a_wrong_password_read_the_same(username: str, password: str) -> None:
    status, answer = post({"username": username, "password": password})

    assert (status, answer) == (401, {"error": "UNAUTHORIZED", "message": "Wrong username or password."})


def test_a_disabled_user_gets_no_token() -> None:
    User.objects.update(is_active=False)

    assert post({"username": "carla", "password": "right"})[0] == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": "carla"}, "password"),
        ({"username": 5, "password": "right"}, "username"),
        ({"username": "carla", "password": "right", "session": "SESSION_KING"}, "session"),
        ({"username": "carla", "password": "right", "otp": "1"}, "otp"),
        ([], ""),
    ],
)
def test_a_malformed_request_names_the_field(body: Any, field: str) -> None:
    status, answer = post(body)

    assert (status, answer["error"]) == (400, "INVALID_DATA")
    assert field in [problem["field"] for problem in answer["errors"]]


def fail(times: int) -> None:
    for _ in range(times):
        with pytest.raises(UnauthorizedError):
            sign_in(username="carla", password="wrong", session=None, now=NOW)


def test_after_ten_failures_even_the_right_password_waits() -> None:
    fail(MAX_FAILURES)

    with pytest.raises(TooManyRequestsError) as refusal:
        sign_in(username="carla", password="right", session=None, now=NOW + timedelta(minutes=5))

    assert refusal.value.retry_after == 600
    assert not ApiToken.objects.exists()


def test_the_lock_ends_after_its_time() -> None:
    fail(MAX_FAILURES)

    assert sign_in(username="carla", password="right", session=None, now=NOW + LOCKED_FOR).secret


def test_a_success_forgets_the_failures() -> None:
    fail(MAX_FAILURES - 1)
    sign_in(username="carla", password="right", session=None, now=NOW)

    assert not SignInAttempts.objects.exists()
    fail(MAX_FAILURES - 1)
    assert sign_in(username="carla", password="right", session=None, now=NOW).secret


def test_old_failures_do_not_pile_up() -> None:
    fail(1)
    with pytest.raises(UnauthorizedError):
        sign_in(username="someone", password="x", session=None, now=NOW + LOCKED_FOR)

    assert list(SignInAttempts.objects.values_list("username", flat=True)) == ["someone"]
