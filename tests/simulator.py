"""Pytest plugin: a real broker simulator in its own process, and rows that point at it.

One process serves a whole test session; every test gets it without faults, with the market standing still, so nothing
moves unless the test moves it. Accounts of earlier tests stay: look for your own by number or by e-mail.
"""

import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from brokers.models import AccountGroup, AccountMode, BrokerConnection, TradingAccount

DEMO_UNIT, REAL_UNIT = 49490520, 49490521
KEY = "simulator-key-for-tests"
PASSWORD = "Passw0rd!"
START = (
    "import sys, argparse; from brokers.simulator.options import Options, add_arguments; "
    "from brokers.simulator.server import run; p = argparse.ArgumentParser(); add_arguments(p); "
    "sys.exit(run(Options.of(vars(p.parse_args()))))"
)


@dataclass(frozen=True)
class Simulator:
    """A running simulator: `/sim` is its control surface, `post` speaks to it as a broker's client would."""

    base_url: str
    api_key: str = KEY
    demo_unit: int = DEMO_UNIT
    real_unit: int = REAL_UNIT

    @property
    def units(self) -> dict[int, str]:
        return {DEMO_UNIT: "PROP_DEMO_USD", REAL_UNIT: "PROP_REAL_USD"}

    def accounts(self) -> list[dict[str, Any]]:
        """Every account, as `GET /sim/accounts` shows it."""
        rows: list[dict[str, Any]] = self._call("GET", "/sim/accounts")["accounts"]
        return rows

    def account(self, number: int) -> dict[str, Any]:
        return next(row for row in self.accounts() if row["accountNumber"] == number)

    def accounts_of(self, stem: str) -> list[dict[str, Any]]:
        """The accounts whose e-mail address starts with `stem`."""
        return [row for row in self.accounts() if row["email"].startswith(stem)]

    def set(self, number: int, **figures: Any) -> dict[str, Any]:
        """`balance`, `equity`, `positions`, `frozen`: setting a figure freezes the account."""
        row: dict[str, Any] = self._call("POST", f"/sim/accounts/{number}", figures)
        return row

    def faults(self, *rules: dict[str, Any]) -> None:
        """Replace the faults by such as `{"endpoint": "create", "fault": "drop_after", "times": 1}`, or by none."""
        self._call("POST", "/sim/faults", {"rules": list(rules)})

    def injected(self) -> int:
        """How many faults the present rules have caused."""
        return int(self._call("GET", "/sim/faults")["injected"])

    def land_late_effects(self) -> int:
        """Carry out now what late effects still hold back; how many effects that was."""
        return int(self._call("POST", "/sim/late-effects", {})["landed"])

    def market(self, *, running: bool) -> None:
        self._call("POST", "/sim/market", {"running": running})

    def open_account(
        self, *, unit: int = REAL_UNIT, balance: Decimal | int = 0, enabled: bool = True, email: str = ""
    ) -> int:
        """Open an account behind PropDesk's back, such as a customer's payer account; returns its number."""
        body = {
            "email": email or f"someone-{secrets.token_hex(6)}@example.com", "firstName": "Petra", "lastName": "Payer",
            "unit": unit, "group": f"{unit}:{self.units[unit]}", "enabled": enabled, "currency": "USD",
            "platform ": "ThinkTrader", "country": "CZ", "password": PASSWORD,
        }  # fmt: skip
        number = int(self.post("accounts/create", body)["accountNumber"])
        if balance:
            money = {"accountNumber": number, "unit": unit, "amount": float(balance), "comment": "test"}
            self.post("accounts/deposit", money)
        return number

    def open_many(self, body: dict[str, Any]) -> list[int]:
        """Open accounts in bulk, as `POST /sim/accounts` describes it; returns their numbers."""
        numbers: list[int] = self._call("POST", "/sim/accounts", body)["accountNumbers"]
        return numbers

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """One broker call, such as `post("accounts/account-details", {"accountNumber": 7})`."""
        return self._call("POST", f"/cportal/prop/demo/{path}", body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.api_key}", "Connection": "close"}
        with requests.request(method, self.base_url + path, json=body, headers=headers, timeout=30) as answer:
            assert answer.status_code == 200, answer.text
            return answer.json()


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    data = tmp_path_factory.mktemp("brokersim")
    arguments = ["--port", "0", "--api-key", KEY, "--data", str(data)]
    root = Path(__file__).resolve().parent.parent
    with subprocess.Popen(
        [sys.executable, "-c", START, *arguments], cwd=root, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://[0-9.]+:\d+", line)
            if found is None:
                pytest.fail(f"the broker simulator did not start: {line!r}")
            yield Simulator(base_url=found.group())
        finally:
            process.terminate()
            process.wait(timeout=60)


@pytest.fixture
def simulator(simulator_process: Simulator) -> Iterator[Simulator]:
    """The simulator without faults and with the market standing still."""
    simulator_process.market(running=False)
    simulator_process.faults()
    # What an earlier test has left behind is neither to be counted here nor to land in the middle.
    simulator_process.land_late_effects()
    yield simulator_process
    simulator_process.faults()


@pytest.fixture
def broker_connection(transactional_db: None, simulator: Simulator) -> BrokerConnection:
    """The simulator as a broker. A call may take long beside what it takes, lest a machine that stands still for some
    seconds makes it a lost one; a call counts as absent after 31 s and the quarantine ends after 32 s, which clocks
    jump over. Where a call is to take too long, the test makes the deadline shorter.
    """
    return BrokerConnection.objects.create(
        name="simulator",
        base_url=simulator.base_url,
        api_key=simulator.api_key,
        deadline_seconds=30,
        settle_seconds=1,
        quarantine_seconds=2,
    )


def _group(connection: BrokerConnection, name: str, mode: AccountMode, unit: int) -> AccountGroup:
    return AccountGroup.objects.create(
        name=name, connection=connection, mode=mode, currency="USD", default_deposit=Decimal(100000),
        broker_group=f"{unit}:{name}", unit=unit,
    )  # fmt: skip


@pytest.fixture
def demo_group(broker_connection: BrokerConnection) -> AccountGroup:
    return _group(broker_connection, "PROP_DEMO_USD", AccountMode.DEMO, DEMO_UNIT)


@pytest.fixture
def real_group(broker_connection: BrokerConnection) -> AccountGroup:
    return _group(broker_connection, "PROP_REAL_USD", AccountMode.REAL, REAL_UNIT)


@pytest.fixture
def payer(simulator: Simulator, real_group: AccountGroup) -> TradingAccount:
    """A REAL account with 10,000 USD at the simulator, and its row."""
    number = simulator.open_account(unit=REAL_UNIT, balance=10_000)
    return TradingAccount.objects.create(
        connection=real_group.connection, group=real_group, login=number, is_enabled=True, is_funded=True
    )
