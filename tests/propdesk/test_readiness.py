"""/healthz and /readyz."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from propdesk.lib.processes import readiness
from propdesk.lib.processes.heartbeats import beat

pytestmark = pytest.mark.django_db
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.fixture
def all_beating(settings: Settings) -> None:
    settings.EXPECTED_PROCESSES = ["worker", "sweeper"]
    for name in ("worker", "sweeper"):
        beat(name, timezone.now())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stops for a moment is not a Redis that hangs."""
    monkeypatch.setattr(readiness, "TIMEOUT_SECONDS", 30)


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_healthz_needs_nothing(client: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.usefixtures("all_beating", "patient")
def test_ready_when_every_process_beats(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ready",
        "checks": {"database": "ok", "migrations": "ok", "worker": "ok", "sweeper": "ok", "redis": "ok"},
    }


@pytest.mark.usefixtures("all_beating")
def test_without_redis_it_is_degraded_and_still_200(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = NOWHERE
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "degraded"
    assert answer.json()["checks"]["redis"] == "unreachable"


@pytest.mark.usefixtures("all_beating")
def test_a_redis_that_hangs_is_degraded_within_a_second(client: Client, settings: Settings, silent_server: int) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{silent_server}/0"
    took = []
    for _ in range(3):
        started = time.monotonic()
        assert client.get("/readyz").json()["status"] == "degraded"
        took.append(time.monotonic() - started)
    # A loaded machine is late now and then; what is tried again takes longer each time.
    assert min(took) < 1.5


@pytest.mark.usefixtures("all_beating", "patient")
def test_while_jobs_fail_it_is_degraded_and_says_which(client: Client) -> None:
    clock, row = "ClockError: This machine's clock is off.", "KeyError: 'ann'"
    errors = {"brokers.orders": clock, "challenges.watch": "", "purchases.advance": row}
    beat("sweeper", timezone.now(), detail={name: {"last_error": error} for name, error in errors.items()})
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "degraded",
        "checks": {
            "database": "ok", "migrations": "ok", "worker": "ok", "sweeper": "ok",
            # Anyone may ask: the kind of error, not its text.
            "sweeper jobs": "brokers.orders: ClockError; purchases.advance: KeyError",
            "redis": "ok",
        },
    }  # fmt: skip


@pytest.mark.usefixtures("all_beating", "patient")
def test_it_is_ready_while_every_job_is_well(client: Client) -> None:
    beat("sweeper", timezone.now(), detail={"brokers.orders": {"last_error": ""}})
    answer = client.get("/readyz").json()
    assert (answer["status"], answer["checks"]["sweeper jobs"]) == ("ready", "ok")


@pytest.mark.usefixtures("all_beating")
def test_the_jobs_of_a_process_that_is_silent_are_not_spoken_of(client: Client) -> None:
    beat("sweeper", timezone.now() - timedelta(seconds=20), detail={"brokers.orders": {"last_error": "KeyError: 1"}})
    answer = client.get("/readyz").json()
    assert (answer["status"], answer["checks"]["sweeper"]) == ("starting", "no fresh heartbeat")
    assert "sweeper jobs" not in answer["checks"]


@pytest.mark.usefixtures("all_beating")
def test_a_process_with_an_old_heartbeat_is_missed(client: Client) -> None:
    beat("worker", timezone.now() - timedelta(seconds=20))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "starting"
    assert answer.json()["checks"]["worker"] == "no fresh heartbeat"
    assert answer.json()["checks"]["sweeper"] == "ok"


@pytest.mark.usefixtures("all_beating")
def test_a_simulator_that_is_expected_and_away_is_missed(client: Client, settings: Settings) -> None:
    settings.EXPECTED_PROCESSES = ["worker", "sweeper", "brokersim"]
    settings.BROKERSIM_URL = "http://127.0.0.1:1"
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["brokersim"] == "unreachable"


@pytest.mark.usefixtures("all_beating")
def test_unapplied_migrations_are_missed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_migrations", readiness._Migrations())
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: [("processes", "0002")])
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["migrations"] == "unapplied migrations"


def test_without_its_database_it_says_so(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def cursor(self) -> None:
            raise DatabaseError

        def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(readiness, "connection", Broken())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["database"] == "unreachable"


def test_only_reading_is_allowed(client: Client) -> None:
    assert client.post("/readyz").status_code == 405
