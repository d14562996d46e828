"""What one observation leads to when it changes more than figures: breaches, the end of a phase, a pause.

Everything that belongs to one observation is written in one transaction under locks taken in one order, so two monitors
that see the same breach record it once, and a breach and a pass never both happen.
"""

from datetime import datetime

from django.db import transaction

from challenges.models import Breach, ChallengeStatus, Enrollment
from challenges.services.closing import fail_enrollment, pass_enrollment
from challenges.services.judging import Judged
from challenges.services.locking import lock_enrollment
from challenges.services.pausing import lift_pause, pause_enrollment
from challenges.services.recording import write_observations
from propdesk.lib.actors import Actor


def record_verdict(*, judged: Judged, by: Actor, now: datetime) -> bool:
    """Write an observation with what was found and carry out its verdict.

    Returns False, having written nothing, when the enrollment is over or another monitor has gone on from its state.
    """
    with transaction.atomic():
        enrollment = lock_enrollment(judged.row.pk)
        if enrollment.status != ChallengeStatus.ACTIVE or not write_observations([judged]):
            return False
        _write_breaches(judged, digest=enrollment.challenge.program_version.digest, now=now)
        _carry_out(judged, enrollment, by=by, now=now)
        return True


def _carry_out(judged: Judged, enrollment: Enrollment, *, by: Actor, now: datetime) -> None:
    seen, day = judged.observation, judged.judgement.state.trading_day
    match judged.judgement.status:
        case "failed":
            fail_enrollment(
                enrollment=enrollment,
                reason=judged.failing_rule,
                balance=seen.balance,
                equity=seen.equity,
                by=by,
                now=now,
            )
        case "passed":
            pass_enrollment(enrollment=enrollment, balance=seen.balance, equity=seen.equity, by=by, now=now)
        case "paused" if not enrollment.is_paused:
            pause_enrollment(enrollment=enrollment, trading_day=day, by=by, now=now)
        case "active" if enrollment.is_paused:
            lift_pause(enrollment=enrollment, trading_day=day, by=by, now=now)


def _write_breaches(judged: Judged, *, digest: str, now: datetime) -> None:
    """One breach per finding. What breaks on a day boundary was judged on the state before it; so are its figures."""
    before, seen = judged.before, judged.observation
    for finding in judged.judgement.findings:
        on_boundary = finding.at != seen.at
        Breach.objects.create(
            enrollment_id=judged.row.pk,
            rule=finding.rule,
            action=finding.action,
            trading_day=finding.trading_day,
            level=finding.level,
            observed=finding.observed,
            balance=before.last_balance if on_boundary else seen.balance,
            equity=before.last_equity if on_boundary else seen.equity,
            at=finding.at,
            explanation=finding.detail,
            previous_at=before.last_at,
            previous_balance=before.last_balance if before.last_at else None,
            previous_equity=before.last_equity if before.last_at else None,
            terms_digest=digest,
            created_at=now,
        )
