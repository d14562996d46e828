"""What the tables themselves hold to."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from challenges.models import Breach, ChallengeEvent, EnrollmentState, MetricSnapshot
from challenges.models.state import LEVEL_FIELDS, STATE_FIELDS
from challenges.services.bulk import update_rows
from challenges.services.partitions import make_partitions
from tests.challenges.firm import Firm

ROW = {"balance": 1, "equity": 1, "profit_pct": 0, "daily_loss_pct": 0, "total_loss_pct": 0}


def partition_of(metric: MetricSnapshot) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM challenges_metricsnapshot WHERE id = %s", [metric.pk])
        return str(cursor.fetchone()[0])


@pytest.fixture
def far_month(transactional_db: None) -> Iterator[datetime]:
    yield datetime(2031, 11, 15, tzinfo=UTC)
    with connection.cursor() as cursor:
        for month in ("2031m11", "2031m12", "2032m01", "2032m02"):
            cursor.execute(f"DROP TABLE IF EXISTS challenges_metricsnapshot_y{month}")


def test_partitions_are_made_ahead_and_only_once(far_month: datetime) -> None:
    assert make_partitions(now=far_month) == 4
    assert make_partitions(now=far_month) == 0


def test_metrics_go_to_the_partition_of_their_month(far_month: datetime) -> None:
    make_partitions(now=far_month)

    metric = MetricSnapshot.objects.create(enrollment_id=1, at=datetime(2032, 1, 31, 23, 59, tzinfo=UTC), **ROW)

    assert partition_of(metric) == "challenges_metricsnapshot_y2032m01"


def test_metrics_that_came_before_their_partition_move_into_it(far_month: datetime) -> None:
    early = MetricSnapshot.objects.create(enrollment_id=1, at=far_month, **ROW)
    assert partition_of(early) == "challenges_metricsnapshot_default"

    make_partitions(now=far_month)

    assert partition_of(early) == "challenges_metricsnapshot_y2031m11"


def test_breaches_and_events_cannot_be_rewritten(firm: Firm) -> None:
    enrollment = firm.enrollment()
    firm.trade(enrollment, equity=94000)
    firm.watch()

    for model, change in ((Breach, {"rule": "none"}), (ChallengeEvent, {"reason": "none"})):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            model.objects.update(**change)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ChallengeEvent.objects.all().delete()
    assert Breach.objects.get().rule == "daily_loss"


def test_a_state_row_gives_back_the_state_it_was_made_of(firm: Firm) -> None:
    row = firm.state(firm.enrollment())
    state = row.running_state()
    copy = EnrollmentState()
    copy.take(state)

    assert copy.running_state() == state
    assert set(STATE_FIELDS) | set(LEVEL_FIELDS) <= {field.name for field in EnrollmentState._meta.fields}


def test_a_row_that_somebody_else_changed_is_not_overwritten(firm: Firm) -> None:
    row = firm.state(firm.enrollment())
    arguments = {"keys": ("enrollment",), "unchanged": ("last_at",)}

    stale = update_rows(EnrollmentState, ("last_equity",), [(row.pk, firm.clock.now, Decimal(5))], **arguments)
    fresh = update_rows(EnrollmentState, ("last_equity",), [(row.pk, None, Decimal(7))], **arguments)

    assert (stale, fresh) == (set(), {row.pk})
    row.refresh_from_db()
    assert row.last_equity == Decimal(7)
