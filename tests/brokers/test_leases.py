"""One row, one worker: what is claimed, waited for, lost and let go."""

import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from brokers.models import AccountGroup, AccountOrder, BrokerOperation, TradingAccount
from brokers.services import leases
from brokers.services.leases import (
    ClockError,
    Lease,
    LeaseLostError,
    claim_operation,
    claim_order,
    require_same_time,
)
from propdesk.lib.times import utc_now
from tests.brokers.driving import JumpingClock, placed, withdrawal

Claim = Callable[[], Lease | None]


@pytest.fixture
def waiting(demo_group: AccountGroup, payer: TradingAccount) -> dict[str, tuple[Any, Claim]]:
    """An order and an operation, each with how it is claimed."""
    return {
        "order": (placed(demo_group), lambda: claim_order(clock=utc_now)),
        "operation": (withdrawal(payer), lambda: claim_operation(clock=utc_now)),
    }


kinds = pytest.mark.parametrize("kind", ["order", "operation"])


@kinds
def test_what_is_leased_is_not_due(waiting: dict[str, tuple[Any, Claim]], kind: str):
    row, claim = waiting[kind]
    lease = claim()
    assert lease is not None
    assert lease.row == row
    assert claim() is None


@kinds
def test_a_lease_that_has_run_out_is_taken_over_and_its_holder_stops(waiting: dict[str, tuple[Any, Claim]], kind: str):
    row, claim = waiting[kind]
    first, clock = claim(), JumpingClock()
    assert first is not None
    clock.jump_to(first.until)
    second = claim_order(clock=clock) if kind == "order" else claim_operation(clock=clock)
    assert second is not None
    first.clock = clock
    with pytest.raises(LeaseLostError):
        first.hold(1)
    first.release(next_at=utc_now())
    row.refresh_from_db()
    assert row.leased_until == second.until


@kinds
def test_a_lease_is_renewed_when_it_would_not_outlast_the_call(waiting: dict[str, tuple[Any, Claim]], kind: str):
    row, claim = waiting[kind]
    lease = claim()
    assert lease is not None
    before = lease.until
    lease.hold(0)
    assert lease.until == before
    lease.hold(600)
    row.refresh_from_db()
    assert row.leased_until == lease.until > before


@kinds
def test_while_one_claims_another_goes_away_with_nothing_and_does_not_wait(
    waiting: dict[str, tuple[Any, Claim]], kind: str
):
    row, claim = waiting[kind]
    claimed: list[Lease | None] = []

    def come_by() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
        try:
            claimed.append(claim())
        finally:
            connection.close()

    with transaction.atomic():
        type(row).objects.select_for_update().get(pk=row.pk)
        another = threading.Thread(target=come_by)
        another.start()
        another.join(timeout=60)
    assert claimed == [None]


@kinds
def test_who_has_lost_the_lease_writes_nothing(waiting: dict[str, tuple[Any, Claim]], kind: str):
    row, claim = waiting[kind]
    lease = claim()
    assert lease is not None
    with lease.fence():
        type(row).objects.filter(pk=row.pk).update(next_at=lease.until)
    type(row).objects.filter(pk=row.pk).update(leased_until=lease.until + timedelta(seconds=1))
    with pytest.raises(LeaseLostError), lease.fence():
        type(row).objects.filter(pk=row.pk).update(next_at=utc_now())
    row.refresh_from_db()
    assert row.next_at == lease.until


@kinds
def test_nobody_takes_the_lease_over_while_its_holder_writes(waiting: dict[str, tuple[Any, Claim]], kind: str):
    _, claim = waiting[kind]
    lease, clock = claim(), JumpingClock()
    assert lease is not None
    clock.jump_to(lease.until)
    claimed: list[Lease | None] = []

    def come_by() -> None:
        try:
            claimed.append(claim_order(clock=clock) if kind == "order" else claim_operation(clock=clock))
        finally:
            connection.close()

    with lease.fence():
        another = threading.Thread(target=come_by)
        another.start()
        another.join(timeout=60)
    assert claimed == [None]


def set_clock(monkeypatch: pytest.MonkeyPatch, clock: Callable[[], datetime]) -> None:
    """Let this be the machine's own clock."""
    monkeypatch.setattr(leases, "utc_now", clock)


@kinds
@pytest.mark.parametrize("hours", [-1, 1])
def test_a_machine_whose_clock_is_off_takes_no_work(
    waiting: dict[str, tuple[Any, Claim]], kind: str, hours: int, monkeypatch: pytest.MonkeyPatch
):
    row, claim = waiting[kind]
    set_clock(monkeypatch, lambda: utc_now() + timedelta(hours=hours))
    with pytest.raises(ClockError, match="s off the database's"):
        claim()
    row.refresh_from_db()
    assert row.leased_until is None
    set_clock(monkeypatch, lambda: utc_now() + timedelta(seconds=hours))
    assert claim() is not None


class DatabaseAt:
    """Stands for the connection to a database whose clock shows just this: no time passes while it is asked."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def cursor(self) -> AbstractContextManager["DatabaseAt"]:
        return nullcontext(self)

    def execute(self, _statement: str) -> None:
        """There is one question."""

    def fetchone(self) -> tuple[datetime]:
        return (self._moment,)


@pytest.mark.parametrize("seconds", [-2.5, 2.5])
def test_a_clock_may_be_off_by_two_seconds(seconds: float, monkeypatch: pytest.MonkeyPatch):
    there = utc_now()
    monkeypatch.setattr(leases, "connection", DatabaseAt(there))
    set_clock(monkeypatch, lambda: there + timedelta(seconds=seconds))
    with pytest.raises(ClockError, match=re.escape(f"{seconds:+.1f} s off the database's")):
        require_same_time()
    set_clock(monkeypatch, lambda: there + timedelta(seconds=seconds * 0.8))
    require_same_time()


def test_what_is_not_due_yet_is_not_claimed(demo_group: AccountGroup, payer: TradingAccount):
    placed(demo_group)
    withdrawal(payer)
    later = utc_now() + timedelta(seconds=30)
    AccountOrder.objects.update(next_at=later)
    BrokerOperation.objects.update(next_at=later)
    assert (claim_order(clock=utc_now), claim_operation(clock=utc_now)) == (None, None)
