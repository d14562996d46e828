"""What the monitor writes for many observations at once: running states, day starts, kept metric snapshots."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import models

from challenges.models import DailySnapshot, EnrollmentState, MetricSnapshot
from challenges.services.bulk import insert_rows, update_rows
from challenges.services.judging import Judged

STATE_COLUMNS = tuple(
    field.name
    for field in EnrollmentState._meta.concrete_fields
    if field.name not in {"enrollment", "initial_balance", "started_at"}
)
METRIC_COLUMNS = tuple(field.name for field in MetricSnapshot._meta.concrete_fields if field.name != "id")
DAY_COLUMNS = ("enrollment", "trading_day", "boundary_at", "start_balance", "start_equity", "taken_at", "is_late")
ENDED_DAY_COLUMNS = ("low_equity", "high_equity", "close_balance", "close_equity")


def write_observations(judged: Sequence[Judged]) -> set[int]:
    """Write the observations in the caller's transaction; return the enrollments that were written.

    An enrollment whose row is no longer as it was loaded was gone on from by another monitor: nothing of it is written.
    """
    states = ((one.row.pk, one.row.last_at, one.row.verdict, *_values(one.after, STATE_COLUMNS)) for one in judged)
    written = update_rows(
        EnrollmentState, STATE_COLUMNS, states, keys=("enrollment",), unchanged=("last_at", "verdict")
    )
    current = [one for one in judged if one.row.pk in written]
    _write_days(current)
    points = (point for one in current for point in kept_points(one))
    insert_rows(MetricSnapshot, METRIC_COLUMNS, (_values(point, METRIC_COLUMNS) for point in points))
    return written


def write_first_day(row: EnrollmentState) -> None:
    """The day an enrollment starts on starts from its initial balance, in the caller's transaction."""
    start = (row.started_at, row.initial_balance, row.initial_balance, row.started_at, False)
    insert_rows(DailySnapshot, DAY_COLUMNS, [(row.pk, row.trading_day, *start)])


def keep_last(row: EnrollmentState) -> None:
    """Keep the state's last observation as a metric snapshot, in the caller's transaction."""
    insert_rows(MetricSnapshot, METRIC_COLUMNS, [_values(_point(row, opened=False), METRIC_COLUMNS)])


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


def kept_points(one: Judged) -> list[MetricSnapshot]:
    """The points of the time series that an observation adds: none, itself, or itself and the one before it.

    The one before is kept late where it turns out to matter: next to a breach, and where a day starts from it.
    """
    points, before = [], one.row
    late = one.judgement.findings or one.judgement.days
    if late and before.last_at is not None and before.last_at != before.metric_at:
        points.append(_point(before, opened=False))
    if one.kept:
        points.append(_point(one.after, opened=one.observation.opened))
    return points


def _point(row: EnrollmentState, *, opened: bool) -> MetricSnapshot:
    return MetricSnapshot(
        enrollment_id=row.pk,
        at=row.last_at or row.started_at,
        balance=row.last_balance,
        equity=row.last_equity,
        is_flat=row.last_flat,
        opened=opened,
        daily_loss_level=row.daily_loss,
        total_loss_level=row.total_loss,
        profit_target_level=row.profit_target,
        profit_pct=row.profit_pct,
        daily_loss_pct=row.daily_loss_pct,
        total_loss_pct=row.total_loss_pct,
        trading_days=row.trading_days,
    )


def _values(row: models.Model, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)
