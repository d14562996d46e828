"""Using a private server: join it if it runs, start its keeper if not, and leave it at the end."""

import fcntl
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from propdesk.local.errors import StartError
from propdesk.local.keeper import server_folder, try_lock

ROOT = Path(__file__).resolve().parent.parent.parent
WAIT_SECONDS = 90

# Keepers that this process started and others still need; dropping them would warn of a child left running.
_outliving: list[subprocess.Popen[str]] = []


class Lease:
    """The right to use one server of a data directory; the server runs at least as long as anybody holds one."""

    def __init__(
        self, name: str, data: Path, *, durable: bool = True, say: Callable[[str], None] | None = None
    ) -> None:
        """Wait until the server answers. Raises StartError with the reason if it cannot."""
        self.name = name
        self._data = data
        self._durable = durable
        self._say = say or (lambda text: None)
        self._folder = server_folder(data)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._users = self._open("users")
        # Blocks while a keeper is stopping the server, which is over in a moment.
        fcntl.flock(self._users, fcntl.LOCK_SH)
        self._keeper: subprocess.Popen[str] | None = None
        try:
            self.url = self._join()
        except StartError:
            self._users.close()
            raise

    def leave(self) -> None:
        """Give the lease back and, if nobody else has one, wait until the server is gone."""
        self._users.close()
        if self._others_remain():
            if self._keeper is not None:
                _outliving.append(self._keeper)
        elif self._keeper is not None:
            self._keeper.wait()

    def _others_remain(self) -> bool:
        """Whether somebody else has a lease. If not, this returns once the server is gone."""
        deadline = time.monotonic() + 30
        while self._keeper_runs() and time.monotonic() < deadline:
            with self._open("users") as users:
                # Shared but not alone: others still use the server. Neither: the keeper has it and is stopping.
                if not try_lock(users, fcntl.LOCK_EX) and try_lock(users, fcntl.LOCK_SH):
                    return True
            time.sleep(0.03)
        return False

    def keep(self) -> None:
        """Start the keeper again if it was killed; the server comes back on the same port when that is still free."""
        if not self._keeper_runs():
            self.url = self._join()

    def _open(self, what: str) -> IO[str]:
        return (self._folder / f"{self.name}.{what}").open("a")

    def _keeper_runs(self) -> bool:
        with self._open("keeper") as lock:
            return not try_lock(lock, fcntl.LOCK_SH)

    def _join(self) -> str:
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            url = self._address() if self._keeper_runs() else self._start_keeper()
            if url:
                return url
            time.sleep(0.05)
        raise StartError(
            f"The bundled {self.name} did not start within {WAIT_SECONDS} seconds; see {self._data / 'logs'}."
        )

    def _address(self) -> str:
        path = self._folder / f"{self.name}.json"
        try:
            return str(json.loads(path.read_text())["url"])
        except FileNotFoundError:  # also when a new keeper takes away the old address this very moment
            return ""

    def _start_keeper(self) -> str:
        """The address, or nothing when another process was starting a keeper at the same moment."""
        durable = "durable" if self._durable else "lossy"
        if self._keeper is not None:
            self._keeper.wait()  # the one before, which was killed
        self._keeper = keeper = subprocess.Popen(
            [sys.executable, "-m", "propdesk.local.keeper", self.name, str(self._data), durable],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,  # a Ctrl-C in the terminal must not reach it
        )
        assert keeper.stdout is not None  # noqa: S101  (PIPE above)
        with keeper.stdout:
            for line in keeper.stdout:
                answer = json.loads(line)
                if "error" in answer:
                    keeper.wait()
                    raise StartError(answer["error"])
                if "progress" in answer:
                    self._say(answer["progress"])
                if "url" in answer:
                    return str(answer["url"])
        keeper.wait()
        return ""
