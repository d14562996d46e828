"""Account orders: open, fund and enable one account (mechanisms M2 to M7).

The account stays disabled, under a password nobody knows, until everything about it is certain; enabling comes last.
An order of which some call was ever in doubt waits for the quarantine and then looks once more, so that late effects
are found: extra accounts are recorded and disabled, extra money is taken out again.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from brokers.client.errors import BrokerError
from brokers.models import AccountGroup, AccountOrder, BrokerOperation, TradingAccount
from brokers.services.cancelling import wind_up_order
from brokers.services.connections import broker_for
from brokers.services.leases import Clock, Lease, LeaseLostError, claim_order
from brokers.services.operations import resume_operation
from brokers.services.order_steps import (
    STEPS,
    Cancelled,
    Failed,
    OrderChangedError,
    Outcome,
    Review,
    Wait,
    account_of,
    record_orphans,
)
from brokers.services.outcomes import BROKERS, LONGEST_WAIT
from brokers.services.snapshots import Snapshots
from brokers.services.taking_out import request_disable_and_flatten
from brokers.services.work import Work
from propdesk.lib.actors import Actor
from propdesk.lib.nudge import nudge
from propdesk.lib.transitions import IllegalTransitionError, record, transition

logger = logging.getLogger(__name__)

Status = AccountOrder.Status


@transaction.atomic
def place_order(
    *,
    reference: str,
    group: AccountGroup,
    deposit: Decimal,
    first_name: str,
    last_name: str,
    by: Actor,
    now: datetime,
) -> AccountOrder:
    """Order an account in the group, funded with `deposit`. The same reference again is the same order.

    The deposit is the owner's to say: a phase starts from the balance of the terms that were bought, whatever the
    group's default deposit has become since.

    Part of the caller's transaction. Watch `status`: READY with `account`, FAILED with `failure_reason`, or
    NEEDS_REVIEW with `review_reason`.
    """
    order, is_new = AccountOrder.objects.get_or_create(
        reference=reference,
        defaults={
            "group": group, "deposit": deposit, "first_name": first_name, "last_name": last_name,
            "next_at": now, "created_at": now, "updated_at": now,
        },
    )  # fmt: skip
    if is_new:
        record(order, source=None, by=by, reason="", now=now)
        nudge("brokers.advance_order", order.pk)
    return order


def advance_order(*, order_id: int, clock: Clock) -> AccountOrder:
    """Take an order as far as it goes now. Makes HTTP calls and commits transactions of its own.

    Safe at any time and from anywhere: while someone else works on it, or before it is due, nothing happens.
    """
    lease = claim_order(clock=clock, order_id=order_id)
    if lease is not None:
        work_on_order(lease, clock=clock)
    return AccountOrder.objects.select_related("account").get(pk=order_id)


def work_on_order(lease: Lease, *, clock: Clock, snapshots: Snapshots | None = None) -> None:
    """Work on a leased order. `snapshots` are the readings of the round, shared by its orders."""
    order = lease.row
    assert isinstance(order, AccountOrder)  # noqa: S101  (what was claimed)
    try:
        if order.status == Status.REQUESTED:
            transition(order, to=Status.OPENING, by=BROKERS, now=clock())
        client = broker_for(order.group.connection)
    except (BrokerError, IllegalTransitionError):
        # The broker must not be called, or the order was cancelled this moment.
        lease.release(next_at=clock() + LONGEST_WAIT)
        return
    try:
        work = Work(order.group.connection, client, lease, clock, snapshots or Snapshots())
        outcome = wind_up_order(order, work) if order.cancel_asked_at else _run_steps(order, work)
        if isinstance(outcome, Failed):
            outcome = _before_failing(order, work) or outcome
        if not isinstance(outcome, Wait):
            outcome = _conclude(order, outcome, lease)
    except LeaseLostError:
        return
    except OrderChangedError:
        outcome = Wait(clock())
    except IllegalTransitionError as exc:
        # Staff decided about it, or about one of its operations, while we worked on it: look again later.
        logger.warning("Work on account order %s stopped: %s", order, exc)
        outcome = Wait(clock() + LONGEST_WAIT)
    lease.release(next_at=outcome.until if isinstance(outcome, Wait) else clock())


def _run_steps(order: AccountOrder, work: Work) -> Outcome | None:
    """What stopped the order; None when every step is done."""
    for step in STEPS:
        if _is_cancelled(order):
            return Wait(work.clock())
        outcome = step(order, work)
        if outcome is not None:
            return outcome
    return None


def _is_cancelled(order: AccountOrder) -> bool:
    """Whether its owner has asked for that since the order was claimed."""
    return AccountOrder.objects.filter(pk=order.pk, cancel_asked_at__isnull=False).exists()


def _before_failing(order: AccountOrder, work: Work) -> Outcome | None:
    """An order that fails leaves nothing unrecorded behind either."""
    return record_orphans(order, work) if order.was_in_doubt else None


def _conclude(order: AccountOrder, outcome: Failed | Review | Cancelled | None, lease: Lease) -> Wait | None:
    """Write down how the order ends. An order that was cancelled at the last moment does not become ready."""
    account, now = account_of(order), lease.clock()
    with lease.fence():
        match outcome:
            case None if _is_cancelled(order):
                return Wait(now)
            case None:
                transition(order, to=Status.READY, by=BROKERS, now=now, account=account, ready_at=now)
            case Failed(reason):
                transition(order, to=Status.FAILED, by=BROKERS, now=now, reason=reason, failure_reason=reason[:100])
                _take_out(order, account, now=now)
            case Cancelled(reason):
                transition(order, to=Status.CANCELLED, by=BROKERS, now=now, reason=reason)
                _take_out(order, account, now=now)
            case Review() if order.cancel_asked_at is None and _is_cancelled(order):
                # Winding up comes first; what stood in the way may no longer matter.
                return Wait(now)
            case Review(reason):
                logger.warning("Account order %s needs review: %s", order, reason)
                transition(order, to=Status.NEEDS_REVIEW, by=BROKERS, now=now, reason=reason, review_reason=reason)
    return None


def _take_out(order: AccountOrder, account: TradingAccount | None, *, now: datetime) -> None:
    if account is not None:
        request_disable_and_flatten(subject=f"order:{order.pk}", account=account, by=BROKERS, now=now)


@transaction.atomic
def cancel_order(*, order_id: int, reason: str, by: Actor, now: datetime) -> AccountOrder:
    """Ask for an order to be cancelled, whatever has become of it. It ends CANCELLED, or is so when this returns.

    What has begun is settled first; an account that was opened ends disabled and flat, also if it was about to be
    enabled. One that has failed stays so. Raises `IllegalTransitionError` when it is ready: then `account` is its
    owner's, to be taken out with `request_disable_and_flatten`.
    """
    order = AccountOrder.objects.select_for_update().get(pk=order_id)
    if order.status in {Status.FAILED, Status.CANCELLED}:
        return order
    if order.status == Status.READY:
        raise IllegalTransitionError(order, order.status, Status.CANCELLED)
    order.cancel_asked_at, order.cancel_reason, order.next_at, order.updated_at = now, reason[:100], now, now
    order.save(update_fields=["cancel_asked_at", "cancel_reason", "next_at", "updated_at"])
    if not order.operations.exists():
        transition(order, to=Status.CANCELLED, by=by, now=now, reason=reason)
        return order
    if order.status == Status.NEEDS_REVIEW:
        _resume(order, kinds=(BrokerOperation.Kind.CREATE,), reason=reason, by=by, now=now)
    else:
        record(order, source=order.status, by=by, reason=f"Asked to cancel: {reason}", now=now)
    nudge("brokers.advance_order", order.pk)
    return order


@transaction.atomic
def resume_order(*, order_id: int, reason: str, by: Actor, now: datetime) -> AccountOrder:
    """Let the machine go on with an order in review; its operations in review are resumed with it."""
    order = AccountOrder.objects.select_for_update().get(pk=order_id)
    _resume(order, kinds=BrokerOperation.Kind.values, reason=reason, by=by, now=now)
    nudge("brokers.advance_order", order.pk)
    return order


def _resume(order: AccountOrder, *, kinds: Sequence[str], reason: str, by: Actor, now: datetime) -> None:
    transition(order, to=Status.OPENING, by=by, now=now, reason=reason, next_at=now, resumed_at=now, review_reason="")
    in_review = order.operations.filter(status=BrokerOperation.Status.NEEDS_REVIEW, kind__in=kinds)
    for operation in in_review.order_by("id"):
        resume_operation(operation_id=operation.pk, reason=reason, by=by, now=now)
