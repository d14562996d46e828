"""The monitor: every few seconds each broker unit with open enrollments is read once, judged and written."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cache
from typing import TypeAlias, TypedDict

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django_stubs_ext import WithAnnotations

from brokers.client.errors import BrokerError
from brokers.models import BrokerConnection
from brokers.services import ClockError, broker_for
from brokers.services.leases import require_same_time
from challenges.models import Enrollment, EnrollmentState, UnitWatch
from challenges.services.closing import NextPhaseUnavailableError
from challenges.services.gate import are_too_many
from challenges.services.judging import Judged, judge_reading, stands_still, why_dropped
from challenges.services.pausing import TAKEN_OUT, why_not_enabled
from challenges.services.reading import Known, UnitReading, read_unit
from challenges.services.recording import write_observations
from challenges.services.verdicts import record_verdict
from programs.models import ProgramVersion
from programs.services import phase_terms
from programs.terms import RuleTerms
from propdesk.lib.actors import system
from propdesk.lib.redaction import redacted

logger = logging.getLogger(__name__)

MONITOR = system("monitor")
WORKERS = 8
# Longer than reading a unit twice (two deadlines of ten seconds each time) and the writing take. A monitor that dies
# with a unit in hand delays it by this much.
LEASE = timedelta(seconds=60)
REASONS_SHOWN = 50

Clock = Callable[[], datetime]


class Whereabouts(TypedDict):
    """What is loaded with each running state: its account number, where its terms are, what staff are told of it."""

    login: int
    version: int
    phase_index: int
    review_reason: str


WatchedState: TypeAlias = "WithAnnotations[EnrollmentState, Whereabouts]"


def watch_due_units(*, clock: Clock) -> int:
    """Read and judge every unit that is due; how many enrollments were judged. Makes broker calls.

    Several units are read at once, so that a slow broker delays only its own accounts. Monitors may run side by side.
    """
    _make_watches()
    due = UnitWatch.objects.free(clock(), _tried_before(clock())).filter(connection__is_enabled=True)
    watch_ids = list(due.values_list("pk", flat=True))
    if len(watch_ids) < 2:
        return sum(watch_unit(watch_id=watch_id, clock=clock) for watch_id in watch_ids)
    with ThreadPoolExecutor(max_workers=min(WORKERS, len(watch_ids)), thread_name_prefix="monitor") as pool:
        return sum(pool.map(lambda watch_id: _watch_in_thread(watch_id, clock), watch_ids))


def watch_unit(*, watch_id: int, clock: Clock) -> int:
    """Read one unit, judge its open enrollments and write what came of it; how many were judged. Makes broker calls.

    Nothing happens when another monitor has the unit or has just read it. A unit that cannot be read or judged is noted
    on its watch, whatever the cause, and judged not at all: silence never breaches and never passes anyone.

    Raises `ClockError`: a machine whose clock is ahead would begin the trading day early, and have what others read
    after it taken for old.
    """
    require_same_time()
    now = clock()
    claim = UnitWatch.objects.free(now, _tried_before(now)).filter(pk=watch_id)
    if not claim.update(leased_until=now + LEASE, tried_at=now):
        return 0
    watch = UnitWatch.objects.select_related("connection").get(pk=watch_id)
    try:
        return _watch(watch, clock)
    except BrokerError as error:
        logger.warning("%s cannot be judged: %s", watch, error)
        return _note_failure(watch, str(error), now=now)
    except Exception as error:
        logger.exception("%s could not be judged; it is tried again.", watch)
        return _note_failure(watch, redacted(f"{type(error).__name__}: {error}"), now=now)
    finally:
        UnitWatch.objects.filter(pk=watch_id, leased_until=watch.leased_until).update(leased_until=None)


def confirm_unit(*, watch_id: int, by: str, now: datetime, lasting: timedelta = timedelta(minutes=10)) -> None:
    """Staff have checked the figures at the broker: enforcement goes on, and for a while many verdicts are believed."""
    UnitWatch.objects.filter(pk=watch_id).update(
        halted_at=None, halt_reason="", confirmed_until=now + lasting, confirmed_by=by
    )
    logger.info("Unit watch %s confirmed by %s.", watch_id, by)


def _watch_in_thread(watch_id: int, clock: Clock) -> int:
    """One unit in a thread of its own. Whatever goes wrong with it must not stop the others."""
    try:
        return watch_unit(watch_id=watch_id, clock=clock)
    except ClockError:
        # The machine's fault, not the unit's: the whole round has failed, and the sweeper's failures say so.
        raise
    except Exception:
        logger.exception("Unit watch %s failed; it is tried again.", watch_id)
        return 0
    finally:
        connection.close()


def _note_failure(watch: UnitWatch, why: str, *, now: datetime) -> int:
    """Tell staff since when, and why, the unit cannot be judged; nobody was."""
    watch.last_error, watch.failing_since = why[:500], watch.failing_since or now
    watch.save(update_fields=["last_error", "failing_since"])
    return 0


def _make_watches() -> None:
    """A watch for every unit that has open enrollments."""
    units = (
        Enrollment.objects.watched().values_list("account__connection", "account__group__unit").distinct().order_by()
    )
    watched = set(UnitWatch.objects.values_list("connection", "unit"))
    UnitWatch.objects.bulk_create(
        [UnitWatch(connection_id=broker, unit=unit) for broker, unit in units if (broker, unit) not in watched],
        ignore_conflicts=True,
    )


def _tried_before(now: datetime) -> datetime:
    """A second sweeper's round in between leaves the unit alone."""
    return now - timedelta(seconds=settings.MONITOR_SECONDS / 2)


def _watch(watch: UnitWatch, clock: Clock) -> int:
    rows = _open_rows(watch.connection, watch.unit)
    if not rows:
        UnitWatch.objects.filter(pk=watch.pk).update(accounts_watched=0, accounts_judged=0, not_judged={})
        return 0
    known = [Known(login=row.login, balance=row.last_balance, equity=row.last_equity) for row in rows]
    reading = read_unit(broker_for(watch.connection), unit=watch.unit, accounts=known, clock=clock)
    judged, idle = _judge_all(rows, reading)
    enforced = _without_held(watch, judged, reading, watched=len(rows), now=reading.read_at)
    stuck = _write(enforced, reading, clock)
    _tell_of_stuck(rows, enforced, stuck, now=clock())
    _report(watch, reading, watched=len(rows), judged=len(enforced) + idle)
    return len(enforced) + idle


def _open_rows(broker: BrokerConnection, unit: int) -> list[WatchedState]:
    """The running states of the unit's open enrollments, each with its whereabouts."""
    return list(
        EnrollmentState.objects.filter(
            enrollment__in=Enrollment.objects.watched(),
            enrollment__account__connection=broker,
            enrollment__account__group__unit=unit,
        ).annotate(
            login=F("enrollment__account__login"),
            version=F("enrollment__challenge__program_version"),
            phase_index=F("enrollment__phase_index"),
            review_reason=F("enrollment__review_reason"),
        )
    )


def _judge_all(rows: Sequence[WatchedState], reading: UnitReading) -> tuple[list[Judged], int]:
    """Every account that has believable figures, judged; and how many stand as they were judged a moment ago.

    One that cannot be judged is noted and does not stop the rest.
    """
    versions = ProgramVersion.objects.in_bulk({row.version for row in rows})

    @cache
    def pinned(version: int, phase_index: int) -> RuleTerms:
        return phase_terms(versions[version], phase_index).rules

    keep_every = timedelta(seconds=settings.METRIC_SNAPSHOT_SECONDS)
    judged, idle = [], 0
    for row in rows:
        if row.login not in reading.figures:
            continue
        figures, at = reading.figures[row.login]
        try:
            rules = pinned(row.version, row.phase_index)
            if not row.review_reason and stands_still(row, rules, figures, at=at, keep_every=keep_every):
                idle += 1
                continue
            one = judge_reading(row, rules, figures, login=row.login, at=at, keep_every=keep_every)
        except Exception as error:
            logger.exception("Enrollment %s could not be judged.", row.pk)
            reading.missing[row.login] = f"judging failed: {error}"
            continue
        if one is not None:
            judged.append(one)
        elif why := why_dropped(row, at=at):
            reading.missing[row.login] = why
    return judged, idle


def _without_held(
    watch: UnitWatch, judged: Sequence[Judged], reading: UnitReading, *, watched: int, now: datetime
) -> list[Judged]:
    """What may be written. While enforcement is halted, verdicts are held back and judged again at the next reading."""
    ends: Counter[str] = Counter(one.judgement.status for one in judged if one.takes_out)
    confirmed = watch.confirmed_until is not None and now < watch.confirmed_until
    if not confirmed and watch.halted_at is None and are_too_many(taken_out=ends.total(), watched=watched):
        watch.halted_at = now
        logger.error("%s: enforcement halted: %s", watch, _halt_reason(ends, watched))
    if watch.halted_at is None:
        return list(judged)
    # Anew at each reading: what staff confirm is what would be enforced now, not what it was when the halt began.
    watch.halt_reason = _halt_reason(ends, watched)
    for one in judged:
        if one.is_verdict:
            reading.missing[one.login] = "enforcement is halted until staff confirm the figures"
    return [one for one in judged if not one.is_verdict]


def _halt_reason(ends: Counter[str], watched: int) -> str:
    named = ", ".join(f"{number} {status}" for status, number in sorted(ends.items()))
    return (
        f"The last reading would take {ends.total()} of {watched} accounts out of trading"
        f"{f' ({named})' if named else ''}; staff must confirm the figures."
    )


def _write(judged: Sequence[Judged], reading: UnitReading, clock: Clock) -> dict[int, str]:
    """Changed figures of the whole unit in one transaction, then each verdict in one of its own.

    Returns the enrollments whose verdict only staff can make possible, and why.
    """
    stuck: dict[int, str] = {}
    quiet = [one for one in judged if not one.is_verdict and one.is_worth_writing]
    with transaction.atomic():
        write_observations(quiet)
    for one in judged:
        if not one.is_verdict:
            continue
        try:
            record_verdict(judged=one, by=MONITOR, now=clock())
        except Exception as error:
            logger.exception("The verdict on enrollment %s could not be carried out; it is tried again.", one.row.pk)
            reading.missing[one.login] = f"its verdict could not be carried out: {error}"
            if isinstance(error, NextPhaseUnavailableError):
                stuck[one.row.pk] = str(error)
    return stuck


def _tell_of_stuck(
    rows: Sequence[WatchedState], judged: Sequence[Judged], stuck: Mapping[int, str], *, now: datetime
) -> None:
    """Put into the review queue what only staff can move on, and take out of it what has been judged without that."""
    judged_ids = {one.row.pk for one in judged}
    for row in rows:
        if row.pk not in judged_ids:
            continue
        reason = stuck.get(row.pk, "") or _still_taken_out(row)
        if reason != row.review_reason:
            Enrollment.objects.watched().filter(pk=row.pk).update(review_reason=reason, updated_at=now)


def _still_taken_out(row: WatchedState) -> str:
    """What a lift left to staff stays in the queue until the account is enabled."""
    if not row.review_reason.startswith(TAKEN_OUT):
        return ""
    return why_not_enabled(Enrollment.objects.select_related("account").get(pk=row.pk))


def _report(watch: UnitWatch, reading: UnitReading, *, watched: int, judged: int) -> None:
    """Tell staff how the unit stands."""
    watch.last_read_at = reading.read_at
    watch.read_seconds = (reading.answered_at - reading.read_at).total_seconds()
    watch.accounts_watched, watch.accounts_judged = watched, judged
    watch.last_error, watch.failing_since = "", None
    watch.not_judged = dict(list(reading.missing.items())[:REASONS_SHOWN])
    fields = ["last_read_at", "read_seconds", "accounts_watched", "accounts_judged"]
    fields += ["last_error", "failing_since", "not_judged"]
    if watch.halted_at == reading.read_at:
        fields += ["halted_at", "halt_reason"]
    elif watch.halted_at is not None:
        # Staff may have confirmed meanwhile: a halt that is over gets no reason again.
        UnitWatch.objects.filter(pk=watch.pk, halted_at=watch.halted_at).update(halt_reason=watch.halt_reason)
    watch.save(update_fields=fields)
