"""The only module that speaks HTTP to brokers, and the only one that imports `requests`.

One call is one request: no redirects, no retries, no proxies from the environment, no cookies. `deadline` bounds the
whole exchange by the wall clock, against a server that drips its headers or its body as well; only name resolution is
left to the system's resolver, and nothing is sent after one that took too long. The reply is capped while it is read.
"""

import http.client
import io
import socket
import threading
import time
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db import connection
from requests.adapters import HTTPAdapter
from urllib3 import Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util.ssl_match_hostname import CertificateError

from brokers.client.errors import NotSentError
from brokers.client.guards import Guard

CHUNK = 64 * 1024
CONNECT_SECONDS = 5.0
LOOPBACK = {"127.0.0.1", "localhost"}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a reply may cost at most: bytes, and time in deadlines of the connection."""

    size: int
    deadlines: int = 1


SMALL = Allowance(1024 * 1024)
LARGE = Allowance(64 * 1024 * 1024)
# 100,000 accounts with their details are about 25 MB, which take the broker a while to write and us to fetch.
WHOLE_UNIT = Allowance(LARGE.size, deadlines=2)


class BrokenReplyError(Exception):
    """The request was sent, or may have been; no whole reply came back in time and within the cap."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes


class _Reader(io.RawIOBase):
    """Reads from a socket, giving each read only what is left of the time."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        # urllib3 has just set the socket's timeout to what is left of the total for reading.
        self._ends = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("The reply did not end in time.")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw: Any = self.fp.detach()
        self.fp = io.BufferedReader(_Reader(raw, sock))


class _NoTlsError(NewConnectionError):
    """The handshake failed. The request follows it, so nothing was sent."""


class _TooLateError(NewConnectionError):
    """The connection took too long to be made. The request would follow it, so nothing was sent."""


class _PlainConnection(HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        # A lookup, and each address that it gives, may take its own time: sent after that, a call could arrive when it
        # has long been taken for lost and been made again.
        begun = time.monotonic()
        super().connect()
        if time.monotonic() - begun > (self.timeout or 0):
            self.close()
            raise _TooLateError(self, "It took too long.")


class _SecureConnection(_PlainConnection, HTTPSConnection):
    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, CertificateError) as exc:
            self.close()
            raise _NoTlsError(self, type(exc).__name__) from exc


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


_threads = threading.local()


def _session() -> requests.Session:
    """This thread's session: `requests` does not promise that one may be shared."""
    session: requests.Session | None = getattr(_threads, "session", None)
    if session is None:
        session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Adapter(max_retries=0))
        _threads.session = session
    return session


def check_address(base_url: str) -> None:
    """Raise `NotSentError` unless the host is on `BROKER_HOSTS` and the scheme is HTTPS (HTTP on loopback only)."""
    try:
        parts = urlsplit(base_url)
        host = parts.hostname or ""
    except ValueError:
        raise NotSentError("The broker's address is not a valid URL.") from None
    if host not in settings.BROKER_HOSTS:
        raise NotSentError(f"The host {host!r} is not on the list of broker hosts.")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        raise NotSentError("A broker is spoken to over HTTPS.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise NotSentError("The broker's address is scheme and host, nothing else.")


def _refuse_inside_transaction() -> None:
    """A call inside a transaction would hold its locks for the call's time, and a rollback would forget the call."""
    blocks: list[Any] = connection.atomic_blocks
    if blocks and not getattr(blocks[-1], "_from_testcase", False):
        raise RuntimeError("A broker is never called inside a database transaction.")


@dataclass(frozen=True, slots=True)
class Transport:
    """Sends JSON to one broker."""

    base_url: str
    key_header: str
    key: str = field(repr=False)
    deadline: float
    guard: Guard | None = field(default=None, repr=False)

    def send(self, method: str, path: str, body: Any = None, *, allowance: Allowance = SMALL) -> Reply:
        """One exchange, within the time and the size of reply that it is allowed.

        Raises `NotSentError` or `ThrottledError` when nothing was sent, `BrokenReplyError` when it is not known what
        the broker did.
        """
        check_address(self.base_url)
        _refuse_inside_transaction()
        seconds = self.deadline * allowance.deadlines
        seconds = self.guard.enter(deadline=seconds) if self.guard else seconds
        total = Timeout(total=seconds, connect=min(CONNECT_SECONDS, seconds))
        headers = {self.key_header: self.key, "Accept": "application/json", "Accept-Encoding": "identity"}
        response = None
        try:
            response = _session().request(
                method, self.base_url.rstrip("/") + path, json=body, headers=headers, timeout=total,  # type: ignore[arg-type]
                allow_redirects=False, stream=True,
            )  # fmt: skip
            with response:
                self._note(response.status_code)
                return Reply(response.status_code, _read(response, allowance.size))
        except (requests.RequestException, HTTPError, OSError, http.client.HTTPException, ValueError) as exc:
            error = _classified(exc)
            if response is None and self.guard is not None:
                self.guard.unanswered(str(error))
            # `from None`: the original exception carries the request, and the request carries the key.
            raise error from None

    def _note(self, status: int) -> None:
        """Tell the guard whether the broker is there. One whose body breaks off is."""
        if self.guard is None:
            return
        if status >= 500:
            self.guard.unanswered(f"It answered {status}.")
        else:
            self.guard.answered()


def _read(response: requests.Response, most: int) -> bytes:
    chunks, size = [], 0
    while chunk := response.raw.read(CHUNK, decode_content=False):
        size += len(chunk)
        if size > most:
            raise BrokenReplyError(f"The reply is longer than {most} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _classified(exc: Exception) -> Exception:
    """Only a connection that was never made proves that nothing was sent."""
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    if isinstance(reason, _NoTlsError):
        return NotSentError(f"No secure connection to the broker could be made: {type(reason.__cause__).__name__}.")
    if isinstance(exc, requests.ConnectTimeout) or isinstance(reason, NewConnectionError):
        return NotSentError("The broker cannot be reached.")
    return BrokenReplyError(f"The call broke off: {type(exc).__name__}.")
