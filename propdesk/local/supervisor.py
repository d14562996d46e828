"""Child processes of `make run`: started, listened to, started again when they die, and stopped together."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from propdesk.local.console import is_routine, say
from propdesk.local.launch import tethered
from propdesk.local.lease import ROOT

STOP_SECONDS = 10.0
HEALTHY_SECONDS = 30.0
LONGEST_PAUSE = 30.0


class Child:
    """One process that should always run. Its output goes to its log file, what matters also to the console."""

    def __init__(self, name: str, command: list[str], *, environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        self._command = command
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = 1.0
        self._start_at = 0.0
        log.unlink(missing_ok=True)

    def start(self) -> None:
        """Call it from the main thread: the child ends when the thread that started it does."""
        self._process = subprocess.Popen(
            tethered(self._command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=self._environment,
            # A Ctrl-C reaches the terminal's foreground group; we alone take it, and stop the children in order.
            start_new_session=True,
        )
        self._started = time.monotonic()
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101  (PIPE above)
        with process.stdout, self.log.open("ab", buffering=0) as log:
            for line in process.stdout:
                log.write(line)
                text = line.decode(errors="replace").rstrip()
                if not is_routine(text):
                    say(f"{self.name:>10} | {text}")

    def tend(self) -> None:
        """Start it again if it has died, a little later each time it dies young."""
        now = time.monotonic()
        if self._process is not None and (code := self._process.poll()) is not None:
            lived = now - self._started
            self._pause = 1.0 if lived > HEALTHY_SECONDS else min(self._pause * 2, LONGEST_PAUSE)
            self._start_at = now + self._pause
            self._process = None
            end = describe_exit(code)
            say(f"{self.name:>10} | ended unexpectedly ({end}); starting it again in {self._pause:.0f} s")
        if self._process is None and now >= self._start_at:
            self.start()

    def ask_to_stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait_stopped(self, deadline: float) -> None:
        """Wait, then end whatever is left of it: its process group holds its own children too."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            say(f"{self.name:>10} | did not stop in time")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def stop_all(children: list[Child]) -> None:
    for child in children:
        child.ask_to_stop()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        child.wait_stopped(deadline)


def describe_exit(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
