"""The sweep that finishes every purchase, with or without Celery."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.db import connection, transaction

from purchases.models import Purchase
from purchases.services.advancing import advance_purchase

logger = logging.getLogger(__name__)

WORKERS = 8
# Longer than any advance takes; a worker that dies with a purchase in hand delays it by this much.
LEASE = timedelta(seconds=60)


class RoundFailedError(Exception):
    """Some purchases could not be advanced. The others were, and these are tried again."""


def advance_due_purchases(*, clock: Callable[[], datetime], limit: int = 100) -> int:
    """Advance the purchases whose time has come, a few at once; how many there were. Makes broker calls.

    Sweepers may run side by side: each row is claimed by one of them, by moving its `next_at`. Raises
    `RoundFailedError` at the end when any of them could not be advanced.
    """
    claimed = _claim(now=clock(), limit=limit)
    if claimed:
        with ThreadPoolExecutor(max_workers=min(WORKERS, len(claimed)), thread_name_prefix="purchases") as pool:
            errors = list(pool.map(lambda purchase_id: _advance_one(purchase_id, clock), claimed))
        _require_no_error(dict(zip(claimed, errors, strict=True)))
    return len(claimed)


def _claim(*, now: datetime, limit: int) -> list[int]:
    with transaction.atomic():
        due = Purchase.objects.unfinished().due(now)
        claimed = list(due.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
        Purchase.objects.filter(pk__in=claimed).update(next_at=now + LEASE)
    return claimed


def _advance_one(purchase_id: int, clock: Callable[[], datetime]) -> Exception | None:
    """One purchase in a thread of its own. Whatever goes wrong with it is returned: it must not stop the others."""
    try:
        advance_purchase(purchase_id=purchase_id, clock=clock)
    except Purchase.DoesNotExist:
        logger.info("Purchase %s was deleted while it was due.", purchase_id)
    except Exception as error:
        logger.exception("Purchase %s could not be advanced; it is tried again.", purchase_id)
        return error
    finally:
        connection.close()
    return None


def _require_no_error(outcomes: Mapping[int, Exception | None]) -> None:
    """A round that was not well must not look so: whoever watches the job has to see it."""
    failed = [(purchase_id, error) for purchase_id, error in outcomes.items() if error is not None]
    if failed:
        purchase_id, error = failed[0]
        first = f"Purchase {purchase_id}: {type(error).__name__}: {error}"
        raise RoundFailedError(f"{len(failed)} of {len(outcomes)} purchases could not be advanced. {first}") from error
