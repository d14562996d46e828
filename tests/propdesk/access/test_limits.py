"""What a token may ask for: a steady rate and bursts, with the time passed in."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from propdesk.lib.access.limits import spend_request
from propdesk.lib.access.models import ApiToken, TokenAllowance
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import TooManyRequestsError

NOW = datetime(2026, 5, 7, 13, 20, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def limit(settings: Any) -> None:
    settings.RATE_LIMIT_PER_SECOND, settings.RATE_LIMIT_BURST = 10, 5


def make_token(name: str = "anna") -> tuple[ApiToken, str]:
    user, _ = User.objects.get_or_create(username=name)
    grant_session(user=user, session=Session.MANAGER)
    return issue_token(user=user, session=Session.MANAGER, name="test", by=Actor("test"), now=NOW)


def spend(token: ApiToken, seconds: float = 0) -> None:
    spend_request(token=token, now=NOW + timedelta(seconds=seconds))


def refused(token: ApiToken, seconds: float = 0) -> bool:
    before = list(TokenAllowance.objects.values())
    try:
        spend(token, seconds)
    except TooManyRequestsError:
        assert list(TokenAllowance.objects.values()) == before
        return True
    return False


def test_a_burst_passes_and_one_more_does_not() -> None:
    token, _ = make_token()

    assert [refused(token) for _ in range(7)] == [False] * 5 + [True] * 2


def test_after_a_burst_requests_pass_at_the_steady_rate() -> None:
    token, _ = make_token()
    for _ in range(5):
        spend(token)

    assert refused(token, 0.099)
    assert not refused(token, 0.1)
    assert refused(token, 0.1)
    assert not refused(token, 0.2)


def test_the_steady_rate_passes_for_ever() -> None:
    token, _ = make_token()

    assert not any(refused(token, tenth / 10) for tenth in range(50))


def test_a_rest_saves_up_one_burst_and_no_more() -> None:
    token, _ = make_token()
    for _ in range(5):
        spend(token)

    assert [refused(token, 86_400) for _ in range(6)] == [False] * 5 + [True]


def test_each_token_has_its_own_allowance() -> None:
    first, second = make_token()[0], make_token()[0]
    for _ in range(5):
        spend(first)

    assert refused(first)
    assert not refused(second)


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    token, _ = make_token()
    for _ in range(5):
        spend(token, 10)

    assert refused(token, 9)


def test_the_refusal_says_when_to_come_back(settings: Any) -> None:
    settings.RATE_LIMIT_PER_SECOND, settings.RATE_LIMIT_BURST = 0.3, 1
    token, _ = make_token()
    spend(token)

    with pytest.raises(
        TooManyRequestsError, match=r"This token may make 0\.3 requests a second, and 1 at once"
    ) as refusal:
        spend(token)

    assert refusal.value.headers() == {"Retry-After": "4"}


def test_without_a_limit_nothing_is_counted(settings: Any) -> None:
    settings.RATE_LIMIT_PER_SECOND = 0
    token, _ = make_token()

    assert not any(refused(token) for _ in range(10))
    assert not TokenAllowance.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "in_envelope"),
    [("post", "/api/v1/mng", True), ("get", "/api/v1/programs/", False), ("get", "/client/prop/programs", False)],
)
def test_every_surface_answers_429_in_its_own_shape(settings: Any, method: str, path: str, in_envelope: bool) -> None:
    settings.RATE_LIMIT_PER_SECOND, settings.RATE_LIMIT_BURST = 0.001, 1
    _, secret = make_token()
    Client().get("/api/v1/programs/", HTTP_AUTHORIZATION=secret)

    response = getattr(Client(), method)(path, HTTP_AUTHORIZATION=secret)

    answer = response.json()
    assert (response.status_code, answer["error"], response["Retry-After"]) == (429, "TOO_MANY_REQUESTS", "1000")
    assert ("extID" in answer) is in_envelope


def test_a_token_in_the_document_is_limited_too(settings: Any) -> None:
    settings.RATE_LIMIT_PER_SECOND, settings.RATE_LIMIT_BURST = 0.001, 1
    _, secret = make_token()
    body = {"command": "MngGetPropProgram", "extID": "3", "data": {"id": 1}, "__token": secret}

    answers = [Client().post("/api/v1/mng", body, content_type="application/json").json() for _ in range(2)]

    assert [(answer["extID"], answer["status"]) for answer in answers] == [("3", 404), ("3", 429)]


def test_health_pages_and_the_documentation_are_never_limited(settings: Any) -> None:
    settings.RATE_LIMIT_PER_SECOND, settings.RATE_LIMIT_BURST = 0.001, 1
    _, secret = make_token()

    for path in ("/healthz", "/readyz", "/api/docs"):
        statuses = {Client().get(path, HTTP_AUTHORIZATION=secret).status_code for _ in range(3)}
        assert 429 not in statuses, path
    assert not TokenAllowance.objects.exists()


def test_counting_is_not_logged_by_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'access_tokenallowance'")
        assert cursor.fetchone() == ("u",)
