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


def seconds_to_send(nudger: Nudger) -> float:
    started = time.monotonic()
    nudger.send("challenges.open", 7)
    return time.monotonic() - started


def test_a_nudge_is_a_celery_message_with_the_ids(server: str) -> None:
    nudger = Nudger(server)
    nudger.send("challenges.open", 7)
    assert queued(server) == [("challenges.open", "(7,)")]
    assert (nudger.sent, nudger.failed, nudger.skipped) == (1, 0, 0)


def test_without_redis_a_nudge_fails_at_once_and_the_next_ones_are_not_tried() -> None:
    nudger = Nudger("redis://127.0.0.1:1/0")
    assert seconds_to_send(nudger) < 2
    nudger.send("challenges.open", 8)
    assert (nudger.sent, nudger.failed, nudger.skipped) == (0, 1, 1)


@pytest.mark.parametrize("warm", [True, False], ids=["on an open connection", "on a new connection"])
def test_a_redis_that_hangs_costs_one_second_once(server: str, pid: int, *, warm: bool) -> None:
    nudger = Nudger(server)
    if warm:
        nudger.send("challenges.open", 1)
    os.kill(pid, signal.SIGSTOP)
    try:
        # Another second for a loaded machine; what is tried again, or for each nudge, takes longer than that.
        assert seconds_to_send(nudger) < 2
        assert sum(seconds_to_send(nudger) for _ in range(50)) < 2
        assert (nudger.failed, nudger.skipped) == (1, 50)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_nudges_go_out_again_after_a_pause(server: str, pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudge_module, "PAUSE_SECONDS", 0.2)
    nudger = Nudger(server)
    os.kill(pid, signal.SIGSTOP)
    nudger.send("challenges.open", 1)
    os.kill(pid, signal.SIGCONT)
    time.sleep(0.3)
    nudger.send("challenges.open", 2)
    assert (nudger.sent, nudger.failed) == (1, 1)
    assert queued(server)[0] == ("challenges.open", "(2,)")


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
