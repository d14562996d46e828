"""A real `manage.py mngserver` on the test's database, and a client that speaks to it in bytes."""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 30.0


@dataclass
class Gateway:
    process: subprocess.Popen[str]
    port: int

    def connect(self, tls: ssl.SSLContext | None = None) -> "Client":
        return Client(self.port, tls)


class Client:
    """One connection. Answers are kept as they come, to be asked for by their extID."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *requests: dict[str, Any] | bytes) -> None:
        """Each as one frame, all of them at once; bytes are sent as they are, with an end."""
        frames = [request if isinstance(request, bytes) else json.dumps(request).encode() for request in requests]
        self.socket.sendall(b"".join(frame + b"\r\n" for frame in frames))

    def receive(self) -> dict[str, Any]:
        """The next answer. Raises EOFError when there is none any more."""
        while b"\r\n" not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self._buffer)
            self._buffer += data
        frame, self._buffer = self._buffer.split(b"\r\n", 1)
        return dict(json.loads(frame))

    def ask(self, request: dict[str, Any] | bytes) -> dict[str, Any]:
        self.send(request)
        return self.receive()

    def is_at_end(self) -> bool:
        """Whether the gateway closes the connection without another word."""
        try:
            return self.receive() is None
        except EOFError as error:
            return error.args == (b"",)
        except ConnectionResetError:
            return True


@contextmanager
def running_gateway(*arguments: str, **variables: str) -> Iterator[Gateway]:
    """`manage.py mngserver` on a free port, with the rows the test has committed; without a rate limit."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environment = {**os.environ, "DATABASE_URL": database, "FIELD_KEYS": ",".join(settings.FIELD_KEYS)}
    environment |= {"RATE_LIMIT_PER_SECOND": "0", **variables}
    command = [sys.executable, str(ROOT / "manage.py"), "mngserver", "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            found = re.search(r"127\.0\.0\.1:(\d+)$", line.strip())
            assert found, f"the gateway did not start: {line!r}"
            yield Gateway(process, int(found.group(1)))
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
