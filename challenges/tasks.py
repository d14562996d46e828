"""Celery makes challenges quick; the sweeper's jobs do the same without it."""

from typing import Any

from celery import shared_task

from challenges.services.opening import advance_enrollment, open_challenge
from propdesk.lib.times import utc_now


@shared_task(name="challenges.open")
def open_purchased(purchase_id: int, **_: Any) -> None:
    """Open the challenge of a purchase whose account is ready."""
    open_challenge(purchase_id=purchase_id, now=utc_now())


@shared_task(name="challenges.advance")
def advance(enrollment_id: int, **_: Any) -> None:
    """Begin a phase whose account is ready."""
    advance_enrollment(enrollment_id=enrollment_id, now=utc_now())
