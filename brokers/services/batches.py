"""What is due, worked on by a few threads. Each takes one row at a time under a lease: any number may."""

import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import DatabaseError, connections

from brokers.models import AccountOrder, BrokerOperation
from brokers.services.leases import Clock, Lease, Leased, claim_operation, claim_order
from brokers.services.operations import work_on_operation
from brokers.services.orders import work_on_order
from brokers.services.outcomes import BROKERS, PATIENCE
from brokers.services.snapshots import Snapshots
from propdesk.lib.transitions import IllegalTransitionError, transition

logger = logging.getLogger(__name__)

# A thread mostly waits for the broker.
THREADS = 8


def advance_due_orders(*, clock: Clock, limit: int = 200) -> int:
    """Work on at most `limit` due orders; returns how many. They share one list of accounts per unit."""
    waiting, snapshots = AccountOrder.objects.due(clock())[:limit].count(), Snapshots()
    return _work(
        waiting,
        lambda: claim_order(clock=clock),
        lambda lease: work_on_order(lease, clock=clock, snapshots=snapshots),
    )


def run_due_operations(*, clock: Clock, limit: int = 200) -> int:
    """Work on at most `limit` due operations that stand alone; returns how many."""
    waiting = BrokerOperation.objects.due(clock())[:limit].count()
    return _work(waiting, lambda: claim_operation(clock=clock), lambda lease: work_on_operation(lease, clock=clock))


def _work(waiting: int, claim: Callable[[], Lease | None], work: Callable[[Lease], None]) -> int:
    """Claim and work, at most `waiting` times in all threads together."""
    permits = threading.Semaphore(waiting)

    def work_on(_thread: int) -> int:
        done = 0
        try:
            while permits.acquire(blocking=False) and (lease := claim()):
                done += 1
                _work_on_one(lease, work)
        finally:
            # A thread's connection is of no use to anyone after it.
            connections.close_all()
        return done

    if waiting == 0:
        return 0
    with ThreadPoolExecutor(min(THREADS, waiting), thread_name_prefix="brokers") as threads:
        return sum(threads.map(work_on, range(min(THREADS, waiting))))


def _work_on_one(lease: Lease, work: Callable[[Lease], None]) -> None:
    """One bad row must not stop the others; it stays leased for a while, and is tried again then."""
    try:
        work(lease)
    except DatabaseError:
        logger.exception("Work on %s %s failed", type(lease.row).__name__, lease.row.pk)
    except Exception as exc:
        logger.exception("Work on %s %s failed", type(lease.row).__name__, lease.row.pk)
        _give_up_in_time(lease, exc)


def _give_up_in_time(lease: Lease, error: Exception) -> None:
    """What breaks off by a mistake of ours does so each time: after a while staff have to see it."""
    row: Leased = type(lease.row)._default_manager.get(pk=lease.row.pk)
    now = lease.clock()
    if now - (row.resumed_at or row.created_at) > PATIENCE:
        reason = f"Work on it breaks off: {type(error).__name__}, see the log."
        with contextlib.suppress(IllegalTransitionError):
            transition(row, to=row.Status.NEEDS_REVIEW, by=BROKERS, now=now, reason=reason, review_reason=reason)
