"""Places at which a process can be told to die, for proving that nothing is lost or done twice when one does.

`PROPDESK_CRASH_AT=NAME` or `NAME:3` in the environment makes the process kill itself with SIGKILL when it passes the
place for the first or third time. Without it a place costs one comparison. The names are

    before ROW STATUS, after ROW STATUS   around the commit of a status change or of a new row: "before purchase paid",
                                          "after brokeroperation create calling"
    before call ENDPOINT, after call ...  around a call that changes something at a broker: "after call deposit"
    before lease ROW, after lease ROW     around a worker's claim of a row: "after lease accountorder"
"""

import os
import signal
import threading
from functools import partial

from django.db import transaction

VARIABLE = "PROPDESK_CRASH_AT"

_lock = threading.Lock()
_name, _, _count = os.environ.get(VARIABLE, "").partition(":")
_left = int(_count or 1)


def arm(place: str) -> None:
    """Die at `place` ("NAME" or "NAME:3") from now on; "" disarms."""
    global _name, _left  # noqa: PLW0603  (one setting for the whole process, as the environment is)
    _name, _, count = place.partition(":")
    _left = int(count or 1)


def crash(name: str) -> None:
    """Die here if this is the place."""
    if _name and name == _name:
        _die_when_due()


def crash_around_commit(name: str) -> None:
    """Called last in a transaction: two places, just before its commit and just after it."""
    if _name:
        crash(f"before {name}")
        transaction.on_commit(partial(crash, f"after {name}"))


def _die_when_due() -> None:
    global _left  # noqa: PLW0603
    with _lock:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
