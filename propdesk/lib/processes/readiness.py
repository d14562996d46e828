"""Is PropDesk ready? Each check answers "ok" or says in a few words what is missing."""

import http.client
from datetime import datetime
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis.backoff import NoBackoff
from redis.retry import Retry

from propdesk.lib.processes.heartbeats import fresh_beats
from propdesk.lib.processes.models import ProcessHeartbeat

OK = "ok"
SIMULATOR = "brokersim"
TIMEOUT_SECONDS = 0.5


class Readiness:
    """One look at all that `/readyz` answers for.

    Redis may be missing: that makes things slower, not wrong. Jobs may fail: the pages serve, and say what is wrong.
    """

    def __init__(self, now: datetime) -> None:
        self.checks: dict[str, str] = {"database": _database()}
        fresh: dict[str, ProcessHeartbeat] = {}
        if self.checks["database"] == OK:
            self.checks["migrations"] = _migrations.check()
        if self.checks.get("migrations") == OK:
            fresh = fresh_beats(now)
            expected = [name for name in settings.EXPECTED_PROCESSES if name != SIMULATOR]
            self.checks |= {name: OK if name in fresh else "no fresh heartbeat" for name in expected}
        if SIMULATOR in settings.EXPECTED_PROCESSES:
            self.checks[SIMULATOR] = _simulator(settings.BROKERSIM_URL)
        self.ready = all(answer == OK for answer in self.checks.values())
        self.checks |= {f"{name} jobs": _jobs(beat) for name, beat in fresh.items() if beat.jobs}
        self.checks["redis"] = _redis(settings.REDIS_URL)

    @property
    def status(self) -> str:
        if not self.ready:
            return "starting"
        return "ready" if all(answer == OK for answer in self.checks.values()) else "degraded"


class _Migrations:
    """Whether every migration is applied. Once they are, this process is not going to see that change."""

    def __init__(self) -> None:
        self._applied = False

    def check(self) -> str:
        if not self._applied:
            executor = MigrationExecutor(connection)
            self._applied = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return OK if self._applied else "unapplied migrations"


_migrations = _Migrations()


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return "unreachable"
    return OK


def _jobs(beat: ProcessHeartbeat) -> str:
    """Which jobs fail, and by what kind of error. Its text is for staff: anyone may ask here."""
    return "; ".join(f"{name}: {error.partition(':')[0]}" for name, error in beat.failing_jobs.items()) or OK


def _redis(url: str) -> str:
    once = Retry(NoBackoff(), 0)
    client = redis.Redis.from_url(
        url, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=TIMEOUT_SECONDS, retry=once
    )
    try:
        client.ping()
    except redis.RedisError:
        return "unreachable"
    finally:
        client.close()
    return OK


def _simulator(url: str) -> str:
    """Any HTTP answer will do: it serves."""
    parts = urlsplit(url)
    client = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT_SECONDS)
    try:
        client.request("GET", "/")
        client.getresponse()
    except (OSError, http.client.HTTPException):
        return "unreachable"
    finally:
        client.close()
    return OK
