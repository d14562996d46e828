"""The whole product as its users start it, on ports and a data directory of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from propdesk.local.launch import free_port

ROOT = Path(__file__).resolve().parents[2]
# The product gives up by itself before that, and says what is missing.
START_SECONDS = 180
# It waits for its children, then for its servers, up to ten and twenty seconds each.
STOP_SECONDS = 100


@dataclass
class Stack:
    """A running PropDesk, reached only through its public surfaces."""

    process: subprocess.Popen[bytes]
    data: Path
    demo: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.demo["base_url"])

    def call(self, method: str, path: str, *, token: str = "", body: Any = None) -> requests.Response:
        """One HTTP request; `token` is one of demo.json's names (SESSION_ADMIN...) or a token itself."""
        secret = self.demo["tokens"].get(token, token)
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return requests.request(method, self.url + path, json=body, headers=headers, timeout=30)

    def mng(self, command: str, data: dict[str, Any], *, token: str = "SESSION_ADMIN") -> dict[str, Any]:
        """The `data` of a successful manager command."""
        reply = self.call("POST", "/api/v1/mng", token=token, body={"command": command, "extID": "7", "data": data})
        assert reply.status_code == 200, reply.text
        return dict(reply.json()["data"])

    def simulator(self, method: str, path: str, body: Any = None) -> Any:
        """The simulator's control surface."""
        broker = self.demo["broker"]
        reply = requests.request(
            method,
            broker["base_url"] + path,
            json=body,
            headers={"Authorization": f"Bearer {broker['api_key']}"},
            timeout=30,
        )
        assert reply.status_code == 200, reply.text
        return reply.json()

    def account(self, login: int) -> dict[str, Any]:
        """The simulator's own row of one account."""
        rows = self.simulator("GET", "/sim/accounts")["accounts"]
        return next(row for row in rows if row["accountNumber"] == login)


def wait_until(look: Callable[[], Any], *, what: str, seconds: float = 100) -> Any:
    """The first true value that `look` gives; fails saying `what` was waited for and what was seen last."""
    end = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.2)


@contextmanager
def running(data: Path, **environment: str) -> Iterator[Stack]:
    """Start everything, wait until it is ready, and stop it as Ctrl-C would."""
    ports = {"PORT": free_port(), "MNG_PORT": free_port(), "BROKERSIM_PORT": free_port()}
    process = start(data, **{name: str(port) for name, port in ports.items()}, **environment)
    log = data / "run.log"
    try:
        wait_until(lambda: _ready(process, ports["PORT"], log), what="everything is ready", seconds=START_SECONDS)
        stack = Stack(process, data, json.loads((data / "demo.json").read_text()))
        # Half a minute after it was opened an account begins to trade, perhaps while somebody looks at it.
        stack.simulator("POST", "/sim/market", {"running": False})
        yield stack
    finally:
        stop(process)


def start(data: Path, **environment: str) -> subprocess.Popen[bytes]:
    """`make run` without make: the command that it runs, with its output in run.log."""
    data.mkdir(parents=True, exist_ok=True)
    inherited = {
        k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FIELD_KEYS"}
    }
    with (data / "run.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "propdesk.local"],
            cwd=ROOT,
            env={**inherited, "PROPDESK_DATA": str(data), **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], with_signal: int = signal.SIGTERM) -> int:
    """Stop it and wait for the end; the exit status."""
    if process.poll() is None:
        process.send_signal(with_signal)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _ready(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, f"it ended early:\n{log.read_text()[-3000:]}"
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=10).status_code == 200
    except requests.RequestException:
        return False
