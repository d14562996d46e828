"""Operations that stand alone: asked for, worked on, and what staff decide about them in review."""

import logging
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from brokers.client.errors import BrokerError
from brokers.models import BrokerOperation, TradingAccount
from brokers.services.calls import carry_out, wind_up
from brokers.services.connections import broker_for
from brokers.services.intents import SubjectReusedError, intend
from brokers.services.leases import Clock, Lease, LeaseLostError, claim_operation
from brokers.services.objections import refuse_unwanted
from brokers.services.outcomes import LONGEST_WAIT
from brokers.services.procedures import procedure_of
from brokers.services.taking_out import close_again
from brokers.services.work import Work
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.nudge import nudge
from propdesk.lib.transitions import IllegalTransitionError, transition

logger = logging.getLogger(__name__)

Kind, Purpose, Status = BrokerOperation.Kind, BrokerOperation.Purpose, BrokerOperation.Status


@transaction.atomic
def request_withdrawal(
    *, subject: str, account: TradingAccount, amount: Decimal, comment: str, by: Actor, now: datetime,
    purpose: BrokerOperation.Purpose = Purpose.PRICE,
) -> BrokerOperation:  # fmt: skip
    """Take money out of an account. The same subject again is the same withdrawal, or `SubjectReusedError`.

    `purpose` names the other side in the ledger.
    It ends DONE, REFUSED (`error_code` NOT_ENOUGH_FUNDS or BROKER_REFUSED) or in NEEDS_REVIEW.
    """
    return _intend_money(
        Kind.WITHDRAW, subject=subject, account=account, amount=amount, comment=comment, purpose=purpose, by=by, now=now
    )


@transaction.atomic
def request_refund(
    *, subject: str, account: TradingAccount, amount: Decimal, comment: str, by: Actor, now: datetime,
    purpose: BrokerOperation.Purpose = Purpose.PRICE,
) -> BrokerOperation:  # fmt: skip
    """Give money back to the account it was taken from (subject such as purchase:7:refund), once per subject.

    The same subject again is the same refund, or `SubjectReusedError`. It ends DONE, REFUSED or in NEEDS_REVIEW.
    `purpose` names the other side in the ledger: that of the withdrawal it makes up for.
    """
    return _intend_money(
        Kind.DEPOSIT, subject=subject, account=account, amount=amount, comment=comment, purpose=purpose, by=by, now=now
    )


def _intend_money(
    kind: BrokerOperation.Kind, *, account: TradingAccount, amount: Decimal, comment: str, **values: Any
) -> BrokerOperation:
    operation = intend(kind=kind, account=account, amount=amount, comment=comment[:100], **values)
    if (operation.account_id, operation.amount) != (account.pk, amount):
        raise SubjectReusedError(
            f"{operation.subject} already is a {kind.label} of {operation.amount}, account {operation.account}."
        )
    return operation


@transaction.atomic
def request_close_position(
    *, subject: str, account: TradingAccount, position_id: int, by: Actor, now: datetime, reason: str = ""
) -> BrokerOperation:
    """Close one open position. It is done when the broker's list of open positions shows it no more.

    The same subject again is the same closing, or `SubjectReusedError`.
    """
    operation = intend(
        subject=subject, kind=Kind.CLOSE_ONE, account=account, position_id=position_id, by=by, now=now, reason=reason
    )  # fmt: skip
    if (operation.account_id, operation.position_id) != (account.pk, position_id):
        raise SubjectReusedError(f"{subject} already closes position {operation.position_id} of {operation.account}.")
    return operation


@transaction.atomic
def request_enable(
    *,
    subject: str,
    account: TradingAccount,
    by: Actor,
    now: datetime,
    after: BrokerOperation | None = None,
    reason: str = "",
) -> BrokerOperation:
    """Let an account trade again, once `after` is done. It counts only when read back."""
    return intend(subject=subject, kind=Kind.ENABLE, account=account, after=after, by=by, now=now, reason=reason)


def run_operation(*, operation_id: int, clock: Clock) -> BrokerOperation:
    """Take an operation that stands alone as far as it goes now, and what was waiting for it. Makes HTTP calls.

    Safe at any time and from anywhere: without a due row, or while someone else holds it, nothing happens.
    """
    lease = claim_operation(clock=clock, operation_id=operation_id)
    if lease is not None:
        work_on_operation(lease, clock=clock)
    return BrokerOperation.objects.select_related("account").get(pk=operation_id)


def work_on_operation(lease: Lease, *, clock: Clock) -> None:
    """Work on a leased operation, then on its followers."""
    operation = lease.row
    assert isinstance(operation, BrokerOperation)  # noqa: S101  (what was claimed)
    try:
        client = broker_for(operation.connection)
    except BrokerError:
        lease.release(next_at=clock() + LONGEST_WAIT)
        return
    try:
        work = Work(operation.connection, client, lease, clock)
        # A password is set by the one who is waiting for it, or not at all.
        go_on = wind_up if operation.kind == Kind.RESET_PASSWORD else carry_out
        go_on(operation, procedure_of(operation), work)
    except LeaseLostError:
        return
    except IllegalTransitionError as exc:
        # Staff, or the owner, decided about it while we worked on it: theirs is the word that counts.
        logger.warning("Work on operation %s stopped: %s", operation.pk, exc)
    lease.release(next_at=operation.next_at)
    if operation.status not in {Status.INTENDED, Status.CALLING, Status.IN_DOUBT}:
        for follower_id in operation.followers.order_by("id").values_list("pk", flat=True):
            run_operation(operation_id=follower_id, clock=clock)


@transaction.atomic
def resume_operation(*, operation_id: int, reason: str, by: Actor, now: datetime) -> BrokerOperation:
    """Let the machine try an operation in review again: by reading first if its call may have been made.

    Raises `ConflictError` for a switch of an account that is not wanted any more, and for a step of an order that is
    over, which nobody would take up again: they are to be concluded.
    """
    asked = BrokerOperation.objects.select_related("account__order", "order").get(pk=operation_id)
    refuse_unwanted(asked)
    if asked.order is not None and asked.order.is_over:
        raise ConflictError(f"Its order {asked.order} is {asked.order.get_status_display()}: say how the call ended.")
    operation = BrokerOperation.objects.select_for_update().get(pk=operation_id)
    again = Status.IN_DOUBT if operation.was_in_doubt else Status.INTENDED
    if operation.status != Status.NEEDS_REVIEW:
        # Two may press at once: the second must not take the operation out of the first one's call.
        raise IllegalTransitionError(operation, operation.status, again)
    transition(
        operation, to=again, by=by, now=now, reason=reason, next_at=now, resumed_at=now, attempts=0, review_reason=""
    )
    if operation.order_id is None:
        nudge("brokers.run_operation", operation.pk)
    if operation.kind == Kind.DISABLE:
        close_again(operation, by=by, now=now)
    return operation


@transaction.atomic
def decide_operation(*, operation_id: int, happened: bool, reason: str, by: Actor, now: datetime) -> BrokerOperation:
    """Staff say, having looked at the broker, whether the money of an operation in review has moved.

    It becomes DONE or REFUSED. Raises `IllegalTransitionError` when it is not in review, `ConflictError` for a no while
    the call may still land, and `ValueError` for other kinds: those are resumed, and a reading decides.
    """
    operation = BrokerOperation.objects.select_for_update().get(pk=operation_id)
    if operation.kind not in BrokerOperation.MONEY:
        raise ValueError(f"A reading decides about an operation to {operation.get_kind_display()}.")
    if operation.status != Status.NEEDS_REVIEW:
        raise IllegalTransitionError(operation, operation.status, Status.DONE if happened else Status.REFUSED)
    if not happened and operation.was_in_doubt and operation.settle_at is not None and operation.settle_at > now:
        raise ConflictError(f"Its call may still have its effect until {operation.settle_at:%H:%M:%S} UTC: look then.")
    if happened:
        procedure_of(operation).apply(operation, {}, now=now)
        transition(operation, to=Status.DONE, by=by, now=now, reason=reason, finished_at=now, review_reason="")
    else:
        transition(
            operation, to=Status.REFUSED, by=by, now=now, reason=reason, finished_at=now, review_reason="",
            error_code="DECIDED_BY_STAFF", error_message=reason,
        )  # fmt: skip
    return operation
