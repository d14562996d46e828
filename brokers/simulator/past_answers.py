"""True answers of a while ago, for stale reads: what a cache on the way, or a replica that lags, would give.

How stale an answer may be is bounded, so that a caller who waits longer than that is safe.
"""

from collections import OrderedDict, deque

LARGEST = 64 * 1024 * 1024
# A stale answer is at most so many times older than it is asked to be.
SPAN = 2

# The endpoint and the body of a request.
Key = tuple[str, bytes]


class PastAnswers:
    """Answers by request, as long as they may be asked for; at most LARGEST bytes of them."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._answers: OrderedDict[Key, deque[tuple[float, bytes]]] = OrderedDict()
        self._largest = largest
        self._size = 0

    def keep(self, key: Key, body: bytes, *, age: float, now: float) -> None:
        """Remember an answer, to be asked for when it is `age` seconds old, and forget those too old for that."""
        answers = self._answers.setdefault(key, deque())
        self._answers.move_to_end(key)
        answers.append((now, body))
        self._size += len(body)
        while answers[0][0] < now - SPAN * age:
            self._size -= len(answers.popleft()[1])
        while self._size > self._largest:
            _, forgotten = self._answers.popitem(last=False)
            self._size -= sum(len(body) for _, body in forgotten)

    def recall(self, key: Key, *, age: float, now: float) -> bytes | None:
        """The newest answer to this request that is from `age` to SPAN times `age` seconds old."""
        answers = reversed(self._answers.get(key, ()))
        return next((body for at, body in answers if now - SPAN * age <= at <= now - age), None)
