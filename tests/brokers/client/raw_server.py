"""A server on loopback that answers with the very bytes it is told, for replies that no HTTP library would send."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class RawServer:
    port: int
    requests: list[bytes] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def http(body: str | bytes, *, status: str = "200 OK", headers: str = "", length: int | None = None) -> bytes:
    """A whole reply; `length` lies about the body's."""
    content = body.encode() if isinstance(body, str) else body
    size = len(content) if length is None else length
    # The server closes after each answer: said, so that no client tries to go on over a connection that ends.
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n{headers}\r\n".encode() + content


def dripping(data: bytes, *, seconds: float = 0.1) -> Iterator[bytes]:
    for byte in data:
        time.sleep(seconds)
        yield bytes([byte])


@contextmanager
def raw_server(*answers: Iterable[bytes]) -> Iterator[RawServer]:
    """One answer per connection, in order, then the connection is closed; each answer is a series of pieces."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        server = RawServer(port=listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, answers, server), daemon=True)
        thread.start()
        yield server
        listener.close()
        thread.join(timeout=5)


def _serve(listener: socket.socket, answers: Iterable[Iterable[bytes]], server: RawServer) -> None:
    for answer in answers:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            try:
                server.requests.append(read_request(peer))
                for piece in answer:
                    peer.sendall(piece)
            except OSError:
                continue


def read_request(peer: socket.socket) -> bytes:
    """All of it: who closes on what is unread cuts off its own answer, too."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(peer)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    size = next((int(line.split(":")[1]) for line in lines if line.startswith("content-length:")), 0)
    while len(body) < size:
        body += _received(peer)
    return head + b"\r\n\r\n" + body


def _received(peer: socket.socket) -> bytes:
    """Raises ConnectionError at the end: a caller who gave up would be waited for without a pause, for ever."""
    data = peer.recv(65536)
    if not data:
        raise ConnectionError("The caller left before the end of its request.")
    return data
