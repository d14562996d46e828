"""The way of one broker operation: intent, call, outcome (mechanisms M2, M3, M4).

The move to *calling* is committed before the call. Whatever is not a definite yes or no leaves the operation in doubt,
and then a reading decides; a *calling* operation that is found without its worker is in doubt as well.
"""

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.db import IntegrityError, transaction

from brokers.client.base import Broker
from brokers.client.errors import BrokerError, OutcomeUnknownError, RefusedError, TryLaterError
from brokers.models import AccountOrder, BrokerConnection, BrokerOperation
from brokers.services.leases import Clock, Lease
from brokers.services.snapshots import Snapshots
from propdesk.lib.actors import system
from propdesk.lib.transitions import IllegalTransitionError, transition

logger = logging.getLogger(__name__)

BROKERS = system("brokers")
Status = BrokerOperation.Status
# After so long without an outcome, staff have to look.
PATIENCE = timedelta(minutes=30)
SHORTEST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=30)

# A late effect of these leaves an extra account or extra money behind; the others only set a state again.
LEAVES_TRACES = (BrokerOperation.Kind.CREATE, *BrokerOperation.MONEY)

Evidence = dict[str, Any]


class Verdict(Enum):
    """What a reading says about a call."""

    DONE = "done"
    NOTHING = "nothing"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    evidence: Evidence
    reason: str = ""
    # When the reading was begun, if that was before it was asked for.
    begun: datetime | None = None


@dataclass(slots=True)
class Work:
    """What a worker has in hand: a client, a lease, the time, and the readings of its round."""

    connection: BrokerConnection
    client: Broker
    lease: Lease
    clock: Clock
    snapshots: Snapshots = field(default_factory=Snapshots)

    def broker(self) -> Broker:
        """The client, once the lease is sure to outlast one call. Raises `LeaseLostError`."""
        self.lease.hold(self.connection.deadline_seconds)
        return self.client


class Procedure(ABC):
    """How one kind of operation is done."""

    # Whether the same call may be made again at any time, and counts as done only when a reading confirms it.
    repeatable = False
    most_attempts = 20
    # What an operation becomes when its call is known to have had no effect.
    when_absent = Status.INTENDED
    absent_reason = "A reading begun after the settle time shows no effect."

    def baseline(self, operation: BrokerOperation, work: Work) -> Any:
        """What must be known before the call; None when nothing must. May read, and raise `BrokerError`."""
        return None

    def settle_after(self, connection: BrokerConnection) -> timedelta:
        """How long after the end of a call in doubt its effect may still appear."""
        return timedelta(seconds=connection.settle_seconds)

    @abstractmethod
    def send(self, operation: BrokerOperation, work: Work) -> Evidence:
        """Make the one call."""

    @abstractmethod
    def look(self, operation: BrokerOperation, work: Work) -> Finding:
        """Read whether the call had its effect. May raise `BrokerError`."""

    @abstractmethod
    def apply(self, operation: BrokerOperation, evidence: Evidence, *, now: datetime) -> None:
        """Write down what a done operation means for our rows, in the transaction that makes it done."""


def carry_out(operation: BrokerOperation, procedure: Procedure, work: Work) -> None:
    """Take the operation as far as it goes now; its `status` and `next_at` say where it stands afterwards."""
    if operation.status == Status.CALLING:
        _recover(operation, work)
    if operation.status == Status.IN_DOUBT and operation.next_at <= work.clock():
        _settle(operation, procedure, work)
    if operation.status == Status.INTENDED and operation.next_at <= work.clock():
        _call(operation, procedure, work)


def wind_up(operation: BrokerOperation, procedure: Procedure, work: Work) -> None:
    """End an operation that nobody wants any more, without a call: what was called is settled, the rest cancelled."""
    if operation.status == Status.CALLING:
        _recover(operation, work)
    if operation.status == Status.IN_DOUBT and operation.next_at <= work.clock():
        _settle(operation, procedure, work)
    if operation.status == Status.INTENDED:
        now, reason = work.clock(), "Nobody wants it any more."
        _change(operation, to=Status.CANCELLED, now=now, reason=reason, finished_at=now)


def wait_before_retry(*, since: datetime, now: datetime) -> timedelta:
    """Half of the time it has been tried already, within bounds: quick at first, patient later."""
    return min(max((now - since) / 2, SHORTEST_WAIT), LONGEST_WAIT)


def _since(operation: BrokerOperation) -> datetime:
    return operation.resumed_at or operation.created_at


def _recover(operation: BrokerOperation, work: Work) -> None:
    """Its worker died, or lost its lease. Only a money operation without a baseline is known not to have been sent."""
    if operation.kind in BrokerOperation.MONEY and operation.baseline is None:
        _back(operation, now=work.clock(), reason="Found before its call was made.")
    else:
        _doubt(operation, now=work.clock(), reason="Found in the middle of its call.")


def _call(operation: BrokerOperation, procedure: Procedure, work: Work) -> None:
    now = work.clock()
    if operation.attempts >= procedure.most_attempts:
        _review(operation, now=now, reason=f"Given up after {operation.attempts} attempts: {operation.error_message}")
        return
    if _begin(operation, procedure, work):
        _send(operation, procedure, work)


def _send(operation: BrokerOperation, procedure: Procedure, work: Work) -> None:
    try:
        evidence = procedure.send(operation, work)
    except RefusedError as exc:
        if procedure.repeatable:
            # It may be refused because the state is as wanted already, such as a position that is closed.
            _settle(operation, procedure, work, said=f"{exc} ")
        else:
            _refused(operation, now=work.clock(), message=str(exc))
    except TryLaterError as exc:
        _back(operation, now=work.clock(), reason=str(exc), attempts=operation.attempts - 1)
    except OutcomeUnknownError as exc:
        _doubt(operation, now=work.clock(), reason=str(exc))
    else:
        if procedure.repeatable:
            _settle(operation, procedure, work)
        else:
            _done(operation, procedure, evidence, now=work.clock())


def _begin(operation: BrokerOperation, procedure: Procedure, work: Work) -> bool:
    """Commit that the call is about to be made, with the baseline it will be judged by. False: not now."""
    work.lease.hold(work.connection.deadline_seconds)
    now = work.clock()
    times = _times(procedure, work, now)
    try:
        with transaction.atomic(durable=True):
            attempts = operation.attempts + 1
            transition(
                operation, to=Status.CALLING, by=BROKERS, now=now, attempts=attempts, baseline=None, **times
            )  # fmt: skip
    except IntegrityError:
        # Another money operation of this account is under way (M7).
        _set(operation, next_at=now + SHORTEST_WAIT)
        return False
    try:
        baseline = procedure.baseline(operation, work)
    except RefusedError as exc:
        # There is no such account: the call itself would fare no better.
        _refused(operation, now=work.clock(), message=str(exc), attempts=operation.attempts - 1)
        return False
    except BrokerError as exc:
        _back(operation, now=work.clock(), reason=str(exc), attempts=operation.attempts - 1)
        return False
    if baseline is not None:
        _set(operation, baseline=baseline, **_times(procedure, work, work.clock()))
    return True


def _times(procedure: Procedure, work: Work, now: datetime) -> dict[str, Any]:
    ends = now + timedelta(seconds=work.connection.deadline_seconds)
    return {"started_at": now, "settle_at": ends + procedure.settle_after(work.connection)}


def _settle(operation: BrokerOperation, procedure: Procedure, work: Work, *, said: str = "") -> None:
    """Let a reading decide. Only one begun after `settle_at` can show that a call had no effect.

    `said` is what the broker said to the call.
    """
    begun = work.clock()
    try:
        finding = procedure.look(operation, work)
    except BrokerError as exc:
        _look_again(operation, now=work.clock(), reason=str(exc))
        return
    now, begun = work.clock(), finding.begun or begun
    match finding.verdict:
        case Verdict.DONE:
            _done(operation, procedure, finding.evidence, now=now)
        case Verdict.UNCLEAR:
            _review(operation, now=now, reason=finding.reason, evidence=finding.evidence)
        case Verdict.NOTHING if procedure.repeatable:
            _back(operation, now=now, reason=said + finding.reason)
        case Verdict.NOTHING if operation.settle_at is not None and begun >= operation.settle_at:
            reason, evidence = procedure.absent_reason, finding.evidence
            _change(operation, to=procedure.when_absent, now=now, reason=reason, evidence=evidence, next_at=now)
        case Verdict.NOTHING:
            _look_again(operation, now=now, reason=operation.error_message)


def _look_again(operation: BrokerOperation, *, now: datetime, reason: str) -> None:
    if now - _since(operation) > PATIENCE:
        _review(operation, now=now, reason=f"Still in doubt: {reason}")
        return
    next_at = now + wait_before_retry(since=operation.started_at or now, now=now)
    if operation.settle_at is not None and operation.settle_at > now:
        next_at = min(next_at, operation.settle_at)
    if operation.status == Status.CALLING:
        _doubt(operation, now=now, reason=reason)
    _set(operation, next_at=next_at, error_message=reason)


def _done(operation: BrokerOperation, procedure: Procedure, evidence: Evidence, *, now: datetime) -> None:
    with transaction.atomic(durable=True):
        status = BrokerOperation.objects.select_for_update().values_list("status", flat=True).get(pk=operation.pk)
        if status != operation.status:
            # Somebody was quicker, and has written down what it means.
            raise IllegalTransitionError(operation, status, Status.DONE)
        procedure.apply(operation, evidence, now=now)
        _change(
            operation,
            to=Status.DONE,
            now=now,
            reason="",
            evidence=evidence,
            finished_at=now,
            account_id=operation.account_id,
        )


def _refused(operation: BrokerOperation, *, now: datetime, message: str, **changes: Any) -> None:
    code = "NOT_ENOUGH_FUNDS" if _means_no_funds(operation, message) else "BROKER_REFUSED"
    changes |= {"error_code": code, "error_message": message, "finished_at": now}
    _change(operation, to=Status.REFUSED, now=now, reason=message, **changes)


def _means_no_funds(operation: BrokerOperation, message: str) -> bool:
    words = message.lower()
    return operation.kind == BrokerOperation.Kind.WITHDRAW and any(
        sign in words for sign in ("insufficient", "not enough", "exceeds", "funds", "free balance")
    )


def _back(operation: BrokerOperation, *, now: datetime, reason: str, attempts: int | None = None) -> None:
    """To be called again, a little later; tried for too long already, it is given up."""
    count = operation.attempts if attempts is None else attempts
    if now - _since(operation) > PATIENCE:
        _review(operation, now=now, reason=f"Given up: {reason}", attempts=count)
        return
    next_at = now + wait_before_retry(since=_since(operation), now=now)
    _change(
        operation, to=Status.INTENDED, now=now, reason=reason, error_message=reason, next_at=next_at, attempts=count
    )


def _doubt(operation: BrokerOperation, *, now: datetime, reason: str) -> None:
    with transaction.atomic(durable=True):
        if operation.order_id is not None and operation.kind in LEAVES_TRACES:
            AccountOrder.objects.filter(pk=operation.order_id).update(was_in_doubt=True)
        _change(
            operation, to=Status.IN_DOUBT, now=now, reason=reason, error_message=reason, was_in_doubt=True,
            next_at=now + SHORTEST_WAIT,
        )  # fmt: skip


def _review(operation: BrokerOperation, *, now: datetime, reason: str, **changes: Any) -> None:
    logger.warning("%s needs review: %s", operation, reason)
    _change(operation, to=Status.NEEDS_REVIEW, now=now, reason=reason, review_reason=reason, **changes)


def _change(
    operation: BrokerOperation, *, to: BrokerOperation.Status, now: datetime, reason: str, **changes: Any
) -> None:
    transition(operation, to=to, by=BROKERS, now=now, reason=reason, **changes)


def _set(operation: BrokerOperation, **values: Any) -> None:
    """Write columns that are no status change, for the holder of the lease."""
    BrokerOperation.objects.filter(pk=operation.pk).update(**values)
    for name, value in values.items():
        setattr(operation, name, value)
