"""A phase whose account order came to nothing gets another one, when staff say so."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from brokers.models import AccountOrder
from brokers.models.orders import AccountOrderQuerySet
from challenges.models import ChallengeStatus, Enrollment
from challenges.services.closing import NextPhaseUnavailableError, order_phase_account, phase_reference
from challenges.services.locking import lock_enrollment
from programs.services import phase_terms
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.transitions import record

CAME_TO_NOTHING = (AccountOrder.Status.FAILED, AccountOrder.Status.CANCELLED)


@transaction.atomic
def order_account_again(*, enrollment_id: int, reason: str, by: Actor, now: datetime) -> AccountOrder:
    """Order the account of a pending phase anew, on the pinned terms; the phase begins by itself once it is ready.

    The order that failed or was cancelled stays as it ended: what it left at the broker is settled under its name.
    Raises `ConflictError`, having written nothing, where there is an objection or the account group no longer exists.
    """
    enrollment = lock_enrollment(enrollment_id)
    if objection := objection_to_ordering_again(enrollment):
        raise ConflictError(objection)
    terms = phase_terms(enrollment.challenge.program_version, enrollment.phase_index)
    number = _orders(enrollment).count() + 1
    try:
        order = order_phase_account(enrollment.challenge, terms, number=number, by=by, now=now)
    except NextPhaseUnavailableError as exc:
        raise ConflictError(f"Nothing was ordered: {exc}. Add an account group of that name first.") from exc
    old, enrollment.order = enrollment.order, order
    enrollment.review_reason, enrollment.updated_at = "", now
    enrollment.save(update_fields=["order", "review_reason", "updated_at"])
    # The status stays pending: the event tells of it all the same.
    words = f"account order {order.pk} takes the place of {old.pk}, which {_ended(old)}: {reason}"
    record(enrollment, source=enrollment.status, by=by, reason=words, now=now)
    return order


def objection_to_ordering_again(enrollment: Enrollment) -> str:
    """Why the account of the enrollment is not ordered again, in words for staff; empty when it may be."""
    order = enrollment.order
    if enrollment.status != ChallengeStatus.PENDING:
        return f"The enrollment is {enrollment.get_status_display()}: it waits for no account."
    if order.status not in CAME_TO_NOTHING:
        return f"Account order {order.pk} is {order.get_status_display()}: the phase has an order that is not over."
    return ""


def earlier_orders(enrollment: Enrollment) -> AccountOrderQuerySet:
    """The account orders of its phase that came to nothing, oldest first."""
    return _orders(enrollment).exclude(pk=enrollment.order_id).order_by("id")


def _orders(enrollment: Enrollment) -> AccountOrderQuerySet:
    first = phase_reference(enrollment.challenge_id, enrollment.phase_index)
    return AccountOrder.objects.filter(Q(reference=first) | Q(reference__startswith=f"{first}:"))


def _ended(order: AccountOrder) -> str:
    return "failed" if order.status == AccountOrder.Status.FAILED else "was cancelled"
