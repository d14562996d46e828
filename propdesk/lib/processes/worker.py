"""The Celery worker's heartbeat."""

from typing import Any

from celery import bootsteps

from propdesk.lib.processes.heartbeats import HeartbeatThread


class WorkerHeartbeat(bootsteps.StartStopStep):
    """A step of the worker itself, not of its broker connection: without Redis the worker is idle, but alive."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._thread = HeartbeatThread("worker")

    def start(self, parent: Any) -> None:
        self._thread.start()

    def stop(self, parent: Any) -> None:
        self._thread.stop()

    terminate = stop
