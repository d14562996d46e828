"""Driving orders and operations in tests: a clock that jumps over the waiting."""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.models import AccountGroup, AccountOrder, BrokerOperation, Difference, TradingAccount
from brokers.services import advance_order, place_order, request_withdrawal, run_operation
from propdesk.lib.actors import system
from propdesk.lib.times import utc_now

TESTER = system("test")
OPEN = (AccountOrder.Status.REQUESTED, AccountOrder.Status.OPENING)
# `jumping` spares the waiting; where the simulator itself lets time pass, the clock must not jump.
MOST_ROUNDS = 200


class JumpingClock:
    """The real time, plus what was jumped over."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.offset

    def jump_to(self, moment: datetime) -> None:
        self.offset += max(moment - self(), timedelta())


def placed(group: AccountGroup, reference: str = "purchase:1") -> AccountOrder:
    return place_order(
        reference=reference, group=group, deposit=group.default_deposit, first_name="Tilda", last_name="Trader",
        by=TESTER, now=utc_now(),
    )  # fmt: skip


def drive(order: AccountOrder, clock: JumpingClock | None = None) -> AccountOrder:
    """Advance the order until it is finished, jumping to each next time it is due."""
    clock = clock or JumpingClock()
    for _ in range(MOST_ROUNDS):
        order = advance_order(order_id=order.pk, clock=clock)
        if order.status not in OPEN:
            return order
        clock.jump_to(order.leased_until or order.next_at)
    raise AssertionError(f"The order is still {order.get_status_display()}.")


def drive_in_real_time(order: AccountOrder, seconds: float = 20) -> AccountOrder:
    """Advance the order whenever it is due, while time passes at the simulator too."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        order = advance_order(order_id=order.pk, clock=utc_now)
        if order.status not in OPEN:
            return order
        time.sleep(0.05)
    raise AssertionError(f"The order is still {order.get_status_display()}.")


def run(operation: BrokerOperation, clock: JumpingClock | None = None) -> BrokerOperation:
    """Run an operation until it is finished, jumping over the waiting."""
    clock = clock or JumpingClock()
    for _ in range(MOST_ROUNDS):
        operation = run_operation(operation_id=operation.pk, clock=clock)
        if not BrokerOperation.objects.open().filter(pk=operation.pk).exists():
            return operation
        clock.jump_to(operation.leased_until or operation.next_at)
    raise AssertionError(f"The operation is still {operation.get_status_display()}.")


def withdrawal(account: TradingAccount, amount: str = "499", subject: str = "purchase:1:payment") -> BrokerOperation:
    return request_withdrawal(
        subject=subject, account=account, amount=Decimal(amount), comment="Evaluation 100K", by=TESTER, now=utc_now()
    )  # fmt: skip


def fault(endpoint: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"endpoint": endpoint, "fault": kind, "times": 1, **more}


def adopted(order: AccountOrder) -> TradingAccount:
    """The account that the order ended with."""
    assert order.account is not None
    return order.account


def settles_at(operation: BrokerOperation) -> datetime:
    assert operation.settle_at is not None
    return operation.settle_at


def statuses(row: AccountOrder | BrokerOperation | Difference) -> list[int]:
    """The statuses the row has gone through, from its events."""
    return list(
        row.EVENTS._default_manager.filter(subject_id=row.pk).order_by("id").values_list("to_status", flat=True)
    )
