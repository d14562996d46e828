"""How a call ends, written down: done, refused, to be made again, in doubt, or before staff."""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, QuerySet

from brokers.models import AccountOrder, BrokerOperation
from brokers.services.work import Work
from propdesk.lib.actors import system
from propdesk.lib.transitions import Event, transition

logger = logging.getLogger(__name__)

BROKERS = system("brokers")
Status = BrokerOperation.Status
# After so long without an outcome, staff have to look.
PATIENCE = timedelta(minutes=30)
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=30)

# A late effect of these leaves an extra account or extra money behind; the others only set a state again.
LEAVES_TRACES = (BrokerOperation.Kind.CREATE, *BrokerOperation.MONEY)


def wait_before_retry(*, since: datetime, now: datetime) -> timedelta:
    """Half of the time it has been tried already, within bounds: quick at first, patient later."""
    return min(max((now - since) / 2, SHORTEST_WAIT), LONGEST_WAIT)


def tried_since(operation: BrokerOperation) -> datetime:
    """When it was first tried, or last resumed. The time that it had to wait for others does not count."""
    if operation.resumed_at is not None:
        return operation.resumed_at
    return calls_of(operation).aggregate(first=Min("at"))["first"] or operation.created_at


def calls_of(operation: BrokerOperation) -> QuerySet[Event]:
    """The event of each call of it that was made, or may have been."""
    return operation.EVENTS._default_manager.filter(subject_id=operation.pk, to_status=Status.CALLING)


def conclude_refused(operation: BrokerOperation, work: Work, *, message: str, **changes: Any) -> None:
    code = "NOT_ENOUGH_FUNDS" if _means_no_funds(operation, message) else "BROKER_REFUSED"
    changes |= {"error_code": code, "error_message": message, "finished_at": work.clock()}
    change(operation, work, to=Status.REFUSED, reason=message, **changes)


def _means_no_funds(operation: BrokerOperation, message: str) -> bool:
    words = message.lower()
    return operation.kind == BrokerOperation.Kind.WITHDRAW and any(
        sign in words for sign in ("insufficient", "not enough", "exceeds", "funds", "free balance")
    )


def send_back(
    operation: BrokerOperation, work: Work, *, reason: str, attempts: int | None = None, **changes: Any
) -> None:
    """To be called again, a little later; tried for too long already, it is given up."""
    now, since = work.clock(), tried_since(operation)
    count = operation.attempts if attempts is None else attempts
    if now - since > PATIENCE:
        put_in_review(operation, work, reason=f"Given up: {reason}", attempts=count, **changes)
        return
    next_at = now + wait_before_retry(since=since, now=now)
    change(
        operation, work, to=Status.INTENDED, reason=reason, error_message=reason, next_at=next_at, attempts=count,
        **changes,
    )  # fmt: skip


def put_in_doubt(operation: BrokerOperation, work: Work, *, reason: str, **changes: Any) -> None:
    with work.lease.fence():
        if operation.order_id is not None and operation.kind in LEAVES_TRACES:
            AccountOrder.objects.filter(pk=operation.order_id).update(was_in_doubt=True)
        now = work.clock()
        transition(
            operation, to=Status.IN_DOUBT, by=BROKERS, now=now, reason=reason, error_message=reason, was_in_doubt=True,
            next_at=now + SHORTEST_WAIT, **changes,
        )  # fmt: skip


def put_in_review(operation: BrokerOperation, work: Work, *, reason: str, **changes: Any) -> None:
    logger.warning("%s needs review: %s", operation, reason)
    change(operation, work, to=Status.NEEDS_REVIEW, reason=reason, review_reason=reason, **changes)


def change(operation: BrokerOperation, work: Work, *, to: BrokerOperation.Status, reason: str, **changes: Any) -> None:
    """Move the operation, for the holder of the lease. Raises `LeaseLostError`, and `IllegalTransitionError` when staff
    or the owner have decided about it meanwhile."""
    with work.lease.fence():
        transition(operation, to=to, by=BROKERS, now=work.clock(), reason=reason, **changes)


def set_columns(operation: BrokerOperation, work: Work, **values: Any) -> None:
    """Write columns that are no status change, for the holder of the lease. Raises `LeaseLostError`."""
    with work.lease.fence():
        BrokerOperation.objects.filter(pk=operation.pk).update(**values)
    for name, value in values.items():
        setattr(operation, name, value)
