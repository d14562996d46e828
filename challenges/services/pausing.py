"""A soft breach pauses an enrollment: its account is disabled and flat until the next trading day begins.

Called under `lock_enrollment`, in the caller's transaction.
"""

from datetime import date, datetime

from brokers.models import BrokerOperation
from brokers.models.operations import BrokerOperationQuerySet
from brokers.services import request_disable_and_flatten, request_enable
from challenges.models import Enrollment
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import record


def pause_enrollment(*, enrollment: Enrollment, trading_day: date, by: Actor, now: datetime) -> None:
    """Mark the enrollment as paused for the rest of the trading day and order its account disabled and flat."""
    _set_paused(enrollment, is_paused=True, reason=f"paused for {trading_day}", by=by, now=now)
    if enrollment.account is not None:
        request_disable_and_flatten(
            subject=f"enrollment:{enrollment.pk}:pause:{trading_day}", account=enrollment.account, by=by, now=now
        )


def lift_pause(*, enrollment: Enrollment, trading_day: date, by: Actor, now: datetime) -> None:
    """Let the enrollment trade again from `trading_day` on and order its account enabled, once it has been flat."""
    _set_paused(enrollment, is_paused=False, reason=f"pause lifted for {trading_day}", by=by, now=now)
    if enrollment.account is not None:
        request_enable(
            subject=f"enrollment:{enrollment.pk}:lift:{trading_day}",
            account=enrollment.account,
            after=_operations(enrollment, "pause").filter(kind=BrokerOperation.Kind.CLOSE_ALL).last(),
            by=by,
            now=now,
        )


def _operations(enrollment: Enrollment, purpose: str) -> BrokerOperationQuerySet:
    return BrokerOperation.objects.filter(subject__startswith=f"enrollment:{enrollment.pk}:{purpose}:").order_by("id")


def _set_paused(enrollment: Enrollment, *, is_paused: bool, reason: str, by: Actor, now: datetime) -> None:
    enrollment.is_paused = is_paused
    enrollment.updated_at = now
    enrollment.save(update_fields=["is_paused", "updated_at"])
    # A pause is a flag, the status stays active: the event tells of it all the same.
    record(enrollment, source=enrollment.status, by=by, reason=reason, now=now)
