"""Celery's way in: ids only, thin, and safe to run any number of times. The sweeper does the same without Celery."""

from typing import Any

from celery import shared_task

from brokers import services
from propdesk.lib.times import utc_now


@shared_task(name="brokers.advance_order")
def advance_order(order_id: int, **_: Any) -> None:
    services.advance_order(order_id=order_id, clock=utc_now)


@shared_task(name="brokers.run_operation")
def run_operation(operation_id: int, **_: Any) -> None:
    services.run_operation(operation_id=operation_id, clock=utc_now)


@shared_task(name="brokers.reconcile_unit")
def reconcile_unit(reconciliation_id: int, **_: Any) -> None:
    services.reconcile_unit(reconciliation_id=reconciliation_id, clock=utc_now)
