"""A simulator in a process of its own, as its callers know it: by HTTP and by signals."""

import json
import re
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from brokers.simulator.options import Options, add_arguments

ROOT = Path(__file__).parents[3]
KEY = "a-key-for-tests"
DEMO, REAL = 49490520, 49490521
GROUPS = {DEMO: "49490520:PROP_DEMO_USD", REAL: "49490521:PROP_REAL_USD"}

Json = Any

# Longer than any machine stops for.
PATIENCE = 60.0


class Simulator:
    """Start one with `data` as its directory. Requests carry the right key."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        command = [
            sys.executable,
            "-m",
            "brokers.simulator",
            "--data",
            str(data),
            "--api-key",
            KEY,
            "--port",
            "0",
            *options,
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.greeting = self.process.stdout.readline()
        listening = re.search(r"http://127\.0\.0\.1:(\d+)", self.greeting)
        assert listening, f"no greeting: {self.greeting!r}"
        self.port = int(listening[1])
        self.url = listening[0]
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {KEY}"

    def post(self, path: str, body: object = None, *, seconds: float = PATIENCE) -> requests.Response:
        """POST to a path under /cportal/prop/demo."""
        return self.session.post(f"{self.url}/cportal/prop/demo/{path}", data=json.dumps(body or {}), timeout=seconds)

    def ok(self, path: str, **body: Json) -> Json:
        response = self.post(path, body)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, path: str, **body: Json) -> str:
        """The message of a 400."""
        response = self.post(path, body)
        answer = response.json()
        assert (response.status_code, answer["status"]) == (400, "error"), response.text
        return str(answer["message"])

    def control(self, path: str, body: object = None, *, status: int = 200) -> Json:
        """GET a path under /sim, or POST when there is a body."""
        url = f"{self.url}/sim/{path}"
        method = "GET" if body is None else "POST"
        response = self.session.request(method, url, data=None if body is None else json.dumps(body), timeout=PATIENCE)
        assert response.status_code == status, response.text
        return response.json()

    def open_account(self, *, unit: int = DEMO, enabled: bool = True, funds: float = 100000) -> int:
        """A new account holding `funds`."""
        number = self.ok("accounts/create", **application(unit=unit, group=GROUPS[unit], enabled=enabled))[
            "accountNumber"
        ]
        if funds:
            self.ok("accounts/deposit", accountNumber=number, unit=unit, amount=funds, comment="initial")
        return int(number)

    def faults(self, *rules: Json) -> None:
        """Put these rules in force, and no others."""
        self.control("faults", {"rules": list(rules)})

    def oracle(self) -> Json:
        return self.control("oracle")

    def calls(self, number: int) -> list[Json]:
        """What the oracle tells of the calls that name or made one account, but for its creation."""
        return [call for call in self.oracle()["calls"] if number in call["accounts"]]

    def seconds_until_applied(self, number: int) -> float:
        """How long after its arrival the only call that names this account had its effect, by the simulator's clock."""
        (call,) = self.calls(number)
        received, applied = (datetime.fromisoformat(call[name]) for name in ("receivedAt", "appliedAt"))
        return (applied - received).total_seconds()

    def state(self, number: int) -> Json:
        """The control surface's row of one account."""
        return next(row for row in self.control("accounts")["accounts"] if row["accountNumber"] == number)

    def stats(self, number: int, unit: int = DEMO) -> Json:
        return self.ok("accounts/account-stats", accountNumber=number, unit=unit)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """End the process; its exit code and what it wrote to stderr."""
        self.session.close()
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


def options(*arguments: str) -> Options:
    """The options that a command line gives."""
    parser = ArgumentParser()
    add_arguments(parser)
    return Options.of(vars(parser.parse_args(arguments)))


def application(**changes: Json) -> dict[str, Json]:
    """The vendor's sample of a create request, trailing space included."""
    sample = {
        "email": "trader@example.test",
        "firstName": "Ada",
        "lastName": "Trader",
        "group": GROUPS[DEMO],
        "unit": DEMO,
        "enabled": True,
        "currency": "USD",
        "platform ": "ThinkTrader",
        "country": "ER",
        "password": "Password1!",
    }
    return {**sample, **changes}


def wait_until(happened: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Ask again and again until it happened."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
