"""`make run`: everything that PropDesk is, on this machine, until Ctrl-C."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import IO

from propdesk.local.console import frame, say, step
from propdesk.local.environment import add_secrets, data_directory, lease_servers
from propdesk.local.errors import StartError
from propdesk.local.keeper import try_lock
from propdesk.local.launch import port_is_free, tethered
from propdesk.local.lease import ROOT, Lease
from propdesk.local.supervisor import Child, stop_all

READY_SECONDS = 120.0
MANAGE = [sys.executable, str(ROOT / "manage.py")]
PORTS = {"PORT": 8000, "MNG_PORT": 8090, "BROKERSIM_PORT": 8100}


class StoppedError(Exception):
    """Somebody asked us to stop while we were still starting."""


@dataclass(frozen=True)
class Plan:
    """Where this run keeps its data and which addresses it takes."""

    data: Path
    port: int
    gateway_port: int
    simulator_port: int | None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Plan":
        """Raises StartError for a port that is not a number between 1 and 65535, or asked for twice."""
        ports = {name: _port(name, environment.get(name) or str(default)) for name, default in PORTS.items()}
        own_broker = bool(environment.get("BROKER_URL"))
        used = [name for name in ports if name != "BROKERSIM_PORT" or not own_broker]
        for first, second in combinations(used, 2):
            if ports[first] == ports[second]:
                raise StartError(f"{first} and {second} are both {ports[first]}; give one of them another number.")
        simulator_port = None if own_broker else ports["BROKERSIM_PORT"]
        return cls(data_directory(), ports["PORT"], ports["MNG_PORT"], simulator_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def simulator_url(self) -> str | None:
        return f"http://127.0.0.1:{self.simulator_port}" if self.simulator_port else None

    def check_ports(self) -> None:
        ports = {"PORT": self.port, "MNG_PORT": self.gateway_port, "BROKERSIM_PORT": self.simulator_port}
        for name, port in ports.items():
            if port and not port_is_free(port):
                raise StartError(
                    f"Port {port} ({name}) is taken by another program.\n"
                    f"Stop that program, or choose another port: make run {name}={port + 1}"
                )


class Run:
    """One run, from the first check to the last process gone."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.stop = threading.Event()
        self.environment = dict(os.environ)
        self.leases: list[Lease] = []
        self.children: list[Child] = []

    def main(self) -> None:
        """Start everything, keep it going until asked to stop, leave nothing behind."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop.set())
        lock = self._lock_data()
        try:
            self.plan.check_ports()
            self._start()
            self._watch()
        except StoppedError:
            pass
        finally:
            self._stop()
            lock.close()

    def _lock_data(self) -> IO[str]:
        """One run per data directory. The lock ends with the process, and names it meanwhile."""
        self.plan.data.mkdir(parents=True, exist_ok=True)
        lock = (self.plan.data / "run.lock").open("a+")
        if not try_lock(lock, fcntl.LOCK_EX):
            lock.seek(0)
            raise StartError(
                f"PropDesk already runs on {self.plan.data} ({lock.read().strip() or 'just starting'}).\n"
                "Stop that one, or run beside it: "
                "make run PROPDESK_DATA=/another/folder PORT=8001 MNG_PORT=8091 BROKERSIM_PORT=8101"
            )
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {self.plan.url}")
        lock.flush()
        return lock

    def _start(self) -> None:
        say(f"PropDesk is starting. Its data is in {self.plan.data}")
        self._prepare_environment()
        with step("starting PostgreSQL and Valkey"):
            self.leases = lease_servers(self.environment, say=lambda text: say(f"           {text}"))
        if self.plan.simulator_port:
            self._add_child("brokersim", [*MANAGE, "brokersim", "--port", str(self.plan.simulator_port)])
        with step("bringing the database up to date"):
            self._run_once("migrate", [*MANAGE, "migrate", "--noinput"])
        if self.plan.simulator_port:
            with step("waiting for the broker simulator"):
                self._wait_simulator(self.plan.simulator_port)
        with step("seeding the demo"):
            self._run_once("seed_demo", [*MANAGE, "seed_demo"])
        with step("starting web, TCP gateway, worker and sweeper"):
            self._add_child("web", _gunicorn(self.plan.port))
            self._add_child("gateway", [*MANAGE, "mngserver", "--host", "127.0.0.1"])
            self._add_child("worker", CELERY, PYTHONWARNINGS="ignore:You're running the worker with superuser")
            self._add_child("sweeper", [*MANAGE, "sweep"])
            self._wait_ready()
        say(self._summary())

    def _prepare_environment(self) -> None:
        add_secrets(self.environment, create=True)
        processes = ["worker", "sweeper", "gateway"]
        if self.plan.simulator_url:
            processes.append("brokersim")
            self.environment["BROKERSIM_URL"] = self.plan.simulator_url
            self.environment["BROKERSIM_PORT"] = str(self.plan.simulator_port)
        self.environment |= {
            "PROPDESK_DATA": str(self.plan.data),
            "PROPDESK_PROCESSES": ",".join(processes),
            "PORT": str(self.plan.port),
            "MNG_PORT": str(self.plan.gateway_port),
            "DJANGO_SETTINGS_MODULE": "propdesk.settings",
            "PYTHONUNBUFFERED": "1",
        }

    def _add_child(self, name: str, command: list[str], **extra: str) -> None:
        self._check_stop()
        log = self.plan.data / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        child = Child(name, command, environment=self.environment | extra, log=log)
        self.children.append(child)
        child.start()

    def _run_once(self, name: str, command: list[str]) -> None:
        """A command that must succeed before the next step; its output is shown only if it fails."""
        log = self.plan.data / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as output:
            process = subprocess.Popen(
                tethered(command), stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT,
                env=self.environment, start_new_session=True,
            )  # fmt: skip
            while process.poll() is None:
                if self.stop.wait(0.05):
                    process.terminate()
                    process.wait()
                self._tend()
        self._check_stop()
        if process.returncode != 0:
            raise StartError(f"{name} failed. The end of {log}:\n{log.read_text(errors='replace')[-3000:]}")

    def _wait_simulator(self, port: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while port_is_free(port):
            if time.monotonic() > deadline:
                raise StartError(
                    f"The broker simulator does not start; see {self.plan.data / 'logs' / 'brokersim.log'}."
                )
            self.stop.wait(0.1)
            self._check_stop()
            self._tend()

    def _wait_ready(self) -> None:
        begun = told = time.monotonic()
        while missing := self._missing():
            now = time.monotonic()
            if now - begun > READY_SECONDS:
                raise StartError(f"Not ready after {READY_SECONDS:.0f} s: {missing}. See {self.plan.data / 'logs'}.")
            if now - told > 5:
                say(f"           waiting for: {missing}")
                told = now
            self.stop.wait(0.2)
            self._check_stop()
            self._tend()

    def _missing(self) -> str:
        """What /readyz still waits for; nothing when it answers 200."""
        try:
            with urllib.request.urlopen(f"{self.plan.url}/readyz", timeout=5):  # noqa: S310  (our own http address)
                return ""
        except urllib.error.HTTPError as error:
            checks = json.loads(error.read())["checks"] if error.code == 503 else {"web": f"status {error.code}"}
            return ", ".join(f"{name} ({answer})" for name, answer in checks.items() if answer != "ok")
        except OSError:
            return "web"

    def _watch(self) -> None:
        while not self.stop.wait(0.5):
            self._tend()

    def _tend(self) -> None:
        for lease in self.leases:
            url = lease.url
            lease.keep()
            if lease.url != url:
                raise StartError(f"The bundled {lease.name} came back at another address. Start PropDesk again.")
        for child in self.children:
            child.tend()

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise StoppedError

    def _stop(self) -> None:
        if self.children or self.leases:
            say("PropDesk is stopping ...")
        stop_all(self.children)
        for lease in self.leases:
            lease.leave()
        if self.children or self.leases:
            say("Stopped. The data stays where it is.")

    def _summary(self) -> str:
        demo = self.plan.data / "demo.json"
        admin = json.loads(demo.read_text())["admin"] if demo.exists() else {}
        rows = [("PropDesk is ready", ""), ("Admin", f"{self.plan.url}/admin/")]
        if admin:
            rows.append(("Sign in", f"{admin['username']} / {admin['password']}"))
        rows += [("API docs", f"{self.plan.url}/api/docs"), ("Health", f"{self.plan.url}/readyz")]
        rows.append(("Mng commands over TCP", f"127.0.0.1:{self.plan.gateway_port}"))
        if self.plan.simulator_url:
            rows.append(("Broker simulator", self.plan.simulator_url))
        rows += [("Tokens and more", str(demo)), ("Logs", str(self.plan.data / "logs")), ("Stop", "Ctrl-C")]
        return "\n" + frame(rows) + "\n"


CELERY = [
    *[sys.executable, "-m", "celery", "--quiet", "-A", "propdesk.celery", "worker"],
    *["--concurrency", "2", "--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"],
]


def _gunicorn(port: int) -> list[str]:
    command = [sys.executable, "-m", "gunicorn", "propdesk.wsgi", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    return [*command, "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--graceful-timeout", "3"]


def _port(name: str, text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise StartError(f"{name}={text} is not a port number (1 to 65535).")
    return int(text)
