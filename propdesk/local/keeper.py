"""A private server's keeper: the small process that owns one server for everyone who uses it.

`python -m propdesk.local.keeper NAME DATA DURABLE` starts the server, says so in one JSON line on its output, restarts
it if it dies, and stops it once nobody uses it any more. Users hold a shared lock on `NAME.users`, which the kernel
releases however a user ends; the keeper holds `NAME.keeper` all its life. So no server outlives its users, and two
commands on one data directory share the same servers whichever of them ends first.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from propdesk.local.errors import StartError
from propdesk.local.launch import free_port, port_is_free
from propdesk.local.secret_store import load_secrets, write_private
from propdesk.local.servers import SERVER_ENVIRONMENT, SERVERS, Server

POLL_SECONDS = 0.1
START_SECONDS = 30


def server_folder(data: Path) -> Path:
    """Where the locks and addresses of the servers are."""
    return data / "servers"


def open_lock(path: Path) -> int:
    """A lock file of the keeper's: a bare descriptor, which only the kernel closes.

    Python closes a file object some time before the process is gone, and whoever waits for us takes a free lock for
    a process that has ended.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)


def try_lock(file: IO[str] | int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Keeper:
    def __init__(self, server: Server) -> None:
        self.server = server
        folder = server_folder(server.data)
        self.address = folder / f"{server.name}.json"
        self.users = open_lock(folder / f"{server.name}.users")
        log = server.data / "logs"
        log.mkdir(exist_ok=True)
        self.log = (log / f"{server.name}.log").open("a")
        self.stopping = False
        # Whoever finds an address may use it at once, so there is none until the server answers.
        self.address.unlink(missing_ok=True)
        self.port_file = self.address.with_suffix(".port")
        self.port = 0

    def _usual_port(self) -> int:
        """The last start's port if it is free, so that a restart does not cut off those who know the address."""
        try:
            port = int(self.port_file.read_text())
        except (OSError, ValueError):
            return free_port()
        # A server whose keeper was killed is on its way out, and holds the port for a moment longer.
        for _attempt in range(30):
            if port_is_free(port):
                return port
            time.sleep(POLL_SECONDS)
        return free_port()

    def run(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the users; we follow when they are gone
        signal.signal(signal.SIGTERM, self._on_term)
        self.server.prepare(lambda text: report(progress=text))
        # Only now: preparing waits for a PostgreSQL that is still shutting down, and that has the port until its end.
        self.port = self._usual_port()
        process = self._start()
        url = self.server.url(self.port)
        self.port_file.write_text(str(self.port))
        write_private(self.address, json.dumps({"url": url}) + "\n")
        report(url=url)
        self._watch(process)

    def _on_term(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self.stopping = True

    def _start(self) -> subprocess.Popen[bytes]:
        """The server, answering. If another program took the port a moment ago, the next one is tried."""
        for _attempt in range(3):
            process = self._spawn()
            deadline = time.monotonic() + START_SECONDS
            while process.poll() is None and time.monotonic() < deadline:
                if self.server.answers(self.port):
                    return process
                time.sleep(0.05)
            self._stop(process)
            self.port = free_port()
        tail = Path(self.log.name).read_text(errors="replace")[-2000:]
        raise StartError(f"{self.server.name} does not start. The end of {self.log.name}:\n{tail}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.server.command(self.port),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            cwd="/",
            env=SERVER_ENVIRONMENT,
        )

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        pause = 0.5
        while not self.stopping and not try_lock(self.users, fcntl.LOCK_EX):
            time.sleep(POLL_SECONDS)
            if process.poll() is not None:
                time.sleep(pause)
                pause = min(pause * 2, 10)
                self.server.prepare(lambda text: None)
                process = self._spawn()
        self.address.unlink(missing_ok=True)
        self._stop(process)

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        # SIGINT is PostgreSQL's "fast" shutdown: it does not wait for clients to leave. Valkey stops on it as well.
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(self.server.stop_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def report(**answer: object) -> None:
    """One line to whoever started us; that process may be gone."""
    try:
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = None


def main() -> NoReturn:
    name, folder, durable = sys.argv[1:]
    data = Path(folder)
    lock = open_lock(server_folder(data) / f"{name}.keeper")
    # Others look at the lock for an instant to see whether a keeper runs, so one refusal does not count.
    for _attempt in range(20):
        if try_lock(lock, fcntl.LOCK_EX):
            break
        time.sleep(0.02)
    else:
        report(busy=True)
        sys.exit(0)
    try:
        Keeper(SERVERS[name](data=data, secrets=load_secrets(data), durable=durable == "durable")).run()
    except (StartError, OSError) as error:
        report(error=str(error))
        sys.exit(1)
    sys.exit(0)


if __name__ == "__main__":
    main()
