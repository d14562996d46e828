"""What the monitor writes for many observations at once: running states, day starts, kept metric snapshots."""

from collections.abc import Iterable, Sequence
from typing import Any

from challenges.models import DailySnapshot, EnrollmentState, MetricSnapshot
from challenges.services.bulk import insert_rows, update_rows
from challenges.services.judging import Judged

STATE_COLUMNS = tuple(
    field.name
    for field in EnrollmentState._meta.concrete_fields
    if field.name not in {"enrollment", "initial_balance", "started_at"}
)
METRIC_COLUMNS = (
    "enrollment_id",
    "at",
    "balance",
    "equity",
    "is_flat",
    "opened",
    "daily_loss_level",
    "total_loss_level",
    "profit_target_level",
    "profit_pct",
    "daily_loss_pct",
    "total_loss_pct",
    "trading_days",
)
DAY_COLUMNS = ("enrollment", "trading_day", "boundary_at", "start_balance", "start_equity", "taken_at", "is_late")
ENDED_DAY_COLUMNS = ("low_equity", "high_equity", "close_balance", "close_equity")


def write_observations(judged: Sequence[Judged]) -> set[int]:
    """Write the observations in the caller's transaction; return the enrollments that were written.

    An enrollment whose row is no longer as it was loaded was gone on from by another monitor: nothing of it is written.
    """
    states = ((one.row.pk, one.row.last_at, one.row.verdict, *_state_values(one.after)) for one in judged)
    written = update_rows(
        EnrollmentState, STATE_COLUMNS, states, keys=("enrollment",), unchanged=("last_at", "verdict")
    )
    current = [one for one in judged if one.row.pk in written]
    _write_days(current)
    insert_rows(MetricSnapshot, METRIC_COLUMNS, _metrics(current))
    return written


def write_first_day(row: EnrollmentState) -> None:
    """The day an enrollment starts on starts from its initial balance, in the caller's transaction."""
    start = (row.started_at, row.initial_balance, row.initial_balance, row.started_at, False)
    insert_rows(DailySnapshot, DAY_COLUMNS, [(row.pk, row.trading_day, *start)])


def _state_values(row: EnrollmentState) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in STATE_COLUMNS)


def _write_days(judged: Iterable[Judged]) -> None:
    days = [(one.row.pk, day) for one in judged for day in one.judgement.days]
    insert_rows(
        DailySnapshot,
        DAY_COLUMNS,
        (
            (pk, day.trading_day, day.boundary_at, day.start_balance, day.start_equity, day.taken_at, day.late)
            for pk, day in days
        ),
    )
    # The start values of the new day are the close of the day before.
    update_rows(
        DailySnapshot,
        ENDED_DAY_COLUMNS,
        (
            (pk, day.ended_day, day.ended_low_equity, day.ended_high_equity, day.start_balance, day.start_equity)
            for pk, day in days
        ),
        keys=("enrollment", "trading_day"),
    )


def _metrics(judged: Iterable[Judged]) -> Iterable[tuple[Any, ...]]:
    """The kept observations; before one with findings also the observation before: evidence has neighbours."""
    for one in judged:
        before = one.row
        if one.judgement.findings and before.last_at is not None and before.last_at != before.metric_at:
            yield _metric(before, opened=False)
        if one.kept:
            yield _metric(one.after, opened=one.observation.opened)


def _metric(row: EnrollmentState, *, opened: bool) -> tuple[Any, ...]:
    return (
        row.pk,
        row.last_at,
        row.last_balance,
        row.last_equity,
        row.last_flat,
        opened,
        row.daily_loss,
        row.total_loss,
        row.profit_target,
        row.profit_pct,
        row.daily_loss_pct,
        row.total_loss_pct,
        row.trading_days,
    )
