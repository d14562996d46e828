"""Celery makes purchases quick; the sweeper finishes them without it."""

from typing import Any

from celery import shared_task

from propdesk.lib.times import utc_now
from purchases.models import Purchase
from purchases.services import advance_purchase


@shared_task(name="purchases.advance")
def advance(purchase_id: int, **_: Any) -> None:
    """Take one purchase as far as it goes now."""
    if Purchase.objects.filter(pk=purchase_id).exists():
        advance_purchase(purchase_id=purchase_id, clock=utc_now)
