"""`make run`, without the installing: refusals, one whole life, and what is left after each way to end it."""

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from propdesk.local.errors import StartError
from propdesk.local.launch import port_is_free
from propdesk.local.lease import ROOT
from propdesk.local.run import Plan
from propdesk.local.supervisor import Child, stop_all
from tests.propdesk.test_servers import processes_of, wait_for

# A run may take ten seconds to stop its processes, and half a minute for each server.
PATIENCE = 90


def quiet_ports() -> tuple[int, int, int]:
    """Three free ports that stay so: the system gives none below 30,000 to whoever asks it for any port."""
    candidates = random.sample(range(20_000, 30_000), 100)
    first, second, third = itertools.islice(filter(port_is_free, candidates), 3)
    return first, second, third


class Started:
    """A run under way, with everything it prints in a file."""

    def __init__(self, data: Path, output: Path) -> None:
        self.data = data
        self.port, self.gateway_port, self.simulator_port = quiet_ports()
        self._output = output
        environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
        environment |= {
            "PROPDESK_DATA": str(data),
            "PORT": str(self.port),
            "MNG_PORT": str(self.gateway_port),
            "BROKERSIM_PORT": str(self.simulator_port),
            "PROPDESK_DEMO_TRADERS": "3",
        }
        with output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "propdesk.local"], env=environment, cwd=ROOT, stdout=file, stderr=file
            )

    @property
    def printed(self) -> str:
        return self._output.read_text()

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.printed
        return "PropDesk is ready" in self.printed

    def readyz(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=60) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))

    def pid_of(self, words: str) -> int:
        """This run's own child whose command line holds the words; other runs on the machine have the same."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", words], capture_output=True, text=True, check=True
        )
        return int(found.stdout)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Started]]:
    runs: list[Started] = []

    def start_one() -> Started:
        runs.append(Started(tmp_path / "data", tmp_path / f"output-{len(runs)}"))
        return runs[-1]

    yield start_one
    for run in runs:
        run.process.terminate()
        run.process.wait(PATIENCE)
    assert wait_for(lambda: not processes_of(tmp_path)), processes_of(tmp_path)


@pytest.mark.timeout(900)
def test_a_run_starts_twice_mends_itself_and_leaves_nothing_behind(start: Callable[[], Started]) -> None:
    run = start()
    assert wait_for(run.is_ready, 180), run.printed
    # On a busy machine Redis takes more than half a second to answer, now and then; a failed round shows for 90 s.
    assert wait_for(lambda: run.readyz()["status"] == "ready", 180), run.readyz()
    assert run.readyz()["checks"]["gateway"] == "ok"
    assert json.loads((run.data / "demo.json").read_text())["mng_tcp"] == f"127.0.0.1:{run.gateway_port}"
    socket.create_connection(("127.0.0.1", run.gateway_port), timeout=PATIENCE).close()
    assert (run.data / "demo.json").stat().st_mode & 0o777 == 0o600
    for words in ("/admin/", "Sign in", "/api/docs", str(run.data / "demo.json"), f"127.0.0.1:{run.simulator_port}"):
        assert words in run.printed

    os.kill(run.pid_of("manage.py sweep$"), signal.SIGKILL)
    assert wait_for(lambda: "sweeper | ended unexpectedly (signal SIGKILL)" in run.printed)

    second = start()
    assert second.process.wait(PATIENCE) == 1
    assert (
        f"PropDesk already runs on {run.data} (process {run.process.pid}, http://127.0.0.1:{run.port})"
        in second.printed
    )

    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(PATIENCE) == 0
    assert processes_of(run.data) == []

    again = start()
    assert wait_for(again.is_ready, 180), again.printed
    assert "creating the database files" not in again.printed
    again.process.send_signal(signal.SIGKILL)
    again.process.wait(PATIENCE)
    assert wait_for(lambda: not processes_of(run.data)), processes_of(run.data)


@pytest.mark.timeout(300)
def test_a_run_that_is_stopped_while_it_starts_leaves_nothing_behind(start: Callable[[], Started]) -> None:
    run = start()
    assert wait_for(lambda: "bringing the database up to date" in run.printed, 180)
    run.process.terminate()
    assert run.process.wait(PATIENCE) == 0
    assert "PropDesk is ready" not in run.printed
    assert processes_of(run.data) == []


@pytest.mark.parametrize("name", ["PORT", "MNG_PORT", "BROKERSIM_PORT"])
def test_a_taken_port_is_named_with_a_way_out(tmp_path: Path, name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        free = dict(zip(("PORT", "MNG_PORT", "BROKERSIM_PORT"), map(str, quiet_ports()), strict=True))
        done = subprocess.run(
            [sys.executable, "-m", "propdesk.local"],
            env=os.environ | {**free, name: str(port), "PROPDESK_DATA": str(tmp_path)},
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"Port {port} ({name}) is taken by another program." in done.stderr
    assert f"make run {name}={port + 1}" in done.stderr
    assert not (tmp_path / "postgres").exists()


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(StartError, match=r"PORT=.* is not a port number \(1 to 65535\)"):
        Plan.of({"PORT": text})


@pytest.mark.parametrize(
    ("name", "port", "names"),
    [
        ("PORT", "8100", "PORT and BROKERSIM_PORT"),
        ("PORT", "8090", "PORT and MNG_PORT"),
        ("MNG_PORT", "8100", "MNG_PORT and BROKERSIM_PORT"),
    ],
)
def test_one_port_for_two_servers_is_refused(name: str, port: str, names: str) -> None:
    with pytest.raises(StartError, match=f"{names} are both {port}"):
        Plan.of({name: port})


def test_a_broker_of_ones_own_needs_no_simulator() -> None:
    plan = Plan.of({"BROKER_URL": "https://broker.example/cportal"})
    assert plan.simulator_url is None


def test_a_child_is_started_again_when_it_dies_and_only_what_matters_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = "print('12:00 INFO quiet', flush=True); print('12:00 ERROR loud', flush=True); import os; os._exit(3)"
    child = Child("sample", [sys.executable, "-c", script], environment=os.environ, log=tmp_path / "sample.log")
    child.start()

    def has_started_twice() -> bool:
        child.tend()
        return (tmp_path / "sample.log").read_text().count("loud") >= 2

    assert wait_for((tmp_path / "sample.log").exists)
    assert wait_for(has_started_twice)
    stop_all([child])
    shown = capsys.readouterr().out
    assert "sample | ended unexpectedly (exit status 3); starting it again in 2 s" in shown
    assert "sample | 12:00 ERROR loud" in shown
    assert "quiet" not in shown
    assert "quiet" in (tmp_path / "sample.log").read_text()


def test_a_child_that_will_not_stop_is_killed_with_its_own_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("propdesk.local.supervisor.STOP_SECONDS", 0.5)
    script = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"subprocess.Popen(['sleep', '300'], cwd={str(tmp_path)!r}); print('WARNING deaf', flush=True); time.sleep(300)"
    )
    child = Child("deaf", [sys.executable, "-c", script], environment=os.environ, log=tmp_path / "deaf.log")
    child.start()
    assert wait_for(lambda: (tmp_path / "deaf.log").exists() and "deaf" in (tmp_path / "deaf.log").read_text())
    stop_all([child])
    assert wait_for(lambda: not working_in(tmp_path))


def working_in(folder: Path) -> list[str]:
    return [path for path in map(str, Path("/proc").glob("[0-9]*/cwd")) if os.path.realpath(path) == str(folder)]
