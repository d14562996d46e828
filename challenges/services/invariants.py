"""The invariants of the whole system, checked by one SQL file. Here, because this app sees every table."""

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from django.db import connection, transaction

from brokers.models import AccountOrder, BrokerOperation
from challenges.models import Challenge, Enrollment
from propdesk.lib.processes.models import InvariantViolation
from purchases.models import Purchase

logger = logging.getLogger(__name__)

SQL = Path(__file__).with_name("invariants.sql")
MACHINES = (AccountOrder, BrokerOperation, Purchase, Challenge, Enrollment)
# What was begun longer ago should be over, or before staff. An operation in doubt goes there after half an hour.
GRACE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Violation:
    """`invariant` is I1 to I12, `row_id` the row of the table that `detail` speaks of."""

    invariant: str
    row_id: int
    detail: str


def find_violations(*, now: datetime, grace: timedelta = GRACE) -> list[Violation]:
    """Every violation there is. One statement: it sees one moment of the database."""
    with connection.cursor() as cursor:
        cursor.execute(SQL.read_text(), {"edges": _edges(), "before": now - grace})
        return [Violation(*row) for row in cursor.fetchall()]


def watch_invariants(*, now: datetime) -> int:
    """Look for violations and keep them: new ones are logged, those that are gone marked so. How many are new."""
    found = find_violations(now=now)
    with transaction.atomic():
        kept = InvariantViolation.objects.filter(gone_at=None)
        known = {(each.invariant, each.row_id, each.detail): each.pk for each in kept}
        new = [each for each in found if (each.invariant, each.row_id, each.detail) not in known]
        gone = known.keys() - {(each.invariant, each.row_id, each.detail) for each in found}
        kept.filter(pk__in=[known[key] for key in gone]).update(gone_at=now)
        InvariantViolation.objects.bulk_create(
            (
                InvariantViolation(invariant=each.invariant, row_id=each.row_id, detail=each.detail, found_at=now)
                for each in new
            ),
            ignore_conflicts=True,  # another sweeper looked at the same moment
        )
    for each in new:
        logger.error("Invariant %s is broken at row %s: %s", each.invariant, each.row_id, each.detail)
    return len(new)


@cache
def _edges() -> str:
    return json.dumps(
        [
            {"row": machine._meta.model_name, "source": int(source), "target": int(target)}
            for machine in MACHINES
            for source, _name in machine._meta.get_field("status").flatchoices
            # A note, such as that somebody asked to cancel it, leaves the row where it is.
            for target in (source, *machine.EDGES.get(source, ()))
        ]
    )
