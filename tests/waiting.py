"""For tests with two connections: going on once the other one has come to wait."""

import time

from django.db import connection


def wait_until_somebody_waits_for_us() -> None:
    """Until another connection waits for a lock that this one holds."""
    # pg_stat_activity would be frozen at its first reading in this transaction; pg_locks is not.
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        with connection.cursor() as cursor:
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("nobody waited for the row")
