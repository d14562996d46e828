"""The real web server: one gunicorn worker, so that its memory can be told, with the threads of `make run`."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from propdesk.local.launch import free_port

MIB = 1024


class Web:
    """One kept connection to the server, and the figures of its worker process."""

    def __init__(self, port: int, worker: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._worker = Path(f"/proc/{worker}")

    def table(self, **data: Any) -> bytes:
        """The answer to MngGetPropProgramsByFilter, read to its last byte."""
        document = {"command": "MngGetPropProgramsByFilter", "extID": "1", "data": data}
        return self._read("POST", "/api/v1/mng", json.dumps(document).encode())

    def peer(self, *, limit: int) -> bytes:
        return self._read("GET", f"/bench/model-serializer?limit={limit}")

    def memory(self) -> float:
        """What the worker holds now, in MiB."""
        return self._status("VmRSS")

    def peak_memory(self) -> float:
        """The most it held since `forget_peak`, in MiB."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        (self._worker / "clear_refs").write_text("5")

    def _read(self, method: str, path: str, body: bytes | None = None) -> bytes:
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{method} {path}: {response.status} {content[:300]!r}")
        return content

    def _status(self, name: str) -> float:
        lines = (self._worker / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(name)).split()[1]) / MIB


@contextmanager
def serving(token: str) -> Iterator[Web]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "propdesk.wsgi", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    options = [
        "--worker-class",
        "gthread",
        "--workers",
        "1",
        "--threads",
        "8",
        "--log-level",
        "warning",
        "--keep-alive",
        "600",
    ]
    server = subprocess.Popen([*command, *options])
    try:
        _wait(port, server)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        yield Web(port, int(children[0]), token)
    finally:
        server.terminate()
        server.wait(10)


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the web server does not start")
