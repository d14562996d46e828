"""The test bed itself: real servers, the right ones."""

import os
import subprocess
import sys

import pytest
import redis
from django.db import connection


@pytest.mark.django_db
def test_the_database_is_a_real_postgresql_of_this_run() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_database(), current_setting('TimeZone')")
        version, database, zone = cursor.fetchone()
    assert version.startswith("PostgreSQL ")
    assert database.partition("_gw")[0] == "test_propdesk"  # each worker process has its own
    assert zone == "UTC"


def test_the_redis_protocol_server_of_this_run_answers() -> None:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.ping() is True


def test_the_trading_brokers_address_is_not_taken_for_celerys_own() -> None:
    """Celery's command line reads BROKER_URL, too: the worker would look for its queue at the trading broker."""
    command = [sys.executable, "-m", "celery", "-A", "propdesk.celery", "inspect", "ping", "--timeout", "0.2"]
    environment = {**os.environ, "BROKER_URL": "https://broker.example/cportal"}

    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert "No nodes replied within time constraint" in done.stdout + done.stderr
