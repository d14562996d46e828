import ssl
from dataclasses import dataclass

from propdesk.lib.mng.parsers import MAX_BODY


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """Where the gateway listens and what it allows. Raises ValueError for what cannot be."""

    host: str
    port: int
    # Bytes of a frame without its end.
    max_frame: int
    # A connection without a whole frame for so long, and without a command under way, is closed.
    idle_seconds: float
    max_connections: int
    # Commands of one connection that are not answered yet; at the limit we stop reading from it.
    max_in_flight: int
    # Commands that run at once, for all connections together.
    threads: int
    # How long commands under way may take to end once we are asked to stop.
    stop_seconds: float
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"{self.port} is not a port number.")
        if not 1 <= self.max_frame <= MAX_BODY:
            raise ValueError(f"A frame may have 1 to {MAX_BODY} bytes, not {self.max_frame}.")
        for name in ("idle_seconds", "max_connections", "max_in_flight", "threads", "stop_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name.replace('_', ' ')} must be above zero.")


def tls_context(certificate: str, key: str) -> ssl.SSLContext | None:
    """For the PEM files of these names, None without any; the key may be in the certificate's file.

    Raises ValueError for a key alone, OSError (ssl.SSLError is one) for files that cannot be read or do not match.
    """
    if not certificate:
        if key:
            raise ValueError("A TLS key is of no use without its certificate.")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key or None)
    return context
