"""The sweeper's loop: each job in a thread of its own, at its own pace. It needs PostgreSQL and nothing else."""

import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import close_old_connections, connections
from django.utils import timezone

from propdesk.lib.processes.heartbeats import BEAT_SECONDS, try_beat
from propdesk.lib.processes.registry import Job
from propdesk.lib.redaction import redacted

logger = logging.getLogger(__name__)

STOP_SECONDS = 2.0
# A row that could not be worked on comes round again in a minute; what is wrong has to be seen until then.
ERROR_SHOWN_FOR = timedelta(seconds=90)


class JobThread(threading.Thread):
    """Runs one job until told to stop. An exception ends the round, never the thread."""

    def __init__(self, job: Job, stop: threading.Event) -> None:
        # A round that hangs must not keep the process from ending, hence a daemon.
        super().__init__(name=f"sweep-{job.name}", daemon=True)
        self._job = job
        self._stop_asked = stop
        self.rounds = 0
        self.failures = 0
        self.last_error = ""
        self.failed_at: datetime | None = None
        self.last_end: datetime | None = None

    def run(self) -> None:
        pause = 0.0
        while not self._stop_asked.wait(pause):
            begun = time.monotonic()
            self.run_once()
            # From start to start: a slow round does not stretch the interval.
            pause = max(0.0, self._job.every_seconds - (time.monotonic() - begun))
        connections.close_all()

    def run_once(self) -> bool:
        """One round; False if it failed."""
        try:
            close_old_connections()
            count = self._job.run(timezone.now())
        except Exception as error:
            logger.exception("Job %s failed", self._job.name)
            self.failures += 1
            self.last_error = redacted(f"{type(error).__name__}: {error}")[:500]
            self.failed_at = timezone.now()
            # It may stand in the middle of a broken transaction; the next round begins on a new connection.
            connections.close_all()
            return False
        else:
            if count:
                logger.info("%s: %s", self._job.name, count)
            if self.failed_at is None or timezone.now() - self.failed_at > ERROR_SHOWN_FOR:
                self.last_error = ""
            return True
        finally:
            self.rounds += 1
            self.last_end = timezone.now()

    def report(self) -> dict[str, object]:
        """Kept with the heartbeat, where `ProcessHeartbeat.jobs` reads it."""
        last_end = self.last_end.isoformat() if self.last_end else None
        return {"rounds": self.rounds, "failures": self.failures, "last_end": last_end, "last_error": self.last_error}


def sweep_forever(jobs: Sequence[Job], stop: threading.Event) -> None:
    """Run the jobs until `stop` is set; then wait up to two seconds for the rounds that are under way."""
    threads = [JobThread(job, stop) for job in jobs]
    for thread in threads:
        thread.start()
    while True:
        try_beat("sweeper", detail={thread.name.removeprefix("sweep-"): thread.report() for thread in threads})
        if stop.wait(BEAT_SECONDS):
            break
    deadline = time.monotonic() + STOP_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))


def sweep_once(jobs: Sequence[Job]) -> bool:
    """One round of each job, one after the other, here; False if any failed."""
    results = [JobThread(job, threading.Event()).run_once() for job in jobs]
    return all(results)
