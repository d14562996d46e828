"""A soft breach pauses an enrollment: its account is disabled and flat until the next trading day begins.

An account that staff took out of trading stays out: the end of a pause does not overrule them.

Called under `lock_enrollment`, in the caller's transaction.
"""

from datetime import date, datetime

from brokers.models import BrokerOperation
from brokers.models.operations import BrokerOperationQuerySet
from brokers.services import request_disable_and_flatten, request_enable
from challenges.models import Enrollment
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import record

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
# How the review reason begins that a lift leaves behind.
TAKEN_OUT = "Taken out by hand"


def pause_enrollment(*, enrollment: Enrollment, trading_day: date, by: Actor, now: datetime) -> None:
    """Mark the enrollment as paused for the rest of the trading day and order its account disabled and flat."""
    _set_paused(enrollment, is_paused=True, reason=f"paused for {trading_day}", by=by, now=now)
    if enrollment.account is not None:
        request_disable_and_flatten(
            subject=f"enrollment:{enrollment.pk}:pause:{trading_day}", account=enrollment.account, by=by, now=now
        )


def lift_pause(*, enrollment: Enrollment, trading_day: date, by: Actor, now: datetime) -> None:
    """Let the enrollment trade again from `trading_day` on and order its account enabled, once it has been flat.

    An account that staff took out of trading is left to them.
    """
    left = why_not_enabled(enrollment)
    reason = f"pause lifted for {trading_day}"
    _set_paused(
        enrollment, is_paused=False, reason=f"{reason}. {left}" if left else reason, review=left, by=by, now=now
    )
    if enrollment.account is not None and not left:
        request_enable(
            subject=f"enrollment:{enrollment.pk}:lift:{trading_day}",
            account=enrollment.account,
            after=_operations(enrollment, "pause").filter(kind=Kind.CLOSE_ALL).last(),
            by=by,
            now=now,
        )


def why_not_enabled(enrollment: Enrollment) -> str:
    """Why a lift leaves the account disabled, in words for staff; "" when it enables it."""
    operation = taken_out_by(enrollment)
    return f"{TAKEN_OUT} (operation {operation.pk}): enable the account by hand." if operation else ""


def taken_out_by(enrollment: Enrollment) -> BrokerOperation | None:
    """The disabling by which staff took the account out of trading; None when it was enabled since, or never was."""
    switches = BrokerOperation.objects.filter(account=enrollment.account).order_by("id")
    disables = switches.filter(kind=Kind.DISABLE).exclude(status__in=(Status.CANCELLED, Status.REFUSED))
    pauses = _operations(enrollment, "pause")
    disables = disables.exclude(pk__in=pauses)
    if enabled := switches.filter(kind=Kind.ENABLE, status=Status.DONE).last():
        disables = disables.filter(pk__gt=enabled.pk)
    if paused := pauses.filter(kind=Kind.DISABLE).last():
        # Mending a difference found during a pause only restores the pause.
        disables = disables.exclude(subject__startswith="difference:", pk__gt=paused.pk)
    return disables.last()


def _operations(enrollment: Enrollment, purpose: str) -> BrokerOperationQuerySet:
    return BrokerOperation.objects.filter(subject__startswith=f"enrollment:{enrollment.pk}:{purpose}:").order_by("id")


def _set_paused(
    enrollment: Enrollment, *, is_paused: bool, reason: str, by: Actor, now: datetime, review: str = ""
) -> None:
    enrollment.is_paused, enrollment.review_reason = is_paused, review
    enrollment.updated_at = now
    enrollment.save(update_fields=["is_paused", "review_reason", "updated_at"])
    # A pause is a flag, the status stays active: the event tells of it all the same.
    record(enrollment, source=enrollment.status, by=by, reason=reason, now=now)
