"""Trading days: they begin at a local wall time, so a day may have 23 or 25 hours."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from programs.terms import RuleTerms

ONE_DAY = timedelta(days=1)
NOON = time(12, 0)


def trading_day(at: datetime, terms: RuleTerms) -> date:
    """The trading day that the moment belongs to.

    A day that begins before noon is named after the date it begins on; one that begins at noon or later after the
    date it ends on: the day from Sunday 17:00 to Monday 17:00 in New York is Monday's.
    """
    return _trading_day(at.astimezone(UTC), terms.day_reset_time, terms.day_reset_timezone)


def day_start(day: date, terms: RuleTerms) -> datetime:
    """When the trading day begins, in UTC.

    A wall time that a clock change repeats is the first of the two; one that it skips is read by the clock before it.
    """
    return _day_start(day, terms.day_reset_time, terms.day_reset_timezone)


def local(at: datetime, terms: RuleTerms) -> datetime:
    """The moment as wall time in the program's zone."""
    return at.astimezone(ZoneInfo(terms.day_reset_timezone))


@lru_cache(maxsize=65_536)
def _trading_day(at: datetime, reset: time, zone: str) -> date:
    latest = at.astimezone(ZoneInfo(zone)).date() + ONE_DAY
    for day in (latest, latest - ONE_DAY, latest - 2 * ONE_DAY):
        if _day_start(day, reset, zone) <= at:
            return day
    raise AssertionError(f"no trading day holds {at}")


@lru_cache(maxsize=65_536)
def _day_start(day: date, reset: time, zone: str) -> datetime:
    begins = day if reset < NOON else day - ONE_DAY
    return datetime.combine(begins, reset, ZoneInfo(zone)).astimezone(UTC)
