"""What keeps us from asking too much of a broker: a rate limit, and a breaker for one that does not answer.

Both live in the memory of one process and count per connection: with N processes a broker sees at most N times the
rate, and each process finds out for itself that a broker is down. Nothing rests on them but courtesy and speed.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from brokers.client.errors import NotSentError, ThrottledError

# So many calls in a row without an answer open the breaker, for so long; then one call tries.
MOST_FAILURES = 10
OPEN_SECONDS = 5.0

Ticks = Callable[[], float]


class RateLimit:
    """A token bucket that holds one second's worth; `per_second` 0 means no limit."""

    def __init__(self, per_second: float, *, ticks: Ticks = time.monotonic) -> None:
        self.per_second = per_second
        self._ticks = ticks
        self._lock = threading.Lock()
        self._tokens, self._filled_at = per_second, ticks()

    def take(self, *, patience: float) -> float:
        """Take a token and return how many seconds to wait before using it.

        Raises `ThrottledError`, taking none, when that would be longer than `patience`.
        """
        if self.per_second <= 0:
            return 0.0
        with self._lock:
            now = self._ticks()
            self._tokens = min(self.per_second, self._tokens + (now - self._filled_at) * self.per_second)
            self._filled_at = now
            wait = max(1 - self._tokens, 0) / self.per_second
            if wait > patience:
                raise ThrottledError(f"Our own limit of {self.per_second:g} calls a second is used up.")
            self._tokens -= 1
            return wait


class Breaker:
    """Leaves a broker alone that has not answered many times in a row, but for one probe every few seconds."""

    def __init__(self, *, ticks: Ticks = time.monotonic) -> None:
        self.failures = 0
        self.reason = ""
        self._ticks = ticks
        self._lock = threading.Lock()
        self._retry_at = 0.0

    @property
    def is_open(self) -> bool:
        return self.failures >= MOST_FAILURES

    def enter(self) -> None:
        """Before a call; raises `NotSentError` while the breaker is open and it is no time for a probe."""
        with self._lock:
            now = self._ticks()
            if self.is_open and now < self._retry_at:
                raise NotSentError(f"The broker has not answered {self.failures} times in a row: {self.reason}")
            # Whoever comes while this probe is under way finds the breaker open.
            self._retry_at = now + OPEN_SECONDS

    def answered(self) -> None:
        with self._lock:
            self.failures, self.reason = 0, ""

    def unanswered(self, reason: str) -> None:
        with self._lock:
            self.failures, self.reason = self.failures + 1, reason
            self._retry_at = self._ticks() + OPEN_SECONDS


@dataclass(slots=True)
class Guard:
    """The limit and the breaker of one connection.

    `report` hears when the breaker opens (the reason), and of the first answer after that ("").
    """

    limit: RateLimit
    report: Callable[[str], None]
    breaker: Breaker = field(default_factory=Breaker)
    is_reported: bool = False

    def enter(self, *, deadline: float) -> float:
        """Before a call: wait for our turn, and return what is left of the deadline.

        Raises `ThrottledError` when the wait would use up half of it, `NotSentError` when the breaker is open.
        """
        wait = self.limit.take(patience=deadline / 2)
        if wait:
            time.sleep(wait)
        self.breaker.enter()
        return deadline - wait

    def answered(self) -> None:
        self.breaker.answered()
        if self.is_reported:
            self.is_reported = False
            self.report("")

    def unanswered(self, reason: str) -> None:
        self.breaker.unanswered(reason)
        if self.breaker.is_open and not self.is_reported:
            self.is_reported = True
            self.report(reason)
