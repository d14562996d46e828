"""How an enrollment ends: it fails, or it passes and the next phase begins. Called under `lock_enrollment`."""

from datetime import datetime
from decimal import Decimal

from brokers.models import AccountGroup, AccountOrder
from brokers.services import place_order, request_disable_and_flatten
from challenges.models import Challenge, ChallengeStatus, Enrollment, EnrollmentState
from programs.services import PhaseTerms, next_phase_terms
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import record, transition


class NextPhaseUnavailableError(Exception):
    """The next phase cannot begin: its account group no longer exists. Nothing was written."""


def fail_enrollment(
    *, enrollment: Enrollment, reason: str, balance: Decimal, equity: Decimal, by: Actor, now: datetime
) -> None:
    """End the enrollment and its challenge as failed, and order its account disabled and flat.

    `reason` is the broken rule; `balance` and `equity` are the last figures known. In the caller's transaction.
    """
    _end(enrollment, ChallengeStatus.FAILED, reason, balance=balance, equity=equity, by=by, now=now)
    transition(enrollment.challenge, to=ChallengeStatus.FAILED, by=by, now=now, reason=reason, ended_at=now)


def pass_enrollment(
    *, enrollment: Enrollment, balance: Decimal, equity: Decimal, by: Actor, now: datetime
) -> Enrollment | None:
    """End the enrollment as passed and order its account disabled and flat; begin the next phase, which is returned.

    The next phase waits for a new account in its group. After the last phase the challenge has passed and there is no
    next one (None). In the caller's transaction. Raises `NextPhaseUnavailableError`.
    """
    challenge = enrollment.challenge
    _end(enrollment, ChallengeStatus.PASSED, "profit_target", balance=balance, equity=equity, by=by, now=now)
    terms = next_phase_terms(challenge.program_version, enrollment.phase_index)
    if terms is None:
        transition(challenge, to=ChallengeStatus.PASSED, by=by, now=now, reason="last phase passed", ended_at=now)
        return None
    return _begin_next(enrollment, terms, by=by, now=now)


def order_phase_account(
    challenge: Challenge, terms: PhaseTerms, *, number: int = 1, by: Actor, now: datetime
) -> AccountOrder:
    """Order the account that a later phase runs on; `number` counts the orders of the phase.

    In the caller's transaction. Raises `NextPhaseUnavailableError`.
    """
    group = AccountGroup.objects.filter(name=terms.account_group).first()
    if group is None:
        raise NextPhaseUnavailableError(f"the account group {terms.account_group} of the next phase no longer exists")
    reference = phase_reference(challenge.pk, terms.phase_index)
    return place_order(
        reference=reference if number == 1 else f"{reference}:{number}",
        group=group,
        deposit=terms.initial_balance,
        first_name=challenge.customer.first_name,
        last_name=challenge.customer.last_name,
        by=by,
        now=now,
    )


def phase_reference(challenge_id: int, phase_index: int) -> str:
    """What the first account order of a later phase is called."""
    return f"enrollment:{challenge_id}:{phase_index}"


def _end(
    enrollment: Enrollment,
    status: ChallengeStatus,
    reason: str,
    *,
    balance: Decimal,
    equity: Decimal,
    by: Actor,
    now: datetime,
) -> None:
    transition(
        enrollment,
        to=status,
        by=by,
        now=now,
        reason=reason,
        close_reason=reason,
        is_paused=False,
        review_reason="",
        final_balance=balance,
        final_equity=equity,
        ended_at=now,
    )
    # The row's own verdict too, so that a monitor that read the enrollment before does not go on from it.
    EnrollmentState.objects.filter(pk=enrollment.pk).update(verdict=status.label)
    if enrollment.account is not None:
        request_disable_and_flatten(
            subject=f"enrollment:{enrollment.pk}:close", account=enrollment.account, by=by, now=now
        )


def _begin_next(passed: Enrollment, terms: PhaseTerms, *, by: Actor, now: datetime) -> Enrollment:
    challenge: Challenge = passed.challenge
    order = order_phase_account(challenge, terms, by=by, now=now)
    begun = Enrollment.objects.create(
        challenge=challenge,
        predecessor=passed,
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
    record(begun, source=None, by=by, reason=f"phase {passed.phase_index} passed", now=now)
    return begun
