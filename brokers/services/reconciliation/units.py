"""Comparing our books with the broker, unit by unit. A short or unreadable list is no data: no difference changes."""

import logging
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from brokers.client.errors import BrokerError
from brokers.models import AccountGroup, UnitReconciliation
from brokers.services.connections import broker_for
from brokers.services.leases import Clock
from brokers.services.reconciliation.findings import Judged
from brokers.services.reconciliation.reading import Comparison, judge, read_unit
from brokers.services.reconciliation.writing import write_down
from propdesk.lib.nudge import nudge

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=5)
# Longer than a comparison takes: it examines nothing more once half of it is over.
LEASE = timedelta(minutes=4)


def reconcile_due_units(*, clock: Clock) -> int:
    """Compare every unit whose time has come; how many there were. Makes HTTP calls."""
    _remember_units(now=clock())
    due = list(UnitReconciliation.objects.due(clock()).values_list("pk", flat=True))
    for reconciliation_id in due:
        reconcile_unit(reconciliation_id=reconciliation_id, clock=clock)
    return len(due)


@transaction.atomic
def ask_for_reconciliation(*, reconciliation_id: int, now: datetime) -> None:
    """Have a unit compared as soon as possible, instead of in five minutes."""
    UnitReconciliation.objects.filter(pk=reconciliation_id).update(next_at=now)
    nudge("brokers.reconcile_unit", reconciliation_id)


def reconcile_unit(*, reconciliation_id: int, clock: Clock) -> UnitReconciliation:
    """Compare a unit, if its time has come and nobody else does. Makes HTTP calls and commits of its own."""
    row = _claim(reconciliation_id, now=clock())
    if row is None:
        return UnitReconciliation.objects.get(pk=reconciliation_id)
    begun, watch = clock(), time.monotonic()
    try:
        judged, values = _compare(row, clock=clock)
        _keep(row, judged, values, begun=begun, watch=watch, clock=clock)
    except BrokerError as exc:
        _keep(row, None, {"failure": str(exc)}, begun=begun, watch=watch, clock=clock)
    except Exception as exc:
        # One bad unit must not stop the others. Its text may hold anything, so that it goes to the log alone.
        logger.exception("Comparing unit %s of %s failed", row.unit, row.connection)
        failure = f"The comparison itself failed, with {type(exc).__name__}: the log tells more."
        _keep(row, None, {"failure": failure}, begun=begun, watch=watch, clock=clock)
    return UnitReconciliation.objects.get(pk=row.pk)


def _compare(row: UnitReconciliation, *, clock: Clock) -> tuple[Judged, dict[str, Any]]:
    """What was found, and how it went."""
    broker = broker_for(row.connection)
    comparison = read_unit(row.connection, row.unit, broker, clock=clock, patience=LEASE / 2)
    return judge(comparison), _went_well(comparison)


def _keep(
    row: UnitReconciliation,
    judged: Judged | None,
    values: dict[str, Any],
    *,
    begun: datetime,
    watch: float,
    clock: Clock,
) -> None:
    """Write down how it went, with what was found, if anything; and let go of the unit."""
    values |= {"tried_at": begun, "seconds": time.monotonic() - watch, "next_at": begun + EVERY, "leased_until": None}
    with transaction.atomic(durable=True):
        # Whoever has taken the lease over has a younger reading.
        held = UnitReconciliation.objects.filter(pk=row.pk, leased_until=row.leased_until)
        if held.update(**values) and judged is not None:
            write_down(connection=row.connection, unit=row.unit, judged=judged, seen_at=begun, now=clock())


def _went_well(comparison: Comparison) -> dict[str, Any]:
    return {
        "failure": "",
        "money_failure": comparison.money_failure,
        "compared_at": comparison.begun,
        "accounts_known": len(comparison.books.accounts),
        "accounts_at_broker": len(comparison.listed),
        "examined": comparison.examined,
        "left_over": comparison.left_over,
    }


def _remember_units(*, now: datetime) -> None:
    """A row for every unit that has an account group."""
    pairs = set(AccountGroup.objects.values_list("connection_id", "unit"))
    pairs -= set(UnitReconciliation.objects.values_list("connection_id", "unit"))
    new = [UnitReconciliation(connection_id=connection_id, unit=unit, next_at=now) for connection_id, unit in pairs]
    UnitReconciliation.objects.bulk_create(new, ignore_conflicts=True)


def _claim(reconciliation_id: int, *, now: datetime) -> UnitReconciliation | None:
    due = UnitReconciliation.objects.due(now).filter(pk=reconciliation_id).select_related("connection")
    with transaction.atomic(durable=True):
        row = due.select_for_update(of=("self",), skip_locked=True).first()
        if row is not None:
            row.leased_until = now + LEASE
            row.save(update_fields=["leased_until"])
    return row
