"""Who works on a row: a lease, taken and renewed by conditional update. Two workers, one winner.

The moment until which it runs doubles as the holder's token: a worker whose lease ran out and was taken over finds
another moment in the row.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from brokers.models import AccountOrder, BrokerOperation
from propdesk.lib.crash import crash_around_commit
from propdesk.lib.times import utc_now

Clock = Callable[[], datetime]
Leased = AccountOrder | BrokerOperation
# Before a call the lease must outlast the call's deadline by this much.
MARGIN = timedelta(seconds=2)


class LeaseLostError(Exception):
    """Someone else works on the row now: stop at once, change nothing."""


class ClockError(Exception):
    """This machine's clock is not the database's: its leases would be no leases to others."""


@dataclass(slots=True)
class Lease:
    """The right to work on `row`, until `until`."""

    row: Leased
    until: datetime
    length: timedelta
    clock: Clock

    def hold(self, seconds: float) -> None:
        """Make sure that the lease outlasts a call of so many seconds. Raises `LeaseLostError` when it cannot."""
        now = self.clock()
        if self.until - now > timedelta(seconds=seconds) + MARGIN:
            return
        until = now + self.length
        if self.until <= now or not self._write(leased_until=until):
            raise LeaseLostError(f"The lease of {self.row} is lost.")
        self.until = until

    @contextlib.contextmanager
    def fence(self) -> Iterator[None]:
        """A transaction in which the lease is ours: whoever takes it over waits for its end. Raises `LeaseLostError`.

        What a worker writes it writes in here, so that one that was held up changes nothing behind another's back.
        """
        with transaction.atomic(durable=True):
            if self._mine().select_for_update().values_list("pk", flat=True).first() is None:
                raise LeaseLostError(f"The lease of {self.row} is lost.")
            yield

    def release(self, *, next_at: datetime) -> None:
        """Let go; the row is due again at `next_at`, unless it is finished. A lost lease is left alone."""
        self._write(leased_until=None, next_at=next_at)

    def _write(self, **values: datetime | None) -> bool:
        return bool(self._mine().update(**values))

    def _mine(self) -> QuerySet[Any]:
        return type(self.row)._default_manager.filter(pk=self.row.pk, leased_until=self.until)


def claim_order(*, clock: Clock, order_id: int | None = None) -> Lease | None:
    """Lease one due order (that one, or the one that has waited longest); None when there is none.

    Raises `ClockError`.
    """
    now = clock()
    due = AccountOrder.objects.due(now).select_related("group__connection")
    if order_id is not None:
        due = due.filter(pk=order_id)
    with transaction.atomic(durable=True):
        order = due.select_for_update(of=("self",), skip_locked=True).first()
        if order is None:
            return None
        return take(order, seconds=order.group.connection.deadline_seconds, clock=clock, now=now)


def claim_operation(*, clock: Clock, operation_id: int | None = None) -> Lease | None:
    """Lease one due operation that stands alone; None when there is none. Raises `ClockError`."""
    now = clock()
    due = BrokerOperation.objects.due(now).select_related("connection", "account__group")
    if operation_id is not None:
        due = due.filter(pk=operation_id)
    with transaction.atomic(durable=True):
        operation = due.select_for_update(of=("self",), skip_locked=True).first()
        if operation is None:
            return None
        return take(operation, seconds=operation.connection.deadline_seconds, clock=clock, now=now)


def require_same_time() -> None:
    """Raise `ClockError` when this machine's time and the database's differ by more than `MARGIN`.

    A lease is as long as two calls and two margins, so workers who are each that close to the database's time cannot
    take each other for gone. Asked of the machine itself, whatever clock the caller goes by.
    """
    before = utc_now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (there,) = cursor.fetchone() or (before,)
    after = utc_now()
    if not before - MARGIN <= there <= after + MARGIN:
        off = (after - there).total_seconds()
        raise ClockError(f"This machine's clock is {off:+.1f} s off the database's: nothing is worked on here.")


def take(row: Leased, *, seconds: int, clock: Clock, now: datetime) -> Lease:
    """Lease a row that is locked, or that nobody else can see yet. Raises `ClockError`."""
    require_same_time()
    length = 2 * (timedelta(seconds=seconds) + MARGIN)
    row.leased_until = now + length
    row.save(update_fields=["leased_until"])
    crash_around_commit(f"lease {row._meta.model_name}")
    return Lease(row=row, until=row.leased_until, length=length, clock=clock)
