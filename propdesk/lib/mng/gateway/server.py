"""The gateway itself: it listens, keeps count, beats, and stops in order."""

import asyncio
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from propdesk.lib.mng.envelope import failure
from propdesk.lib.mng.errors import TooManyRequestsError
from propdesk.lib.mng.gateway.answering import answer_frame, encoded
from propdesk.lib.mng.gateway.connection import CHUNK, Connection
from propdesk.lib.mng.gateway.framing import Frame
from propdesk.lib.mng.gateway.options import GatewayOptions
from propdesk.lib.processes.heartbeats import BEAT_SECONDS, try_beat

logger = logging.getLogger(__name__)

PROCESS = "gateway"
BACKLOG = 256
HANDSHAKE_SECONDS = 10.0


class Gateway:
    """Commands run in a bounded pool of threads, since the ORM blocks; the event loop only moves bytes."""

    def __init__(self, options: GatewayOptions) -> None:
        self._options = options
        self._pool = ThreadPoolExecutor(options.threads, thread_name_prefix="command")
        self._connections: dict[asyncio.Task[None], Connection] = {}

    async def serve(self, *, stop: asyncio.Event, listening: Callable[[int], None]) -> bool:
        """Serve until `stop` is set; `listening` hears the port. True when all commands under way were answered.

        Raises OSError when the address cannot be listened on.
        """
        options = self._options
        server = await asyncio.start_server(
            self._accept,
            options.host,
            options.port,
            ssl=options.tls,
            ssl_handshake_timeout=HANDSHAKE_SECONDS if options.tls else None,
            limit=CHUNK,
            backlog=BACKLOG,
        )
        listening(server.sockets[0].getsockname()[1])
        beating = asyncio.create_task(self._beat())
        await stop.wait()
        server.close()
        beating.cancel()
        return await self._finish()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # asyncio has set TCP_NODELAY already.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection = Connection(reader, writer, options=self._options, answer=self._answer)
        if len(self._connections) >= self._options.max_connections:
            logger.warning("Refused a connection: there are %d already", len(self._connections))
            error = TooManyRequestsError("There are too many connections already; try again later.", retry_after=5)
            await connection.refuse(encoded(failure(error)))
            return
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  (asyncio runs this coroutine in a task)
        self._connections[task] = connection
        try:
            await connection.serve()
        finally:
            del self._connections[task]

    async def _answer(self, frame: Frame) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(self._pool, answer_frame, frame)

    async def _beat(self) -> None:
        """From inside the loop, so that a heartbeat means that it turns; outside the pool, which may be busy."""
        while True:
            in_flight = sum(connection.in_flight for connection in self._connections.values())
            detail = {"connections": len(self._connections), "in_flight": in_flight}
            await asyncio.to_thread(try_beat, PROCESS, detail=detail)
            await asyncio.sleep(BEAT_SECONDS)

    async def _finish(self) -> bool:
        serving = dict(self._connections)
        for connection in serving.values():
            connection.stop()
        if not serving:
            return True
        _, late = await asyncio.wait(serving, timeout=self._options.stop_seconds)
        if late:
            left = sum(serving[task].in_flight for task in late)
            logger.warning("Stopped with %d commands unanswered on %d connections", left, len(late))
        return not late
