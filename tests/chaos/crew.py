"""Our own processes, sweepers and Celery workers: they are killed, die by themselves, and are started again."""

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from propdesk.lib.crash import VARIABLE
from propdesk.local.launch import tethered
from tests.chaos.plan import PLACES, Plan
from tests.chaos.world import ROOT

SWEEPER = [sys.executable, "manage.py", "sweep"]
WORKER = [
    *[sys.executable, "-m", "celery", "--quiet", "-A", "propdesk.celery", "worker", "--concurrency", "2"],
    *["--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"],
]


@dataclass
class Member:
    """One process of the crew. `place` is where it is to die by itself, "" when nowhere."""

    name: str
    command: list[str]
    process: "subprocess.Popen[bytes]"
    place: str = ""


@dataclass
class Crew:
    """Started, watched and struck from the main thread."""

    plan: Plan
    logs: Path
    kills: int = 0
    died_at: list[str] = field(default_factory=list)
    _members: list[Member] = field(default_factory=list)
    _places_left: int = 0
    _places: Random = field(default_factory=Random)

    def start(self) -> None:
        self._places_left, self._places = self.plan.kills, self.plan.places()
        names = [("sweeper", SWEEPER)] * self.plan.sweepers + [("worker", WORKER)] * self.plan.workers
        for number, (name, command) in enumerate(names):
            self._members.append(self._launch(f"{name}-{number}", command))

    def tend(self) -> None:
        """Start again what has died."""
        for at, member in enumerate(self._members):
            code = member.process.poll()
            if code is None:
                continue
            if code == -signal.SIGKILL and member.place:
                self.died_at.append(member.place.partition(":")[0])
            self._end(member)
            self._members[at] = self._launch(member.name, member.command)

    def strike(self, blow: str) -> None:
        """kill -9: a sweeper, a worker with its children, or the children alone, which it replaces itself."""
        kind = blow.split(maxsplit=1)[0]
        of_kind = [each for each in self._members if each.name.startswith(kind)]
        if not of_kind:
            return
        member = self._places.choice(of_kind)
        self.kills += 1
        if blow == "worker pool":
            for child in _children(member.process.pid):
                _kill(child)
        else:
            member.place = ""
            self._end(member)

    def disarm(self) -> None:
        """From now on nobody dies: processes that still may are replaced."""
        self._places_left = 0
        for at, member in enumerate(self._members):
            if member.place:
                self._end(member)
                self._members[at] = self._launch(member.name, member.command)

    def stop(self) -> None:
        for member in self._members:
            self._end(member)

    def _launch(self, name: str, command: list[str]) -> Member:
        environment, place = dict(os.environ), ""
        # Celery replaces a child that died, and the new one would die at the same place again: sweepers only.
        if self._places_left and command is SWEEPER:
            self._places_left -= 1
            place = f"{self._places.choice(PLACES)}:{self._places.randint(1, 5)}"
            environment[VARIABLE] = place
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                tethered(command), cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        return Member(name, command, process, place)

    def _end(self, member: Member) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(member.process.pid, signal.SIGKILL)
        member.process.wait()


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in path.read_text().split()] if path.exists() else []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
