"""The servers of a run: PostgreSQL, Valkey and the broker simulator, as processes that can be struck."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import redis
import requests

from propdesk.local.launch import free_port, tethered
from propdesk.local.servers import SERVER_ENVIRONMENT, Postgres, Valkey

ROOT = Path(__file__).resolve().parents[2]
API_KEY = "simulator-key-for-chaos"
SECRETS = {"POSTGRES_PASSWORD": "chaos", "VALKEY_PASSWORD": "chaos"}
START_SECONDS = 60


def wait_for(condition: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds:g} s")
        time.sleep(0.1)
    return found


class Server:
    """PostgreSQL or Valkey, on one port for the whole run."""

    def __init__(self, server: Postgres | Valkey, log: IO[bytes]) -> None:
        self._server, self._log, self._port = server, log, free_port()
        self.url = server.url(self._port)
        self._process = self._start()

    def restart(self, with_signal: signal.Signals) -> None:
        """Strike it down and start it again."""
        self._process.send_signal(with_signal)
        self._process.wait(START_SECONDS)
        self._process = self._start()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(START_SECONDS)
        self._process.kill()

    def _start(self) -> "subprocess.Popen[bytes]":
        self._server.prepare(lambda _: None)
        process = subprocess.Popen(
            self._server.command(self._port), stdout=self._log, stderr=self._log, cwd="/", env=SERVER_ENVIRONMENT
        )
        wait_for(lambda: self._server.answers(self._port), f"{self._server.name} answers")
        return process


class World:
    """Everything that runs beside our own processes. Start it from the main thread."""

    def __init__(self, data: Path, *, seed: int) -> None:
        self.data = data
        self.logs = data / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self._log = (self.logs / "servers.log").open("ab")
        # Commits must survive an immediate restart, so PostgreSQL runs as in production.
        self.postgres = Server(Postgres(data, SECRETS, durable=True), self._log)
        self.valkey = Server(Valkey(data, SECRETS, durable=False), self._log)
        self._simulator = self._start_simulator(seed)
        self.broker_url = self._await_address()
        self._http = requests.Session()

    def simulator(self, method: str, path: str, body: Any = None) -> Any:
        """The simulator's control surface, or a broker call that no fault may meet."""
        headers = {"Authorization": f"Bearer {API_KEY}"}
        reply = self._http.request(method, self.broker_url + path, json=body, headers=headers, timeout=120)
        reply.raise_for_status()
        return reply.json()

    def strike(self, blow: str) -> None:
        match blow:
            case "postgres":
                self.postgres.restart(signal.SIGQUIT)  # PostgreSQL's "immediate" shutdown
            case "valkey restart":
                self.valkey.restart(signal.SIGKILL)
            case "valkey flush":
                with redis.Redis.from_url(self.valkey.url) as client:
                    client.flushall()
            case _:
                raise ValueError(blow)

    def stop(self) -> None:
        self._simulator.terminate()
        self._simulator.wait(START_SECONDS)
        self._http.close()
        self.valkey.stop()
        self.postgres.stop()
        self._log.close()

    def _start_simulator(self, seed: int) -> "subprocess.Popen[bytes]":
        arguments = ["--port", "0", "--api-key", API_KEY, "--data", str(self.data / "brokersim")]
        with (self.logs / "brokersim.log").open("wb") as log:
            return subprocess.Popen(
                tethered([sys.executable, "-m", "brokers.simulator", *arguments, "--seed", str(seed)]),
                stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=dict(os.environ),
            )  # fmt: skip

    def _await_address(self) -> str:
        def address() -> str:
            found = re.search(r"http://[0-9.]+:\d+", (self.logs / "brokersim.log").read_text())
            return found.group() if found else ""

        return str(wait_for(address, "the simulator listens"))
