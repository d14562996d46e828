"""Giving a trader access: a new password, sent to the broker, shown once to whoever asked for it, kept nowhere."""

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from brokers.models import BrokerOperation, TradingAccount
from brokers.services.calls import carry_out, wind_up
from brokers.services.connections import broker_for
from brokers.services.intents import SubjectReusedError
from brokers.services.leases import Clock, Lease, LeaseLostError, take
from brokers.services.procedures import PasswordReset
from brokers.services.work import Work
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import record

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


class ResetUnderWayError(Exception):
    """An earlier reset of this account may still have its effect, and would undo a new one."""


@dataclass(frozen=True, slots=True)
class ResetOutcome:
    """How a reset ended: `password` is set when the broker has confirmed it, and is in no other place.

    Else `operation.status` says why not: REFUSED, CANCELLED (it was never sent) or IN_DOUBT (ask again a minute later).
    """

    operation: BrokerOperation
    password: str | None = field(repr=False)


def reset_password(
    *, account: TradingAccount, by: Actor, clock: Clock, subject: str = "", reason: str = ""
) -> ResetOutcome:
    """Set a new random password for an account, now. Makes one HTTP call and commits transactions of its own.

    Raises `ResetUnderWayError` while an earlier reset is not over, `NotSentError` when the connection is switched off,
    `ClockError` when this machine's clock is off, and `SubjectReusedError` when a reset of that `subject` was made
    before: its password was shown then. Without a subject it is a reset of its own.
    """
    client = broker_for(account.connection)
    lease = _begin(account, by=by, clock=clock, subject=subject, reason=reason)
    operation, procedure = lease.row, PasswordReset()
    assert isinstance(operation, BrokerOperation)  # noqa: S101  (what was begun)
    work = Work(account.connection, client, lease, clock)
    try:
        carry_out(operation, procedure, work)
        if operation.status == Status.INTENDED:
            # It was not sent, and by the time it could be nobody would be there to be told.
            wind_up(operation, procedure, work)
    except LeaseLostError:
        # It took too long; others have settled it meanwhile, or will.
        operation.refresh_from_db()
        return ResetOutcome(operation, None)
    lease.release(next_at=operation.next_at)
    return ResetOutcome(operation, procedure.password if operation.status == Status.DONE else None)


def _begin(account: TradingAccount, *, by: Actor, clock: Clock, subject: str, reason: str) -> Lease:
    """The intent, leased from the start: nobody else may send another password."""
    now: datetime = clock()
    with transaction.atomic(durable=True):
        TradingAccount.objects.select_for_update().get(pk=account.pk)
        earlier = BrokerOperation.objects.filter(kind=Kind.RESET_PASSWORD, account=account)
        if subject and earlier.filter(subject=subject).exists():
            raise SubjectReusedError(f"The reset {subject} was made before.")
        if earlier.unfinished().exists():
            raise ResetUnderWayError(f"A password reset of account {account.login} is not over yet.")
        latest = earlier.aggregate(latest=Max("generation"))["latest"] or 0
        operation = BrokerOperation.objects.create(
            subject=subject or f"account:{account.pk}", kind=Kind.RESET_PASSWORD, generation=latest + 1,
            connection=account.connection, account=account, next_at=now, created_at=now, updated_at=now,
        )  # fmt: skip
        record(operation, source=None, by=by, reason=reason, now=now)
        return take(operation, seconds=account.connection.deadline_seconds, clock=clock, now=now)
