"""Bytes in, frames out. Pure: how the bytes were cut on their way makes no difference."""

from collections.abc import Iterator
from dataclasses import dataclass

END = b"\r\n"
# How much of an oversized frame is thrown away in the hope of its end; then nobody is speaking our language.
MAX_SKIPPED = 64 * 1024 * 1024


class EndlessFrameError(Exception):
    """An oversized frame does not end; there is nothing to find on this connection any more."""


@dataclass(frozen=True, slots=True)
class Oversized:
    """A frame over the limit, as far as it was read."""

    head: bytes
    limit: int


Frame = bytes | Oversized


class FrameSplitter:
    """Collects one connection's bytes. A frame without its end is kept for the next bytes, up to `max_frame`."""

    def __init__(self, max_frame: int) -> None:
        self._max_frame = max_frame
        self._buffer = bytearray()
        self._searched = 0  # no end starts before this place
        self._skipped = 0
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes, without their ends. Use it up before the next call.

        Raises EndlessFrameError when an oversized frame goes on for more than `MAX_SKIPPED` bytes.
        """
        self._buffer += data
        while (end := self._buffer.find(END, self._searched)) >= 0:
            frame = bytes(self._buffer[:end])
            del self._buffer[: end + len(END)]
            self._searched = 0
            if self._skipping:
                self._skipping = False
            else:
                yield frame if len(frame) <= self._max_frame else Oversized(frame, self._max_frame)
        # The last byte may be the first half of an end.
        self._searched = max(0, len(self._buffer) - 1)
        # So it does not count: a frame of exactly the limit may be whole but for its second half.
        if not self._skipping and self._searched > self._max_frame:
            yield Oversized(bytes(self._buffer), self._max_frame)
            self._skipping, self._skipped = True, 0
        if self._skipping:
            self._skip()

    def _skip(self) -> None:
        self._skipped += self._searched
        if self._skipped > MAX_SKIPPED:
            raise EndlessFrameError
        del self._buffer[: self._searched]
        self._searched = 0
