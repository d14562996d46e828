"""What an account ended with: the figures read once it was disabled and flat, after the verdict.

Closing what was open moves the balance, and prices move until it is closed, so these are not the verdict's figures.
They judge nothing any more: a replay ends at the verdict.
"""

import logging
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction

from brokers.models import BrokerOperation
from challenges.models import Enrollment, EnrollmentState
from challenges.rules import progress
from challenges.services.locking import lock_enrollment
from challenges.services.recording import keep_last
from programs.services import phase_terms

logger = logging.getLogger(__name__)


class FinalFigures(NamedTuple):
    """Figures of a flat account, and when they were read. The figures are None where staff concluded it unread."""

    at: datetime
    balance: Decimal | None
    equity: Decimal | None


def record_final_figures(*, now: datetime, limit: int = 200) -> int:
    """Record how every enrollment ended whose account has become disabled and flat; how many were recorded."""
    due = Enrollment.objects.awaiting_final_figures().order_by("id").values_list("pk", flat=True)
    recorded = 0
    for enrollment_id in due[:limit]:
        try:
            recorded += _record(enrollment_id, now)
        except Exception:
            logger.exception(
                "The final figures of enrollment %s could not be recorded; it is tried again.", enrollment_id
            )
    return recorded


@transaction.atomic
def _record(enrollment_id: int, now: datetime) -> bool:
    enrollment = lock_enrollment(enrollment_id)
    if not Enrollment.objects.awaiting_final_figures().filter(pk=enrollment_id).exists():
        return False
    final = _figures_of(enrollment)
    if final.balance is not None and final.equity is not None:
        enrollment.final_balance, enrollment.final_equity = final.balance, final.equity
        _keep(enrollment, at=final.at, balance=final.balance, equity=final.equity)
    enrollment.final_at, enrollment.updated_at = final.at, now
    enrollment.save(update_fields=["final_balance", "final_equity", "final_at", "updated_at"])
    return True


def _figures_of(enrollment: Enrollment) -> FinalFigures:
    """What the last closing of the account was verified with: a late disabling is followed by one more."""
    closed = BrokerOperation.objects.filter(
        subject=f"enrollment:{enrollment.pk}:close",
        kind=BrokerOperation.Kind.CLOSE_ALL,
        status=BrokerOperation.Status.DONE,
    ).order_by("finished_at")
    # Staff may have concluded one unread, before or after.
    close_all = closed.filter(evidence__has_key="balance").last() or closed.latest("finished_at")
    balance, equity = (close_all.evidence.get(name) for name in ("balance", "equity"))
    return FinalFigures(
        at=close_all.finished_at or close_all.updated_at,
        balance=None if balance is None else Decimal(balance),
        equity=None if equity is None else Decimal(equity),
    )


def _keep(enrollment: Enrollment, *, at: datetime, balance: Decimal, equity: Decimal) -> None:
    """The last point of the time series, and the running state as it is shown."""
    row = EnrollmentState.objects.select_for_update().get(pk=enrollment.pk)
    row.last_at, row.last_balance, row.last_equity, row.last_flat = at, balance, equity, True
    terms = phase_terms(enrollment.challenge.program_version, enrollment.phase_index).rules
    shown = progress(row.running_state(), terms)
    for name in ("profit_pct", "profit_target_progress_pct", "daily_loss_pct", "total_loss_pct"):
        setattr(row, name, getattr(shown, name))
    row.last_margin, row.metric_at, row.keep_next = Decimal(0), at, False
    row.save()
    keep_last(row)
