"""True answers of a while ago, for stale reads: what a cache on the way, or a replica that lags, would give."""

from collections import OrderedDict, deque

LARGEST = 64 * 1024 * 1024

# The endpoint and the body of a request.
Key = tuple[str, bytes]


class PastAnswers:
    """Answers by request, of each the newest that is old enough and all after it; at most LARGEST bytes of them."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._answers: OrderedDict[Key, deque[tuple[float, bytes]]] = OrderedDict()
        self._largest = largest
        self._size = 0

    def keep(self, key: Key, body: bytes, *, age: float, now: float) -> None:
        """Remember an answer; forget those of this request that no reader of answers `age` seconds old will get."""
        answers = self._answers.setdefault(key, deque())
        self._answers.move_to_end(key)
        answers.append((now, body))
        self._size += len(body)
        while len(answers) > 1 and answers[1][0] <= now - age:
            self._size -= len(answers.popleft()[1])
        while self._size > self._largest:
            _, forgotten = self._answers.popitem(last=False)
            self._size -= sum(len(body) for _, body in forgotten)

    def recall(self, key: Key, *, age: float, now: float) -> bytes | None:
        """The newest answer to this request that is at least `age` seconds old."""
        old = (body for at, body in reversed(self._answers.get(key, ())) if at <= now - age)
        return next(old, None)

    def clear(self) -> None:
        self._answers.clear()
        self._size = 0
