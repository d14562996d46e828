"""The list of a unit's accounts: fetched once and shared by all who can do with a reading of that age (M4)."""

import threading
from collections import defaultdict, deque
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
    """What is known of one unit: its last two readings, the older first. `lock` is held by the one who reads it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.readings: deque[Snapshot] = deque(maxlen=2)
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
        """The earliest known reading of the unit that was begun at or after `not_before`, else a new one.

        The earliest, so that the later one can be the second opinion of everybody who needs two.

        Raises `BrokerError`; those who were waiting for that reading get the same error.
        """
        unit, asked = self._units[key], clock()
        with unit.lock:
            for reading in unit.readings:
                if reading.begun >= not_before:
                    return reading
            if unit.failure is not None and unit.failure[0] > asked:
                raise type(unit.failure[1])(str(unit.failure[1]))
            begun = clock()
            try:
                reading = Snapshot(begun, fetch())
            except BrokerError as exc:
                unit.failure = (clock(), exc)
                raise
            unit.readings.append(reading)
            return reading
