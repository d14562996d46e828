from datetime import datetime

from django.apps import AppConfig

from propdesk.lib.processes.registry import register_job
from propdesk.lib.times import utc_now


class BrokersConfig(AppConfig):
    name = "brokers"

    def ready(self) -> None:
        register_job("account-orders", 1, _advance_due_orders)
        register_job("broker-operations", 1, _run_due_operations)
        register_job("taking-out", 60, _persist_in_taking_out)
        # Each unit is due every five minutes; looking more often makes "reconcile now" quick.
        register_job("reconciliation", 2, _reconcile_due_units)


# The rounds read the clock again between calls, so the time at which a round began is of no use to them.
def _advance_due_orders(_now: datetime) -> int:
    from brokers.services import advance_due_orders  # noqa: PLC0415  (models are not loaded before `ready`)

    return advance_due_orders(clock=utc_now)


def _run_due_operations(_now: datetime) -> int:
    from brokers.services import run_due_operations  # noqa: PLC0415  (as above)

    return run_due_operations(clock=utc_now)


def _persist_in_taking_out(now: datetime) -> int:
    from brokers.services import persist_in_taking_out  # noqa: PLC0415  (as above)

    return persist_in_taking_out(now=now)


def _reconcile_due_units(_now: datetime) -> int:
    from brokers.services import reconcile_due_units  # noqa: PLC0415  (as above)

    return reconcile_due_units(clock=utc_now)
