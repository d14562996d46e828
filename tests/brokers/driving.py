"""Driving orders and operations in tests: a clock that jumps over the waiting."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.models import AccountGroup, AccountOrder, BrokerConnection, BrokerOperation, Difference, TradingAccount
from brokers.services import advance_order, place_order, request_withdrawal, run_operation
from propdesk.lib.actors import system
from propdesk.lib.times import utc_now
from tests.simulator import Simulator

TESTER = system("test")
OPEN = (AccountOrder.Status.REQUESTED, AccountOrder.Status.OPENING)
MOST_ROUNDS = 200


class JumpingClock:
    """The real time, plus what was jumped over."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.offset

    def jump_to(self, moment: datetime) -> None:
        self.offset += max(moment - self(), timedelta())


class LateClock(JumpingClock):
    """Time that passes at the simulator too: what it holds back lands once the clock has jumped far enough.

    The seconds of its connection are long, so that a slow machine's own count for nothing: with a deadline of 30 s, a
    call in doubt counts as absent after 150 s, and an order is enabled no earlier than after 330 s.
    """

    BEFORE_SETTLED, BEFORE_QUARANTINE_ENDS = timedelta(seconds=75), timedelta(seconds=240)

    def __init__(self, simulator: Simulator, after: timedelta = BEFORE_QUARANTINE_ENDS) -> None:
        super().__init__()
        BrokerConnection.objects.update(deadline_seconds=30, settle_seconds=120, quarantine_seconds=300)
        self._simulator = simulator
        self.lands_at = self() + after

    def jump_to(self, moment: datetime) -> None:
        super().jump_to(moment)
        if self() >= self.lands_at:
            self._simulator.land_late_effects()


def placed(group: AccountGroup, reference: str = "purchase:1") -> AccountOrder:
    return place_order(
        reference=reference, group=group, deposit=group.default_deposit, first_name="Tilda", last_name="Trader",
        by=TESTER, now=utc_now(),
    )  # fmt: skip


def drive(order: AccountOrder, clock: JumpingClock | None = None) -> AccountOrder:
    """Advance the order until it is finished, jumping to each next time it is due."""
    return drive_until(order, lambda order: order.status not in OPEN, clock or JumpingClock())


def drive_until(order: AccountOrder, done: Callable[[AccountOrder], bool], clock: JumpingClock) -> AccountOrder:
    """Advance the order until `done`, jumping to each next time it is due."""
    for _ in range(MOST_ROUNDS):
        order = advance_order(order_id=order.pk, clock=clock)
        if done(order):
            return order
        clock.jump_to(order.leased_until or order.next_at)
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


def late_effect(endpoint: str) -> dict[str, Any]:
    """An effect that lands when the test says so (or in ten minutes)."""
    return fault(endpoint, "late_effect", seconds=600)


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
