"""One client: its frames are read, run side by side, and answered as they are ready."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from propdesk.lib.mng.gateway.framing import EndlessFrameError, Frame, FrameSplitter
from propdesk.lib.mng.gateway.options import GatewayOptions

logger = logging.getLogger(__name__)

CHUNK = 64 * 1024
# How long a closing connection waits for the client to take the rest of its answers and to close its own side.
LINGER_SECONDS = 1.0
FLUSH_SECONDS = 10.0


class Connection:
    """`answer` makes the answer to a frame, elsewhere than in the event loop."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        options: GatewayOptions,
        answer: Callable[[Frame], Awaitable[bytes]],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._options = options
        self._answer = answer
        self._slots = asyncio.Semaphore(options.max_in_flight)
        self._sending = asyncio.Lock()
        self._answering: set[asyncio.Task[None]] = set()
        self._reading: asyncio.Task[None] | None = None
        self._active_at = asyncio.get_running_loop().time()

    @property
    def in_flight(self) -> int:
        return len(self._answering)

    async def serve(self) -> None:
        """Until the client leaves or is silent for too long, or `stop` is called; then answer what is under way."""
        self._reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait([self._reading])
            if not self._reading.cancelled() and (error := self._reading.exception()):
                _log(error)
            if self._answering:
                await asyncio.wait(self._answering)
            await self._close()
        finally:
            self._writer.transport.abort()

    def stop(self) -> None:
        """Read no more. What was read and not begun is not run: its sender gets no answer and knows so."""
        if self._reading:
            self._reading.cancel()

    async def refuse(self, reply: bytes) -> None:
        """Say why, and close."""
        try:
            await self._send(reply)
            await self._close()
        except OSError as error:
            _log(error)
        finally:
            self._writer.transport.abort()

    async def _read(self) -> None:
        frames = FrameSplitter(self._options.max_frame)
        with contextlib.suppress(EndlessFrameError):
            while chunk := await self._next_chunk():
                for frame in frames.feed(chunk):
                    await self._slots.acquire()
                    self._touch()
                    task = asyncio.create_task(self._run(frame))
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)

    async def _next_chunk(self) -> bytes:
        """Nothing at the end. Bytes alone do not count as a sign of life, so that no frame can drip in for days."""
        while True:
            try:
                async with asyncio.timeout_at(self._active_at + self._options.idle_seconds):
                    return await self._reader.read(CHUNK)
            except TimeoutError:
                if not self._answering:
                    return b""
                self._touch()  # the client waits for us

    async def _run(self, frame: Frame) -> None:
        try:
            await self._send(await self._answer(frame))
        except OSError as error:
            # It left, or does not take its answers. The command has had its effect all the same.
            _log(error)
            self._writer.transport.abort()
        finally:
            self._touch()
            self._slots.release()

    async def _send(self, reply: bytes) -> None:
        """One frame at a time, in slices, so that a large answer leaves others their turn."""
        async with self._sending:
            for start in range(0, len(reply), CHUNK):
                self._writer.write(reply[start : start + CHUNK])
                async with asyncio.timeout(self._options.idle_seconds):
                    await self._writer.drain()

    async def _close(self) -> None:
        """Let the client have its answers: closing over unread bytes would throw them away."""
        with contextlib.suppress(OSError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
                async with asyncio.timeout(LINGER_SECONDS):
                    while await self._reader.read(CHUNK):
                        pass
        self._writer.close()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._writer.wait_closed()

    def _touch(self) -> None:
        self._active_at = asyncio.get_running_loop().time()


def _log(error: BaseException) -> None:
    if isinstance(error, OSError):
        logger.info("Connection lost: %s", str(error) or type(error).__name__)
    else:
        logger.error("Unforeseen error of a connection", exc_info=error)
