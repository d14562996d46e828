"""What deleting a program means for its challenges. Accounts, broker operations and events stay."""

from datetime import datetime

from brokers.models import AccountOrder, BrokerOperation
from brokers.services import request_disable_and_flatten
from challenges.models import (
    Breach,
    Challenge,
    ChallengeStatus,
    DailySnapshot,
    Enrollment,
    EnrollmentState,
    MetricSnapshot,
)
from programs.models import Program
from programs.services.deletion import Removed, take_out
from programs.services.errors import OperationsInFlightError
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import record


def remove_challenges(program: Program, by: Actor, now: datetime) -> Removed:
    """Remove the program's challenges and all that was observed of them, in the transaction that deletes it.

    Accounts that still trade are ordered disabled and flat in the same transaction. Raises `OperationsInFlightError`,
    removing nothing, while the account of a next phase is on its way.
    """
    challenges = Challenge.objects.filter(program=program)
    list(challenges.select_for_update().order_by("id"))
    enrollments = Enrollment.objects.filter(challenge__program=program)
    locked = list(enrollments.select_for_update(of=("self",)).select_related("account", "order").order_by("id"))
    _require_settled(locked)
    for enrollment in locked:
        _stop(enrollment, by=by, now=now)
    for challenge in challenges:
        record(challenge, source=challenge.status, by=by, reason="its program was deleted", now=now)
    ids = [enrollment.pk for enrollment in locked]
    parts = [
        take_out("metric_snapshots", MetricSnapshot.objects.filter(enrollment_id__in=ids)),
        take_out("rule_breaches", Breach.objects.filter(enrollment_id__in=ids)),
        take_out("daily_snapshots", DailySnapshot.objects.filter(enrollment_id__in=ids)),
        take_out("running_states", EnrollmentState.objects.filter(pk__in=ids)),
        take_out("enrollments", enrollments),
        take_out("challenges", challenges),
    ]
    return Removed(
        counters={kind: count for part in parts for kind, count in part.counters.items()},
        rows={kind: rows for part in parts for kind, rows in part.rows.items()},
    )


def count_challenges(program: Program) -> dict[str, int]:
    """How many rows of each kind `remove_challenges` would remove."""
    theirs = {"enrollment__challenge__program": program}
    return {
        "metric_snapshots": MetricSnapshot.objects.filter(
            enrollment_id__in=Enrollment.objects.filter(challenge__program=program).values("pk")
        ).count(),
        "rule_breaches": Breach.objects.filter(**theirs).count(),
        "daily_snapshots": DailySnapshot.objects.filter(**theirs).count(),
        "running_states": EnrollmentState.objects.filter(**theirs).count(),
        "enrollments": Enrollment.objects.filter(challenge__program=program).count(),
        "challenges": Challenge.objects.filter(program=program).count(),
    }


def _require_settled(enrollments: list[Enrollment]) -> None:
    """An account that is being opened now would belong to nothing."""
    opening = [
        enrollment.order_id
        for enrollment in enrollments
        if enrollment.order.status
        in {AccountOrder.Status.REQUESTED, AccountOrder.Status.OPENING, AccountOrder.Status.NEEDS_REVIEW}
    ]
    operations = BrokerOperation.objects.unfinished().filter(order__in=opening).values_list("pk", flat=True)
    if opening:
        raise OperationsInFlightError(sorted(operations))


def _stop(enrollment: Enrollment, *, by: Actor, now: datetime) -> None:
    """Order the account of an open enrollment disabled and flat; those that are over have had it ordered."""
    if enrollment.status not in {ChallengeStatus.PENDING, ChallengeStatus.ACTIVE}:
        return
    record(enrollment, source=enrollment.status, by=by, reason="its program was deleted", now=now)
    account = enrollment.account or enrollment.order.account
    if account is not None:
        request_disable_and_flatten(subject=f"enrollment:{enrollment.pk}:close", account=account, by=by, now=now)
