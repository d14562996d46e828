"""The test bed itself: real servers, the right ones."""

import os

import pytest
import redis
from django.db import connection


@pytest.mark.django_db
def test_the_database_is_a_real_postgresql_of_this_run() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_database(), current_setting('TimeZone')")
        version, database, zone = cursor.fetchone()
    assert version.startswith("PostgreSQL ")
    assert database == "test_propdesk"
    assert zone == "UTC"


def test_the_redis_protocol_server_of_this_run_answers() -> None:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert client.ping() is True
