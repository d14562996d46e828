"""Taking an account out of trading: disabled and flat, both read back, and again where that was not the end."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, Q

from brokers.models import BrokerOperation, TradingAccount
from brokers.services.intents import intend
from brokers.services.late_effects import late_enabling_until
from brokers.services.objections import superseded_by
from brokers.services.outcomes import BROKERS
from propdesk.lib.actors import Actor
from propdesk.lib.nudge import nudge
from propdesk.lib.transitions import transition

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
# How often it is tried again, and how many at once.
EVERY, MOST = timedelta(minutes=10), 200
GIVEN_UP = Q(review_reason__startswith="Given up") | Q(review_reason__startswith="Still in doubt")


@transaction.atomic
def request_disable_and_flatten(
    *, subject: str, account: TradingAccount, by: Actor, now: datetime, reason: str = ""
) -> tuple[BrokerOperation, BrokerOperation]:
    """Take an account out of trading: disable it, then close what is open. Both count only when read back.

    What was to enable it again is withdrawn; where a lost call may still enable it, all is done once more when it no
    longer can. A disabling that ends in review does not hold the closing back; once staff resume it, all is closed
    again after it.
    """
    disable, close_all = _intend_out(1, subject=subject, account=account, by=by, now=now, reason=reason)
    _withdraw_enabling(disable, by=by, now=now)
    until = late_enabling_until(account)
    if until is not None and until > now:
        again = f"A lost call may enable the account until {until:%H:%M:%S} UTC."
        _intend_out(2, subject=subject, account=account, by=by, now=now, reason=again, next_at=until)
    return disable, close_all


def _intend_out(generation: int, *, account: TradingAccount, **values: Any) -> tuple[BrokerOperation, BrokerOperation]:
    disable = intend(kind=Kind.DISABLE, account=account, generation=generation, **values)
    close_all = intend(kind=Kind.CLOSE_ALL, account=account, generation=generation, after=disable, **values)
    return disable, close_all


def _withdraw_enabling(disable: BrokerOperation, *, by: Actor, now: datetime) -> None:
    """Drop what was to enable the account again, whoever asked for it, also in review.

    A call that is under way is left to staff, and stays so when the same disabling is asked for again.
    """
    reason = f"Operation {disable.pk} takes the account out of trading."
    enables = (
        BrokerOperation.objects.unfinished()
        .filter(account=disable.account, kind=Kind.ENABLE, order=None, pk__lt=disable.pk)
        .exclude(status=Status.NEEDS_REVIEW, review_reason=reason)
    )
    for operation in enables.select_for_update():
        if operation.status in {Status.CALLING, Status.IN_DOUBT}:
            transition(
                operation, to=Status.NEEDS_REVIEW, by=by, now=now, reason=reason, review_reason=reason,
                was_in_doubt=True,
            )  # fmt: skip
        else:
            transition(
                operation, to=Status.CANCELLED, by=by, now=now, reason=reason, finished_at=now, review_reason=""
            )  # fmt: skip


def close_again(disable: BrokerOperation, *, by: Actor, now: datetime) -> None:
    """What was closed while the account could still trade may have been opened again.

    Once it is disabled, a closing in review is dropped for the new one.
    """
    closed = disable.followers.filter(kind=Kind.CLOSE_ALL).order_by("generation").last()
    if closed is None or closed.account is None:
        return
    if closed.status == Status.NEEDS_REVIEW and disable.status == Status.DONE:
        reason = f"All is closed again after operation {disable.pk}."
        transition(closed, to=Status.CANCELLED, by=by, now=now, reason=reason, finished_at=now, review_reason="")
    elif closed.status != Status.DONE:
        return
    closings = BrokerOperation.objects.filter(subject=closed.subject, kind=Kind.CLOSE_ALL)
    last: int = closings.aggregate(last=Max("generation"))["last"]
    again = intend(
        subject=closed.subject, kind=Kind.CLOSE_ALL, account=closed.account, generation=last + 1, after=disable,
        by=by, now=now,
    )  # fmt: skip
    if disable.status == Status.DONE:
        nudge("brokers.run_operation", again.pk)


@transaction.atomic
def persist_in_taking_out(*, now: datetime) -> int:
    """Try again what was given up for the broker's sake, such as in an outage; how many that are.

    They stay in review between two tries, for staff to see. What a younger wish contradicts is left alone.
    """
    given_up = BrokerOperation.objects.filter(
        GIVEN_UP, kind__in=(Kind.DISABLE, Kind.CLOSE_ALL), order=None, status=Status.NEEDS_REVIEW,
        updated_at__lte=now - EVERY, connection__is_enabled=True,
    )  # fmt: skip
    count = 0
    for operation in given_up.select_for_update(of=("self",), skip_locked=True).order_by("pk")[:MOST]:
        if superseded_by(operation) is None:
            transition(
                operation, to=Status.INTENDED, by=BROKERS, now=now, reason="Tried again by itself.", next_at=now,
                attempts=0, review_reason="",
            )  # fmt: skip
            nudge("brokers.run_operation", operation.pk)
            if operation.kind == Kind.DISABLE:
                close_again(operation, by=BROKERS, now=now)
            count += 1
    return count
