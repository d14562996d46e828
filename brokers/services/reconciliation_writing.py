"""Writing down what a comparison found: new differences, those seen again, and those that are gone."""

from datetime import datetime
from typing import Any

from django.db import transaction

from brokers.models import BrokerConnection, BrokerOperation, Difference
from brokers.services.reconciliation_findings import Finding, Judged
from propdesk.lib.actors import system
from propdesk.lib.transitions import record, transition

RECONCILIATION = system("reconciliation")
Status = Difference.Status


@transaction.atomic
def write_down(*, connection: BrokerConnection, unit: int, judged: Judged, seen_at: datetime, now: datetime) -> None:
    """Bring the unit's differences up to what a reading begun at `seen_at` shows, where it could judge."""
    rows = Difference.objects.present().filter(connection=connection, unit=unit)
    present = {(row.login, row.kind, row.detail): row for row in rows.select_for_update(of=("self",))}
    found = {finding.key: finding for finding in judged.findings}
    for key, finding in found.items():
        if key in present:
            _see_again(present[key], finding, seen_at=seen_at, now=now)
        else:
            _open(connection, unit, finding, seen_at=seen_at, now=now)
    for key, row in present.items():
        if key not in found and row.login in judged.logins.get(Difference.Kind(row.kind), ()):
            reason = f"The reading of {seen_at:%Y-%m-%d %H:%M:%S} UTC shows it no more."
            transition(row, to=Status.GONE, by=RECONCILIATION, now=now, reason=reason, resolved_at=now)


def _open(connection: BrokerConnection, unit: int, finding: Finding, *, seen_at: datetime, now: datetime) -> None:
    row = Difference.objects.create(
        connection=connection, unit=unit, kind=finding.kind, login=finding.login, detail=finding.detail,
        first_seen_at=seen_at, last_seen_at=seen_at, updated_at=now, **_shown(finding),
    )  # fmt: skip
    record(row, source=None, by=RECONCILIATION, reason=finding.cause, now=now)


def _see_again(row: Difference, finding: Finding, *, seen_at: datetime, now: datetime) -> None:
    """Open again, with other money than was acknowledged or in spite of the operation that was to mend it."""
    reason = ""
    if row.status == Status.ACKNOWLEDGED and row.gap != finding.gap:
        reason = f"It was acknowledged with {row.gap}, and is {finding.gap} now."
    elif row.status == Status.MENDING and row.operation is not None and _is_over(row.operation, seen_at):
        reason = f"Operation {row.operation_id} is {row.operation.get_status_display()}, and it is still there."
    Difference.objects.filter(pk=row.pk).update(last_seen_at=seen_at, updated_at=now, **_shown(finding))
    if reason:
        transition(row, to=Status.OPEN, by=RECONCILIATION, now=now, reason=reason)


def _is_over(operation: BrokerOperation, seen_at: datetime) -> bool:
    open_states = (BrokerOperation.Status.INTENDED, BrokerOperation.Status.CALLING, BrokerOperation.Status.IN_DOUBT)
    return operation.status not in open_states and operation.updated_at < seen_at


def _shown(finding: Finding) -> dict[str, Any]:
    return {
        "account": finding.account,
        "order": finding.order,
        "ours": finding.ours,
        "theirs": finding.theirs,
        "cause": finding.cause,
        "gap": finding.gap,
    }
