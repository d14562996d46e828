"""Tell a worker that a row wants attention, now. Losing a nudge costs seconds (the sweeper finds the row), never work.

Nudges go out under the task's name, so the one who nudges imports no task. They have a Celery application of their own:
the worker's may wait for Redis as long as it likes, a request that just took someone's money may not.
"""

import logging
import time
from functools import cache, partial
from typing import Any

from celery import Celery
from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)

# Half a second to connect and half a second for the answer, each tried once.
PUBLISH_OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 0.5,
    "socket_timeout": 0.5,
    "retry_on_timeout": False,
    "max_retries": 0,
    "connect_retries_timeout": 0.5,
}
PAUSE_SECONDS = 5.0


class Nudger:
    """Publishes task messages. After a failure it keeps quiet for a while: a burst pays for one timeout only."""

    def __init__(self, redis_url: str) -> None:
        self._app = Celery("propdesk.nudges", broker=redis_url, set_as_current=False)
        self._app.conf.update(
            broker_transport_options=PUBLISH_OPTIONS, broker_connection_timeout=0.5, task_ignore_result=True
        )
        self._silent_until = 0.0
        self.sent = 0
        self.failed = 0
        self.skipped = 0

    def send(self, task_name: str, *ids: int) -> None:
        """Publish one task with these arguments. Never raises, and returns within about a second."""
        if time.monotonic() < self._silent_until:
            self.skipped += 1
            return
        try:
            self._app.send_task(task_name, args=ids, retry=False)
        except Exception:  # noqa: BLE001  (whatever is wrong with Redis is no reason to fail what was committed)
            self._silent_until = time.monotonic() + PAUSE_SECONDS
            self.failed += 1
            logger.warning(
                "Nudge %s%s was not sent; none is for %s s. The sweeper takes over.", task_name, ids, PAUSE_SECONDS
            )
        else:
            self.sent += 1


@cache
def nudger() -> Nudger:
    """This process's nudger, with its counts."""
    return Nudger(settings.REDIS_URL)


def nudge(task_name: str, *ids: int) -> None:
    """Once the transaction commits (at once outside of one), ask a worker to run the task with these ids."""
    transaction.on_commit(partial(_send, task_name, *ids), robust=True)


def _send(task_name: str, *ids: int) -> None:
    nudger().send(task_name, *ids)
