"""TLS: a handshake that fails proves that nothing was sent; what fails after it proves nothing."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from brokers.client import transport
from brokers.client.errors import NotSentError, OutcomeUnknownError
from tests.brokers.client.raw_server import http, read_request
from tests.brokers.client.test_transport import DONE, deposit

Answer = Callable[[ssl.SSLSocket], None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    begins = datetime.now(UTC) - timedelta(hours=1)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def tls_server(certificate: Path, answer: Answer) -> Iterator[str]:
    """Answers one connection; a handshake that the client breaks off is its own affair."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve() -> None:
        try:
            plain, _ = listener.accept()
            with plain, context.wrap_socket(plain, server_side=True) as peer:
                read_request(peer)
                answer(peer)
        except OSError:
            return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(timeout=5)


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = transport._session()
    monkeypatch.setattr(session, "verify", str(certificate))


def test_a_call_over_tls_is_answered(certificate: Path, trusting: None):
    with tls_server(certificate, lambda peer: peer.sendall(http(DONE))) as base_url:
        assert deposit(base_url) == 100000


def test_a_certificate_that_is_not_trusted_means_that_nothing_was_sent(certificate: Path):
    with (
        tls_server(certificate, lambda peer: peer.sendall(http(DONE))) as base_url,
        pytest.raises(NotSentError, match="No secure connection to the broker could be made: SSLCertVerificationError"),
    ):
        deposit(base_url)


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""], ids=["plain HTTP", "closed"])
def test_a_server_that_speaks_no_tls_was_sent_nothing(greeting: bytes):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(greeting)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(NotSentError):
            deposit(f"https://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(timeout=5)


def test_a_handshake_that_never_ends_was_sent_nothing_either():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NotSentError):
        deposit(f"https://127.0.0.1:{silent.getsockname()[1]}", deadline=0.5)


def spoil(peer: ssl.SSLSocket) -> None:
    """Send bytes that are no TLS record into the encrypted connection."""
    with socket.socket(fileno=peer.detach()) as plain:
        plain.sendall(b"\x00" * 64)


def test_tls_that_breaks_after_the_request_leaves_a_write_in_doubt(certificate: Path, trusting: None):
    with tls_server(certificate, spoil) as base_url, pytest.raises(OutcomeUnknownError):
        deposit(base_url)
