"""The sweeper's loop and its jobs."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from propdesk.lib.processes import registry, sweeper
from propdesk.lib.processes.heartbeats import HeartbeatThread, beat, fresh_beats
from propdesk.lib.processes.models import ProcessHeartbeat
from propdesk.lib.processes.registry import Job, register_job, registered_jobs
from propdesk.lib.processes.sweeper import JobThread, sweep_forever, sweep_once

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_jobs", {})


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def run_until(jobs: list[Job], stop: threading.Event, done: threading.Event) -> None:
    """Sweep in a thread until `done` is set by a job, then stop."""

    def sweep() -> None:
        try:
            sweep_forever(jobs, stop)
        finally:
            connections.close_all()

    thread = threading.Thread(target=sweep)
    thread.start()
    assert done.wait(60)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def test_a_job_is_registered_once() -> None:
    register_job("purchases.settle", 2, lambda now: 0)
    assert [(job.name, job.every_seconds) for job in registered_jobs()] == [("purchases.settle", 2)]
    with pytest.raises(ValueError, match=r"There is a job 'purchases\.settle' already"):
        register_job("purchases.settle", 5, lambda now: 0)
    with pytest.raises(ValueError, match="needs an interval above zero, not 0"):
        register_job("other", 0, lambda now: 0)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_fails_hinders_neither_itself_nor_the_others(
    stop: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = {"good": 0, "bad": 0}
    done = threading.Event()

    def good(now: datetime) -> int:
        assert now.tzinfo is not None
        rounds["good"] += 1
        return 1

    def bad(now: datetime) -> int:
        rounds["bad"] += 1
        if rounds["bad"] >= 3 and rounds["good"] >= 3:
            done.set()
        raise ZeroDivisionError("a bad row")

    run_until([Job("good", 0.05, good), Job("bad", 0.05, bad)], stop, done)

    assert "Job bad failed" in caplog.text
    assert ProcessHeartbeat.objects.get(name="sweeper").beat_at is not None


@pytest.mark.django_db(transaction=True)
def test_an_error_is_reported_until_it_has_not_come_again_for_ninety_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 0

    def now() -> datetime:
        return NOON + timedelta(seconds=seconds)

    monkeypatch.setattr(sweeper, "timezone", SimpleNamespace(now=now))
    errors: list[Exception] = [ZeroDivisionError("a bad row of ann@example.com")]

    def fail_once(now: datetime) -> int:
        if errors:
            raise errors.pop()
        return 0

    thread = JobThread(Job("once", 1, fail_once), threading.Event())
    said = "ZeroDivisionError: a bad row of ***@example.com"
    assert (thread.run_once(), thread.report()["last_error"]) == (False, said)
    # The row that failed is leased, so the next rounds are well: they say nothing about it.
    seconds = 90
    assert (thread.run_once(), thread.report()["last_error"]) == (True, said)
    seconds = 91
    assert (thread.run_once(), thread.report()["last_error"]) == (True, "")


@pytest.mark.django_db
def test_a_heartbeat_knows_which_of_its_jobs_fail() -> None:
    jobs = [Job(name, 1, lambda now: 0) for name in "ab"]
    reports = {job.name: JobThread(job, threading.Event()).report() for job in jobs}
    reports["b"]["last_error"] = "ClockError: off"
    beat("sweeper", NOON, detail=reports)
    beat("gateway", NOON, detail={"connections": 3})

    sweeping, gateway = ProcessHeartbeat.objects.get(name="sweeper"), ProcessHeartbeat.objects.get(name="gateway")
    assert (sweeping.jobs, sweeping.failing_jobs) == ({"a": "", "b": "ClockError: off"}, {"b": "ClockError: off"})
    assert (gateway.jobs, gateway.failing_jobs) == ({}, {})


@pytest.mark.django_db(transaction=True)
def test_a_job_goes_on_after_its_database_connection_was_cut(stop: threading.Event) -> None:
    pids: list[int] = []
    done = threading.Event()

    def cut_myself(now: datetime) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            pids.append(cursor.fetchone()[0])
            if len(pids) == 2:
                done.set()
                return 0
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return 0

    run_until([Job("cut", 0.05, cut_myself)], stop, done)

    assert pids[0] != pids[1]


@pytest.mark.django_db(transaction=True)
def test_a_round_that_hangs_does_not_keep_the_sweeper_from_stopping(stop: threading.Event) -> None:
    begun, release = threading.Event(), threading.Event()

    def hang(now: datetime) -> int:
        begun.set()
        release.wait(110)
        return 0

    # The sweeper ends while the round goes on.
    run_until([Job("hang", 1, hang)], stop, begun)
    release.set()


@pytest.mark.django_db(transaction=True)
def test_one_sweep_runs_each_job_once_and_tells_whether_all_went_well() -> None:
    ran: list[str] = []

    def note(now: datetime) -> int:
        ran.append("note")
        return 1

    def fail(now: datetime) -> int:
        ran.append("fail")
        raise RuntimeError

    assert sweep_once([Job("note", 60, note)]) is True
    assert sweep_once([Job("fail", 60, fail), Job("note", 60, note)]) is False
    assert ran == ["note", "fail", "note"]


@pytest.mark.django_db(transaction=True)
def test_the_command_runs_the_named_jobs_only() -> None:
    ran: list[str] = []

    def note(name: str) -> int:
        ran.append(name)
        return 1

    register_job("first", 60, lambda now: note("first"))
    register_job("second", 60, lambda now: note("second"))

    with pytest.raises(SystemExit) as ended:
        call_command("sweep", "--once", "--job", "second")

    assert ended.value.code == 0
    assert ran == ["second"]


def test_an_unknown_job_is_refused_with_the_ones_there_are() -> None:
    register_job("first", 60, lambda now: 0)
    with pytest.raises(CommandError, match=r"No such job: third\. There are: first\."):
        call_command("sweep", "--once", "--job", "third")


@pytest.mark.django_db
def test_a_heartbeat_is_one_row_per_name_and_fresh_for_fifteen_seconds() -> None:
    beat("worker", NOON - timedelta(seconds=60))
    beat("worker", NOON, detail={"tasks": 3})
    assert ProcessHeartbeat.objects.values_list("name", "beat_at", "detail").get() == ("worker", NOON, {"tasks": 3})
    assert list(fresh_beats(NOON + timedelta(seconds=15))) == ["worker"]
    assert fresh_beats(NOON + timedelta(seconds=15, microseconds=1)) == {}


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_thread_beats_at_once_and_ends_when_told() -> None:
    thread = HeartbeatThread("worker")
    thread.start()
    deadline = time.monotonic() + 60
    while not ProcessHeartbeat.objects.filter(name="worker").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    thread.stop()
    thread.join(60)
    assert not thread.is_alive()
