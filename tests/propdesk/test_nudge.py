"""Nudges never fail, and never keep anyone waiting for Redis."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import transaction

from propdesk.lib import nudge as nudge_module
from propdesk.lib.nudge import Nudger, nudge
from propdesk.local.lease import Lease


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a Valkey of this test's own."""
    lease = Lease("valkey", tmp_path, durable=False)
    yield lease.url
    lease.leave()


@pytest.fixture
def pid(server: str) -> int:
    with redis.Redis.from_url(server) as client:
        return int(client.info()["process_id"])


def queued(url: str) -> list[Any]:
    """The waiting messages as (task, args)."""
    with redis.Redis.from_url(url) as client:
        messages = [json.loads(message) for message in client.lrange("celery", 0, -1)]
    return [(message["headers"]["task"], message["headers"]["argsrepr"]) for message in messages]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nudgers that do not take a machine which stops for a moment for a Redis that hangs."""
    options = dict.fromkeys(("socket_connect_timeout", "socket_timeout", "connect_retries_timeout"), 30)
    monkeypatch.setattr(nudge_module, "PUBLISH_OPTIONS", {**nudge_module.PUBLISH_OPTIONS, **options})


@pytest.fixture
def long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow this machine is, a nudger that failed stays silent until the test is over."""
    monkeypatch.setattr(nudge_module, "PAUSE_SECONDS", 600)


def seconds_to_send(nudger: Nudger) -> float:
    started = time.monotonic()
    nudger.send("challenges.open", 7)
    return time.monotonic() - started


def warm_nudger(url: str) -> Nudger:
    """A nudger that has sent something. Within half a second that does not always work on a busy machine."""
    for _ in range(60):
        nudger = Nudger(url)
        nudger.send("challenges.open", 1)
        if nudger.sent:
            return nudger
    raise AssertionError("nothing can be sent")


@pytest.mark.usefixtures("patient")
def test_a_nudge_is_a_celery_message_with_the_ids(server: str) -> None:
    nudger = Nudger(server)
    nudger.send("challenges.open", 7)
    assert queued(server) == [("challenges.open", "(7,)")]
    assert (nudger.sent, nudger.failed, nudger.skipped) == (1, 0, 0)


@pytest.mark.usefixtures("long_pause")
def test_without_redis_a_nudge_fails_at_once_and_the_next_ones_are_not_tried() -> None:
    nudgers = [Nudger("redis://127.0.0.1:1/0") for _ in range(5)]
    # A loaded machine keeps one of them waiting, but not each.
    assert min(seconds_to_send(nudger) for nudger in nudgers) < 2
    nudger = nudgers[0]
    nudger.send("challenges.open", 8)
    assert (nudger.sent, nudger.failed, nudger.skipped) == (0, 1, 1)


@pytest.mark.usefixtures("long_pause")
@pytest.mark.parametrize("warm", [True, False], ids=["on an open connection", "on a new connection"])
def test_a_redis_that_hangs_costs_one_second_once(server: str, pid: int, *, warm: bool) -> None:
    took = []
    for _ in range(3):
        nudger = warm_nudger(server) if warm else Nudger(server)
        os.kill(pid, signal.SIGSTOP)
        try:
            took.append(seconds_to_send(nudger))
            for _ in range(50):
                nudger.send("challenges.open", 7)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (nudger.failed, nudger.skipped) == (1, 50)
    # What is tried again takes longer each time; a loaded machine is not late by a second each time.
    assert min(took) < 2


def test_nudges_go_out_again_after_a_pause(server: str, pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudge_module, "PAUSE_SECONDS", 0.2)
    nudger = Nudger(server)
    os.kill(pid, signal.SIGSTOP)
    nudger.send("challenges.open", 1)
    os.kill(pid, signal.SIGCONT)
    assert (nudger.sent, nudger.failed) == (0, 1)
    # On a busy machine not every one gets its answer within half a second.
    for _ in range(60):
        time.sleep(0.3)
        nudger.send("challenges.open", 2)
        if nudger.sent:
            break
    assert nudger.sent == 1
    assert queued(server)[0] == ("challenges.open", "(2,)")


@pytest.mark.usefixtures("patient")
@pytest.mark.django_db(transaction=True)
def test_a_nudge_waits_for_the_commit_and_dies_with_a_rollback(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Nudger(server)
    monkeypatch.setattr(nudge_module, "nudger", lambda: sender)
    with transaction.atomic():
        nudge("challenges.open", 1)
        assert queued(server) == []
    assert queued(server) == [("challenges.open", "(1,)")]

    with transaction.atomic():
        nudge("challenges.open", 2)
        transaction.set_rollback(True)
    assert len(queued(server)) == 1
