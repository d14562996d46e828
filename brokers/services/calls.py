"""The way of one broker operation: intent, call, outcome (mechanisms M2, M3, M4).

The move to *calling* is committed before the call. Whatever is not a definite yes or no leaves the operation in doubt,
and then a reading decides; a *calling* operation that is found without its worker is in doubt as well.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from django.db import IntegrityError

from brokers.client.errors import BrokerError, OutcomeUnknownError, RefusedError, TryLaterError
from brokers.models import BrokerConnection, BrokerOperation
from brokers.services.outcomes import (
    BROKERS,
    PATIENCE,
    SHORTEST_WAIT,
    change,
    conclude_refused,
    put_in_doubt,
    put_in_review,
    send_back,
    set_columns,
    tried_since,
    wait_before_retry,
)
from brokers.services.work import Work
from propdesk.lib.transitions import IllegalTransitionError, transition

Status = BrokerOperation.Status

Evidence = dict[str, Any]
CALLS_TO_MAKE_SURE = 3
# Marks a baseline as that of an earlier call: this one has not been made.
EARLIER = "earlier"


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
    # When the reading was begun, if it is one that others have asked for as well.
    begun: datetime | None = None


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

    def landed_since(self, operation: BrokerOperation, before: Any, baseline: Any) -> Any:
        """What an earlier call, made on the baseline `before`, is to be judged by if it may have landed by now.

        None when the new `baseline` shows that nothing has; always None for kinds without one.
        """
        return None

    def settle_after(self, connection: BrokerConnection) -> timedelta:
        """How long after the end of a call in doubt its effect may still appear."""
        return timedelta(seconds=connection.settle_seconds)

    @abstractmethod
    def send(self, operation: BrokerOperation, work: Work) -> Evidence:
        """Make the one call."""

    @abstractmethod
    def look(self, operation: BrokerOperation, work: Work, *, since: datetime) -> Finding:
        """Whether the call had its effect, by a reading begun at or after `since`. May raise `BrokerError`."""

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
        change(operation, work, to=Status.CANCELLED, reason="Nobody wants it any more.", finished_at=work.clock())


def _recover(operation: BrokerOperation, work: Work) -> None:
    """Its worker died, or lost its lease. Only money without a baseline of this call is known not to have been sent."""
    if operation.kind in BrokerOperation.MONEY and (operation.baseline is None or EARLIER in operation.baseline):
        send_back(operation, work, reason="Found before its call was made.")
    else:
        put_in_doubt(operation, work, reason="Found in the middle of its call.")


def _call(operation: BrokerOperation, procedure: Procedure, work: Work) -> None:
    if operation.attempts >= procedure.most_attempts:
        reason = f"Given up after {operation.attempts} attempts: {operation.error_message}"
        put_in_review(operation, work, reason=reason)
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
        elif operation.was_in_doubt:
            _refused_in_doubt(operation, procedure, work, message=str(exc))
        else:
            conclude_refused(operation, work, message=str(exc))
    except TryLaterError as exc:
        send_back(operation, work, reason=str(exc), attempts=operation.attempts - 1)
    except OutcomeUnknownError as exc:
        put_in_doubt(operation, work, reason=str(exc))
    else:
        if procedure.repeatable:
            _settle(operation, procedure, work)
        else:
            _done(operation, procedure, evidence, work)


def _refused_in_doubt(operation: BrokerOperation, procedure: Procedure, work: Work, *, message: str) -> None:
    """It may be refused because an earlier call, taken for lost, has had its effect after all."""
    try:
        finding = procedure.look(operation, work, since=operation.started_at or work.clock())
    except BrokerError as exc:
        put_in_doubt(operation, work, reason=f"{message} {exc}")
        return
    match finding.verdict:
        case Verdict.DONE:
            _done(operation, procedure, finding.evidence, work)
        case Verdict.UNCLEAR:
            put_in_review(operation, work, reason=f"{message} {finding.reason}", evidence=finding.evidence)
        case Verdict.NOTHING:
            conclude_refused(operation, work, message=message)


def _begin(operation: BrokerOperation, procedure: Procedure, work: Work) -> bool:
    """Commit that the call is about to be made, with the baseline it will be judged by. False: not now."""
    work.lease.hold(work.connection.deadline_seconds)
    now, before = work.clock(), operation.baseline
    times, attempts = _times(procedure, work, now), operation.attempts + 1
    # The baseline of an earlier call stays, marked as such, until there is one for this call.
    kept = {**before, EARLIER: True} if before else None
    try:
        change(operation, work, to=Status.CALLING, reason="", attempts=attempts, baseline=kept, **times)
    except IntegrityError:
        # Another money operation of this account is under way (M7).
        set_columns(operation, work, next_at=now + SHORTEST_WAIT)
        return False
    try:
        baseline = procedure.baseline(operation, work)
    except RefusedError as exc:
        # There is no such account: the call itself would fare no better.
        conclude_refused(operation, work, message=str(exc), attempts=operation.attempts - 1)
        return False
    except BrokerError as exc:
        send_back(operation, work, reason=str(exc), attempts=operation.attempts - 1)
        return False
    if expected := procedure.landed_since(operation, before, baseline):
        # Before a second call a reading has to say whether it was the first one that landed.
        reason = "Transfers have come in since a call that was taken for lost."
        doubt = put_in_review if work.clock() - tried_since(operation) > PATIENCE else put_in_doubt
        doubt(operation, work, reason=reason, attempts=operation.attempts - 1, baseline=expected)
        return False
    if baseline is not None:
        set_columns(operation, work, baseline=baseline, **_times(procedure, work, work.clock()))
    return True


def _times(procedure: Procedure, work: Work, now: datetime) -> dict[str, Any]:
    ends = now + timedelta(seconds=work.connection.deadline_seconds)
    return {"started_at": now, "settle_at": ends + procedure.settle_after(work.connection)}


def _settle(operation: BrokerOperation, procedure: Procedure, work: Work, *, said: str = "") -> None:
    """Let a reading decide. Only one begun after `settle_at` can show that a call had no effect.

    `said` is what the broker said to the call.
    """
    try:
        finding, is_settled = _read(operation, procedure, work)
    except BrokerError as exc:
        _look_again(operation, work, reason=str(exc))
        return
    match finding.verdict:
        case Verdict.DONE if procedure.repeatable and operation.status == Status.IN_DOUBT and not is_settled:
            _make_sure(operation, work)
        case Verdict.DONE:
            _done(operation, procedure, finding.evidence, work)
        case Verdict.UNCLEAR if is_settled or procedure.repeatable:
            put_in_review(operation, work, reason=finding.reason, evidence=finding.evidence)
        case Verdict.NOTHING if procedure.repeatable:
            # The effect of an answered call that does not show yet may still come.
            send_back(operation, work, reason=said + finding.reason, was_in_doubt=True)
        case Verdict.NOTHING if is_settled:
            reason, evidence = procedure.absent_reason, finding.evidence
            change(operation, work, to=procedure.when_absent, reason=reason, evidence=evidence, next_at=work.clock())
        case Verdict.UNCLEAR | Verdict.NOTHING:
            _look_again(operation, work, reason=finding.reason or operation.error_message)


def _make_sure(operation: BrokerOperation, work: Work) -> None:
    """The state is as wanted, by a reading that may be older than what was there in between, and than the call.

    Called again, which does no harm, it is sure once there is an answer; else after the settle time.
    """
    reason = "It reads as wanted, and its call was not answered."
    if operation.attempts < CALLS_TO_MAKE_SURE:
        change(operation, work, to=Status.INTENDED, reason=reason, next_at=work.clock())
    else:
        _look_again(operation, work, reason=reason)


def _read(operation: BrokerOperation, procedure: Procedure, work: Work) -> tuple[Finding, bool]:
    """What a reading shows, and whether it was begun late enough to show that there was no effect.

    Then it takes two in a row to say so: one list may miss a row, and the call would be made a second time.
    """
    now, settle_at = work.clock(), operation.settle_at
    late = settle_at is not None and settle_at <= now
    since = settle_at if settle_at is not None and late else operation.started_at or now
    finding = procedure.look(operation, work, since=since)
    begun = finding.begun or now
    is_settled = settle_at is not None and begun >= settle_at
    if finding.verdict is Verdict.NOTHING and is_settled and not procedure.repeatable:
        finding = procedure.look(operation, work, since=begun + timedelta.resolution)
    return finding, is_settled


def _look_again(operation: BrokerOperation, work: Work, *, reason: str) -> None:
    now = work.clock()
    may_still_land = operation.settle_at is not None and operation.settle_at > now
    if now - tried_since(operation) > PATIENCE and not may_still_land:
        put_in_review(operation, work, reason=f"Still in doubt: {reason}")
        return
    next_at = now + wait_before_retry(since=operation.started_at or now, now=now)
    if operation.settle_at is not None and may_still_land:
        next_at = min(next_at, operation.settle_at)
    if operation.status == Status.CALLING:
        put_in_doubt(operation, work, reason=reason)
    set_columns(operation, work, next_at=next_at, error_message=reason)


def _done(operation: BrokerOperation, procedure: Procedure, evidence: Evidence, work: Work) -> None:
    with work.lease.fence():
        status = BrokerOperation.objects.select_for_update().values_list("status", flat=True).get(pk=operation.pk)
        if status != operation.status:
            # Somebody was quicker, and has written down what it means.
            raise IllegalTransitionError(operation, status, Status.DONE)
        now = work.clock()
        procedure.apply(operation, evidence, now=now)
        transition(
            operation, to=Status.DONE, by=BROKERS, now=now, evidence=evidence, finished_at=now,
            account_id=operation.account_id,
        )  # fmt: skip
