"""What is due, worked on by a few threads. Each takes one row at a time under a lease: any number may."""

import contextlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue

from django.db import DatabaseError, connections

from brokers.models import AccountOrder, BrokerOperation
from brokers.services.leases import Clock, Lease, Leased, LeaseLostError, claim_operation, claim_order
from brokers.services.operations import work_on_operation
from brokers.services.orders import work_on_order
from brokers.services.outcomes import BROKERS, PATIENCE, tried_since
from brokers.services.snapshots import Snapshots
from propdesk.lib.transitions import IllegalTransitionError, transition

logger = logging.getLogger(__name__)

# A thread mostly waits for the broker.
THREADS = 8


def advance_due_orders(*, clock: Clock, limit: int = 200) -> int:
    """Work on the orders due now, at most `limit`; returns how many. They share one list of accounts per unit."""
    due, snapshots = AccountOrder.objects.due(clock())[:limit], Snapshots()
    return _work(
        due.values_list("pk", flat=True),
        lambda pk: claim_order(clock=clock, order_id=pk),
        lambda lease: work_on_order(lease, clock=clock, snapshots=snapshots),
    )


def run_due_operations(*, clock: Clock, limit: int = 200) -> int:
    """Work on the operations that stand alone and are due now, at most `limit`, and on what waits for them.

    Returns how many were due and nobody else's.
    """
    return _work(
        BrokerOperation.objects.due(clock())[:limit].values_list("pk", flat=True),
        lambda pk: claim_operation(clock=clock, operation_id=pk),
        lambda lease: work_on_operation(lease, clock=clock),
    )


def _work(due: Iterable[int], claim: Callable[[int], Lease | None], work: Callable[[Lease], None]) -> int:
    """Claim and work on each of the rows once. One that somebody else has, or has finished, is passed over."""
    rows: SimpleQueue[int] = SimpleQueue()
    for pk in due:
        rows.put(pk)

    def work_on(_thread: int) -> int:
        done = 0
        try:
            while True:
                lease = claim(rows.get_nowait())
                if lease is not None:
                    done += 1
                    _work_on_one(lease, work)
        except Empty:
            return done
        finally:
            # A thread's connection is of no use to anyone after it.
            connections.close_all()

    if rows.empty():
        return 0
    size = min(THREADS, rows.qsize())
    with ThreadPoolExecutor(size, thread_name_prefix="brokers") as threads:
        return sum(threads.map(work_on, range(size)))


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
    now, since, doubt = lease.clock(), row.resumed_at or row.created_at, {}
    if isinstance(row, BrokerOperation):
        since = tried_since(row)
        # Broken off in its call, it may have had its effect.
        doubt = {"was_in_doubt": row.was_in_doubt or row.status == BrokerOperation.Status.CALLING}
    if now - since > PATIENCE:
        reason = f"Work on it breaks off: {type(error).__name__}, see the log."
        with contextlib.suppress(IllegalTransitionError, LeaseLostError), lease.fence():
            to = row.Status.NEEDS_REVIEW
            transition(row, to=to, by=BROKERS, now=now, reason=reason, review_reason=reason, **doubt)
