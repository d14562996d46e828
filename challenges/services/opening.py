"""Opening: a purchase whose account is ready becomes a running challenge; an ordered later phase begins."""

import logging
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from brokers.models import AccountOrder
from challenges.models import Challenge, ChallengeStatus, Enrollment, EnrollmentState
from challenges.models.enrollments import EnrollmentQuerySet
from challenges.rules import RunningState, levels_of, progress
from challenges.services.locking import lock_enrollment
from challenges.services.recording import write_first_day
from programs.services import phase_terms
from propdesk.lib.actors import Actor, system
from propdesk.lib.transitions import record, transition
from purchases.models import Purchase
from purchases.services import mark_active

logger = logging.getLogger(__name__)

OPENER = system("challenges")


@transaction.atomic
def open_challenge(*, purchase_id: int, now: datetime) -> Challenge | None:
    """Open the challenge that a purchase bought, on its pinned terms and its first account, and mark it active.

    One transaction. Doing it again returns the challenge; a purchase that is not so far yet gives None.
    """
    purchase = Purchase.objects.select_for_update().get(pk=purchase_id)
    if purchase.status != Purchase.Status.ACCOUNT_CREATED:
        return Challenge.objects.filter(purchase=purchase).first()
    order = purchase.account_order
    if order is None or order.account is None:
        raise ValueError(f"{purchase} is account_created without an account")
    challenge = Challenge.objects.create(
        purchase=purchase,
        program_id=purchase.program_id,
        program_version=purchase.program_version,
        customer_id=purchase.customer_id,
        account_login=order.account.login,
        current_phase_index=1,
        started_at=now,
        created_at=now,
        updated_at=now,
    )
    record(challenge, source=None, by=OPENER, reason=f"opened for {purchase}", now=now)
    enrollment = _first_enrollment(challenge, order, now=now)
    _start(enrollment, order, by=OPENER, now=now)
    mark_active(purchase_id=purchase.pk, by=OPENER, now=now)
    return challenge


def open_due_challenges(*, now: datetime, limit: int = 100) -> int:
    """Open the challenge of every purchase that waits for one; how many were opened. One that cannot be is logged."""
    waiting = Purchase.objects.awaiting_challenge().order_by("id").values_list("pk", flat=True)
    opened = 0
    for purchase_id in waiting[:limit]:
        try:
            opened += open_challenge(purchase_id=purchase_id, now=now) is not None
        except Exception:
            logger.exception("The challenge of purchase %s could not be opened; it is tried again.", purchase_id)
    return opened


def advance_enrollment(*, enrollment_id: int, now: datetime) -> bool:
    """Begin a pending phase whose account is ready; otherwise note what staff have to know. Whether it has begun."""
    with transaction.atomic():
        enrollment = lock_enrollment(enrollment_id)
        if enrollment.status != ChallengeStatus.PENDING:
            return False
        order = enrollment.order
        if order.status == AccountOrder.Status.READY:
            _start(enrollment, order, by=OPENER, now=now)
            return True
        reason = _review_reason(order)
        if reason != enrollment.review_reason:
            Enrollment.objects.filter(pk=enrollment.pk).update(review_reason=reason, updated_at=now)
        return False


def advance_enrollments(*, now: datetime, limit: int = 100) -> int:
    """Begin every pending phase whose account is ready, and tell staff of those that cannot; how many have begun."""
    pending = Enrollment.objects.awaiting_account().order_by("id")
    ready = pending.filter(order__status=AccountOrder.Status.READY).values_list("pk", flat=True)
    begun = 0
    for enrollment_id in [*ready[:limit], *_told_otherwise(pending)[:limit]]:
        try:
            begun += advance_enrollment(enrollment_id=enrollment_id, now=now)
        except Exception:
            logger.exception("Enrollment %s could not be advanced; it is tried again.", enrollment_id)
    return begun


def _first_enrollment(challenge: Challenge, order: AccountOrder, *, now: datetime) -> Enrollment:
    terms = phase_terms(challenge.program_version, 1)
    enrollment = Enrollment.objects.create(
        challenge=challenge,
        phase_index=terms.phase_index,
        phase_type=terms.phase_type,
        phase_name=terms.name,
        account_group=terms.account_group,
        order=order,
        initial_balance=order.deposit,
        initial_equity=order.deposit,
        created_at=now,
        updated_at=now,
    )
    record(enrollment, source=None, by=OPENER, reason=f"phase {terms.phase_index} of {challenge}", now=now)
    return enrollment


def _start(enrollment: Enrollment, order: AccountOrder, *, by: Actor, now: datetime) -> None:
    """The enrollment becomes active on the order's account, with an opening state and its first day's snapshot.

    Levels rest on what the account was really funded with, which the order holds.
    """
    challenge, account = enrollment.challenge, order.account
    if account is None:
        raise ValueError(f"order {order} is ready without an account")
    transition(
        enrollment,
        to=ChallengeStatus.ACTIVE,
        by=by,
        now=now,
        reason=f"account {account.login} is ready",
        account=account,
        review_reason="",
        started_at=now,
    )
    challenge.account_login, challenge.current_phase_index = account.login, enrollment.phase_index
    challenge.updated_at = now
    challenge.save(update_fields=["account_login", "current_phase_index", "updated_at"])

    terms = phase_terms(challenge.program_version, enrollment.phase_index).rules
    state = RunningState.opening(enrollment.initial_balance, now, terms)
    row = EnrollmentState.opening(enrollment, state, levels_of(state, terms), progress(state, terms))
    row.save(force_insert=True)
    write_first_day(row)


def _told_otherwise(pending: EnrollmentQuerySet) -> list[int]:
    """Those whose account order stands otherwise than staff have been told."""
    status = AccountOrder.Status
    halted = Q(order__status__in=(status.FAILED, status.CANCELLED, status.NEEDS_REVIEW))
    rows = pending.filter(halted | ~Q(review_reason="")).exclude(order__status=status.READY).select_related("order")
    return [row.pk for row in rows if row.review_reason != _review_reason(row.order)]


def _review_reason(order: AccountOrder) -> str:
    """Why a phase cannot begin; empty while its account is simply being opened."""
    match order.status:
        case AccountOrder.Status.NEEDS_REVIEW:
            return f"Account order {order.pk} waits for staff: {order.review_reason}"
        case AccountOrder.Status.FAILED | AccountOrder.Status.CANCELLED:
            why = order.failure_reason or order.cancel_reason or "no reason is known"
            return f"Account order {order.pk} {order.get_status_display()}: {why}"
        case _:
            return ""
