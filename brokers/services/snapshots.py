"""The list of a unit's accounts: fetched once and shared by all who can do with a reading of that age (M4)."""

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from brokers.client.base import AccountDetails
from brokers.client.errors import BrokerError

Accounts = dict[int, AccountDetails]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every account of a unit, as a reading that was begun at `begun` shows them."""

    begun: datetime
    accounts: Accounts


class _Unit:
    """What is known of one unit; `lock` is held by the one who reads it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.latest: Snapshot | None = None
        self.failure: tuple[datetime, BrokerError] | None = None


class Snapshots:
    """The readings of one round of work. A moment decides which may be shared, so any age is safe."""

    def __init__(self) -> None:
        self._units: defaultdict[tuple[int, int], _Unit] = defaultdict(_Unit)

    def get(
        self,
        key: tuple[int, int],
        *,
        not_before: datetime,
        clock: Callable[[], datetime],
        fetch: Callable[[], Accounts],
    ) -> Snapshot:
        """The latest reading of the unit if it was begun at or after `not_before`, else a new one.

        Raises `BrokerError`; those who were waiting for that reading get the same error.
        """
        unit, asked = self._units[key], clock()
        with unit.lock:
            if unit.latest is not None and unit.latest.begun >= not_before:
                return unit.latest
            if unit.failure is not None and unit.failure[0] > asked:
                raise type(unit.failure[1])(str(unit.failure[1]))
            begun = clock()
            try:
                unit.latest = Snapshot(begun, fetch())
            except BrokerError as exc:
                unit.failure = (clock(), exc)
                raise
            return unit.latest
