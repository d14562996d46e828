"""Monthly partitions of the metric snapshots, made ahead of time."""

from datetime import UTC, datetime

from django.db import connection, transaction

TABLE = "challenges_metricsnapshot"
DEFAULT_PARTITION = f"{TABLE}_default"


def make_partitions(*, now: datetime, months_ahead: int = 3) -> int:
    """Make the partition of this month and of the next ones, where missing. Returns how many were made.

    A row that came before its partition lies in the default one; it moves along, because PostgreSQL refuses a partition
    whose range the default partition holds rows of.
    """
    start = datetime(now.astimezone(UTC).year, now.astimezone(UTC).month, 1, tzinfo=UTC)
    made = 0
    for _ in range(months_ahead + 1):
        end = _next_month(start)
        made += _make_partition(start, end)
        start = end
    return made


@transaction.atomic
def _make_partition(start: datetime, end: datetime) -> bool:
    name = f"{TABLE}_y{start:%Y}m{start:%m}"
    with connection.cursor() as cursor:
        # Two sweepers may come here at once: the second one waits and then finds the partition made.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [name])
        cursor.execute("SELECT to_regclass(%s)", [name])
        (existing,) = cursor.fetchone()
        if existing:
            return False
        cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)")
        cursor.execute(
            f"WITH moved AS (DELETE FROM {DEFAULT_PARTITION} WHERE at >= %s AND at < %s RETURNING *) "  # noqa: S608
            f"INSERT INTO {name} SELECT * FROM moved",
            [start, end],
        )
        cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM ('{start:%F}') TO ('{end:%F}')")
    return True


def _next_month(start: datetime) -> datetime:
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
