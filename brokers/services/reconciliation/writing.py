"""Writing down what a comparison found: new differences, those seen again, and those that are gone.

In a few statements, however many there are: a broker that switches off a whole unit makes thousands at once.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from brokers.models import BrokerConnection, BrokerOperation, Difference, TradingAccount
from brokers.services.reconciliation.findings import Finding, Judged
from brokers.services.reconciliation.switches import switches
from propdesk.lib.actors import system
from propdesk.lib.transitions import record_all, transition_all

RECONCILIATION = system("reconciliation")
BATCH = 1000
Operation, Status = BrokerOperation.Status, Difference.Status


@transaction.atomic
def write_down(*, connection: BrokerConnection, unit: int, judged: Judged, seen_at: datetime, now: datetime) -> None:
    """Bring the unit's differences up to what a reading begun at `seen_at` shows, where it could judge."""
    rows = Difference.objects.present().filter(connection=connection, unit=unit).select_related("operation")
    present = {(row.login, row.kind, row.detail): row for row in rows.select_for_update(of=("self",)).order_by("pk")}
    found = {finding.key: finding for finding in judged.findings}
    new = [finding for key, finding in found.items() if key not in present]
    _open(connection, unit, new, seen_at=seen_at, now=now)
    _see_again([(row, found[key]) for key, row in present.items() if key in found], seen_at=seen_at, now=now)
    gone = [
        row
        for key, row in present.items()
        if key not in found and row.login in judged.logins.get(Difference.Kind(row.kind), ())
    ]
    reason = f"The reading of {seen_at:%Y-%m-%d %H:%M:%S} UTC shows it no more."
    transition_all(gone, to=Status.GONE, by=RECONCILIATION, now=now, reason=lambda _: reason, resolved_at=now)
    _take_over(judged.switched_by_others)


def _take_over(found: Mapping[bool, Sequence[int]]) -> None:
    """Keep how accounts are that only others switch. One that we have begun to switch since is left to that."""
    ours = switches().filter(account=OuterRef("pk"))
    for is_enabled, account_ids in found.items():
        theirs = TradingAccount.objects.filter(~Exists(ours), pk__in=account_ids)
        theirs.update(is_enabled=is_enabled)


def _open(
    connection: BrokerConnection, unit: int, findings: Sequence[Finding], *, seen_at: datetime, now: datetime
) -> None:
    rows = [
        Difference(
            connection=connection, unit=unit, kind=finding.kind, login=finding.login, detail=finding.detail,
            first_seen_at=seen_at, last_seen_at=seen_at, updated_at=now, **_shown(finding),
        )
        for finding in findings
    ]  # fmt: skip
    Difference.objects.bulk_create(rows, batch_size=BATCH)
    record_all(rows, source=None, by=RECONCILIATION, reason=lambda row: row.cause, now=now)


def _see_again(seen: Sequence[tuple[Difference, Finding]], *, seen_at: datetime, now: datetime) -> None:
    """Open again, with other money than was acknowledged or in spite of the operation that was to mend it."""
    reopened = {row.pk: reason for row, finding in seen if (reason := _why_again(row, finding, seen_at))}
    changed = []
    for row, finding in seen:
        shown = _shown(finding)
        if any(getattr(row, name) != value for name, value in shown.items()):
            changed.append(row)
            for name, value in shown.items():
                setattr(row, name, value)
    names = ("account_id", "order_id", "ours", "theirs", "cause", "gap")
    Difference.objects.bulk_update(changed, [name.removesuffix("_id") for name in names], batch_size=BATCH)
    rows = [row for row, _ in seen]
    Difference.objects.filter(pk__in=[row.pk for row in rows]).update(last_seen_at=seen_at, updated_at=now)
    again = [row for row in rows if row.pk in reopened]
    transition_all(again, to=Status.OPEN, by=RECONCILIATION, now=now, reason=lambda row: reopened[row.pk])


def _why_again(row: Difference, finding: Finding, seen_at: datetime) -> str:
    """Why it is open again; empty when it stays as it stands."""
    if row.status == Status.ACKNOWLEDGED and row.gap != finding.gap:
        return f"It was acknowledged with {row.gap}, and is {finding.gap} now."
    if row.status == Status.MENDING and row.operation is not None and _is_over(row.operation, seen_at):
        return f"Operation {row.operation_id} is {row.operation.get_status_display()}, and it is still there."
    return ""


def _is_over(operation: BrokerOperation, seen_at: datetime) -> bool:
    open_states = (Operation.INTENDED, Operation.CALLING, Operation.IN_DOUBT)
    return operation.status not in open_states and operation.updated_at < seen_at


def _shown(finding: Finding) -> dict[str, Any]:
    """What a finding says, by the columns that keep it."""
    return {
        "account_id": finding.account and finding.account.pk,
        "order_id": finding.order and finding.order.pk,
        "ours": finding.ours,
        "theirs": finding.theirs,
        "cause": finding.cause,
        "gap": finding.gap,
    }
