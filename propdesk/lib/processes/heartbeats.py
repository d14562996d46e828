"""Signs of life: every long-running process writes its own, `/readyz` reads them all."""

import logging
import os
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import close_old_connections, connections
from django.utils import timezone

from propdesk.lib.processes.models import ProcessHeartbeat

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
FRESH_FOR = timedelta(seconds=15)


def beat(name: str, now: datetime, *, detail: Mapping[str, object] | None = None) -> None:
    """Record that the process of this name was alive at `now`."""
    sign = {"pid": os.getpid(), "beat_at": now, "detail": dict(detail or {})}
    ProcessHeartbeat.objects.update_or_create(name=name, defaults=sign)


def try_beat(name: str, *, detail: Mapping[str, object] | None = None) -> None:
    """`beat` for loops: a database that is away costs this one beat, never the process."""
    try:
        close_old_connections()
        beat(name, timezone.now(), detail=detail)
    except Exception as error:  # noqa: BLE001  (anything may be wrong while a database restarts)
        logger.warning("No heartbeat of %s: %s", name, str(error).strip())


def fresh_beats(now: datetime) -> dict[str, ProcessHeartbeat]:
    """The recent signs of life, by the name of the process."""
    return {sign.name: sign for sign in ProcessHeartbeat.objects.filter(beat_at__gte=now - FRESH_FOR)}


class HeartbeatThread(threading.Thread):
    """Beats from inside a process whose main thread is not ours."""

    def __init__(self, name: str) -> None:
        super().__init__(name=f"heartbeat-{name}", daemon=True)
        self._process = name
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while True:
            try_beat(self._process)
            if self._stop_asked.wait(BEAT_SECONDS):
                break
        connections.close_all()

    def stop(self) -> None:
        self._stop_asked.set()
