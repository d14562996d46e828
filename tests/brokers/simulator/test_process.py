"""The process: state outlives SIGKILL, shutdown is clean, a taken port or directory is one clear line."""

import json
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from brokers.management.commands.brokersim import Command
from brokers.simulator.options import Options
from brokers.simulator.server import run
from tests.brokers.simulator.process import DEMO, KEY, PATIENCE, REAL, ROOT, Simulator, options, wait_until


def refused_start(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The only line on stderr of a simulator that will not start."""
    assert run(options(*arguments)) == 1
    written = capsys.readouterr()
    assert written.out == ""
    (line,) = written.err.splitlines()
    return line


def test_everything_answered_survives_sigkill(tmp_path: Path) -> None:
    first = Simulator(tmp_path)
    first.control("market", {"running": False})
    trader = first.open_account(funds=100000.01)
    payer = first.open_account(unit=REAL, enabled=False, funds=10000)
    first.ok("accounts/withdraw", accountNumber=payer, unit=REAL, amount=499, comment="price")
    first.control(f"accounts/{trader}", {"equity": 94000})
    first.control("faults", {"rules": [{"endpoint": "create", "fault": "error_after", "times": 1}]})
    before = [first.control(path) for path in ("accounts", "faults", "market")]
    first.stop(signal.SIGKILL)

    second = Simulator(tmp_path)
    try:
        assert [second.control(path) for path in ("accounts", "faults", "market")] == before
        second.control("faults", {"rules": []})
        assert second.open_account() == payer + 1
    finally:
        second.stop()


def test_who_trades_in_the_real_unit_is_remembered(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path)
    funded, payer = simulator.open_account(unit=REAL), simulator.open_account(unit=REAL)
    simulator.control(f"accounts/{funded}", {"trades": True})
    simulator.stop(signal.SIGKILL)
    again = Simulator(tmp_path)
    assert (again.state(funded)["trades"], again.state(payer)["trades"]) == (True, False)
    again.stop()


def test_sigkill_in_a_busy_market_loses_no_cent(tmp_path: Path) -> None:
    first = Simulator(tmp_path, "--tick-seconds", "0.002")
    numbers = [first.open_account() for _ in range(20)]
    wait_until(lambda: first.control("market")["ticks"] > 300)
    for number in numbers[:5]:
        first.ok("accounts/close-all-positions", accountNumber=number, unit=DEMO)
    first.stop(signal.SIGKILL)

    second = Simulator(tmp_path, "--tick-seconds", "1000")
    try:
        period = {"from": "2024-01-01T00:00:00", "to": "2099-01-01T00:00:00"}
        trades = json.loads(second.ok("accounts/closed-positions", unit=DEMO, **period)["message"])[0]
        assert trades
        for row in second.control("accounts")["accounts"]:
            earned = sum(trade["profitLoss"] for trade in trades if trade["accountId"] == row["accountNumber"])
            assert row["balance"] == pytest.approx(100000 + earned, abs=0.001)
    finally:
        second.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_even_with_callers_waiting(tmp_path: Path, number: signal.Signals) -> None:
    simulator = Simulator(tmp_path)
    simulator.control("faults", {"rules": [{"endpoint": "get-all", "fault": "delay_after", "seconds": 600}]})
    url = f"{simulator.url}/cportal/prop/demo/units/get-all"
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(requests.post, url, headers={"ApiKey": KEY}, timeout=600)
        wait_until(lambda: simulator.control("faults")["injected"] == 1)
        started = time.monotonic()
        assert simulator.stop(number) == (0, "")
        assert time.monotonic() - started < 60
        assert isinstance(waiting.exception(timeout=PATIENCE), requests.ConnectionError)


def test_a_taken_port_is_one_clear_line(
    tmp_path: Path, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused_start(capsys, "--port", str(simulator.port), "--data", str(tmp_path))
    assert line == f"Broker simulator cannot listen on 127.0.0.1:{simulator.port}: the port is already in use."


def test_a_data_directory_serves_one_simulator(simulator: Simulator, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused_start(capsys, "--port", "0", "--data", str(simulator.data))
    assert line == f"Broker simulator cannot use {simulator.data / 'state.sqlite3'}: another simulator uses it."


def test_a_file_that_is_no_database_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state.sqlite3").write_text("something else entirely, and long enough to be looked at" * 20)
    assert "file is not a database" in refused_start(capsys, "--port", "0", "--data", str(tmp_path))


def test_without_a_key_it_makes_one_for_its_owner_only(tmp_path: Path) -> None:
    simulator = Simulator(tmp_path, "--api-key", "")
    try:
        path = tmp_path / "api_key"
        key = path.read_text()
        assert len(key) >= 32
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert key not in simulator.greeting
        simulator.session.headers["Authorization"] = key
        assert simulator.ok("units/get-all")
    finally:
        simulator.stop()


def test_it_loads_neither_django_nor_the_rest_of_brokers() -> None:
    script = (
        "import sys, brokers.simulator.server; "
        "print([name for name in sys.modules if name.startswith('django') or "
        "(name.startswith('brokers.') and not name.startswith('brokers.simulator'))])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert ended.stdout == "[]\n"


def test_the_management_command_takes_the_same_options() -> None:
    parser = Command().create_parser("manage.py", "brokersim")
    arguments = ["--port", "7", "--volatility", "2", "--fault-rate", "0.3", "--fault-seed", "5"]
    assert Options.of(vars(parser.parse_args(arguments))) == options(*arguments)
    assert Options.of(vars(parser.parse_args([]))) == options()
