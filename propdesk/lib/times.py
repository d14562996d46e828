"""Aware UTC in Python and the database, Unix seconds in the Mng API, ISO 8601 in the enrollments API."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The clock, read at the edges only (views, tasks, commands) and passed in from there."""
    return datetime.now(UTC)


def unix(at: datetime | None) -> int:
    """Whole Unix seconds; 0 means not set, as the Mng API prints it."""
    return int(at.timestamp()) if at else 0
