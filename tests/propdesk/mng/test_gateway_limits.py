"""What the gateway does not put up with, how it stops, and TLS."""

import datetime
import re
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from django.db import transaction

from programs.models import Program
from propdesk.lib.mng.parsers import MAX_BODY
from tests.propdesk.mng.gateway import PATIENCE, Gateway, running_gateway
from tests.propdesk.mng.test_gateway import create, request, table, wait_for, waiting_for_locks

pytestmark = pytest.mark.usefixtures("groups")

# Long enough that no machine stops for as long between two words of ours.
IDLE_SECONDS = 4.0


@pytest.fixture(scope="module")
def impatient(django_db_setup: None) -> Iterator[Gateway]:
    with running_gateway("--idle-seconds", str(IDLE_SECONDS)) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def tight(django_db_setup: None) -> Iterator[Gateway]:
    """Another one, so that however slow this machine is, nobody is closed for idleness here."""
    limits = {"--max-connections": 2, "--max-in-flight": 2, "--max-frame": 500}
    with running_gateway(*(str(part) for option in limits.items() for part in option)) as gateway:
        yield gateway


# --- Limits ---------------------------------------------------------------------------------------------------------


def test_a_silent_connection_is_closed(impatient: Gateway, secret: str):
    with impatient.connect() as client:
        begun = time.monotonic()
        assert client.ask(table(secret))["status"] == 200
        assert client.is_at_end()
        assert time.monotonic() - begun > 0.9 * IDLE_SECONDS


def test_a_connection_that_never_says_a_word_is_closed(impatient: Gateway):
    with impatient.connect() as client:
        assert client.is_at_end()


def test_a_frame_that_drips_in_for_too_long_is_no_sign_of_life(impatient: Gateway):
    def drip() -> None:
        give_up = time.monotonic() + IDLE_SECONDS + 60
        while time.monotonic() < give_up:
            client.socket.sendall(b" ")
            time.sleep(0.1)

    with impatient.connect() as client, pytest.raises(OSError):
        drip()


def test_a_connection_that_waits_for_its_answer_is_not_idle(impatient: Gateway, secret: str):
    with impatient.connect() as client:
        number = create(client, secret)["program"]["id"]
        with transaction.atomic():
            Program.objects.select_for_update().get()
            client.send(request("MngUpdatePropProgram", {"id": number, "name": "New"}, secret))
            assert wait_for(waiting_for_locks) == 1
            time.sleep(2 * IDLE_SECONDS)
        assert client.receive()["data"]["program"]["name"] == "New"


def test_a_connection_too_many_is_told_so_and_closed(tight: Gateway, secret: str):
    with tight.connect() as first, tight.connect() as second:
        assert (first.ask(table(secret))["status"], second.ask(table(secret))["status"]) == (200, 200)
        with tight.connect() as third:
            third.send(table(secret))
            refused = third.receive()
            assert (refused["extID"], refused["status"], refused["error"]) == ("", 429, "TOO_MANY_REQUESTS")
            assert third.is_at_end()
        assert first.ask(table(secret))["status"] == 200
    # The places of those who left are free again.
    assert wait_for(lambda: _is_served(tight, secret))


def _is_served(gateway: Gateway, secret: str) -> bool:
    with gateway.connect() as client:
        return bool(client.ask(table(secret))["status"] == 200)


def test_beyond_its_share_in_flight_a_connection_is_not_read_from(tight: Gateway, secret: str):
    with tight.connect() as client:
        number = create(client, secret)["program"]["id"]
        with transaction.atomic():
            Program.objects.select_for_update().get()
            for index in range(4):
                client.send(request("MngUpdatePropProgram", {"id": number, "sort_index": index}, secret, str(index)))
            assert wait_for(lambda: waiting_for_locks() == 2)
            client.send(table(secret, "quick"))
            client.socket.settimeout(0.4)
            with pytest.raises(TimeoutError):
                client.receive()
            assert waiting_for_locks() == 2
        client.socket.settimeout(PATIENCE)
        assert {client.receive()["extID"] for _ in range(5)} == {"0", "1", "2", "3", "quick"}


def test_the_frame_limit_is_the_one_that_was_set(tight: Gateway):
    with tight.connect() as client:
        answer = client.ask(b'{"extID": "long", ' + b" " * 500)
        assert (answer["extID"], answer["status"], answer["error"]) == ("long", 413, "TOO_LARGE")
        assert answer["message"] == "The frame is larger than 500 bytes."


# --- Stopping -------------------------------------------------------------------------------------------------------


def test_asked_to_stop_it_answers_what_is_under_way_and_begins_nothing(secret: str):
    with running_gateway("--max-in-flight", "1", "--stop-seconds", "100") as gateway, gateway.connect() as client:
        idle = gateway.connect()
        number = create(client, secret)["program"]["id"]
        with transaction.atomic():
            Program.objects.select_for_update().get()
            for name in ("Begun", "Waiting"):
                client.send(request("MngUpdatePropProgram", {"id": number, "name": name}, secret, name))
            assert wait_for(waiting_for_locks) == 1
            gateway.process.send_signal(signal.SIGTERM)
            assert idle.is_at_end()
            with pytest.raises(ConnectionRefusedError):
                gateway.connect()
            assert gateway.process.poll() is None
        answer = client.receive()
        assert (answer["extID"], answer["status"]) == ("Begun", 200)
        assert client.is_at_end()
        assert gateway.process.wait(60) == 0
        idle.socket.close()
    assert Program.objects.get().name == "Begun"


def test_a_command_that_does_not_end_in_time_is_cut_off_and_undone(secret: str):
    with running_gateway("--stop-seconds", "0.5") as gateway, gateway.connect() as client:
        number = create(client, secret, name="Old")["program"]["id"]
        with transaction.atomic():
            Program.objects.select_for_update().get()
            client.send(request("MngUpdatePropProgram", {"id": number, "name": "New"}, secret))
            assert wait_for(waiting_for_locks) == 1
            gateway.process.send_signal(signal.SIGINT)
            assert client.is_at_end()
            assert gateway.process.wait(60) == 1
    assert wait_for(lambda: not waiting_for_locks())
    assert Program.objects.get().name == "Old"


def test_without_a_connection_it_stops_at_once(db: None):
    with running_gateway("--stop-seconds", "600") as gateway:
        gateway.process.send_signal(signal.SIGTERM)
        assert gateway.process.wait(60) == 0


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for localhost, its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    return path


@pytest.fixture(scope="module")
def encrypted(django_db_setup: None, certificate: Path) -> Iterator[Gateway]:
    limits = {"RATE_LIMIT_PER_SECOND": "0.1", "RATE_LIMIT_BURST": "60"}
    with running_gateway("--tls-certificate", str(certificate), **limits) as gateway:
        yield gateway


def test_over_tls_commands_are_answered(encrypted: Gateway, certificate: Path, secret: str):
    trusting = ssl.create_default_context(cafile=certificate)
    with encrypted.connect(trusting) as client:
        client.send(*(table(secret, str(number)) for number in range(50)), b"x" * (MAX_BODY + 1))
        answers = [client.receive() for _ in range(51)]
    assert sorted(answer["status"] for answer in answers) == [200] * 50 + [413]


def test_a_token_that_asks_too_often_is_told_so(encrypted: Gateway, certificate: Path, secret: str):
    with encrypted.connect(ssl.create_default_context(cafile=certificate)) as client:
        client.send(*(table(secret, str(number)) for number in range(80)))
        answers = [client.receive() for _ in range(80)]
    refused = [answer for answer in answers if answer["status"] != 200]
    assert {answer["error"] for answer in refused} == {"TOO_MANY_REQUESTS"}
    # One more every ten seconds, should this take so long.
    assert 16 <= len(refused) <= 20
    assert len({answer["extID"] for answer in answers}) == 80


def test_over_tls_a_client_that_does_not_trust_us_leaves_and_others_are_served(
    encrypted: Gateway, certificate: Path, secret: str
):
    with pytest.raises(ssl.SSLCertVerificationError):
        encrypted.connect(ssl.create_default_context())
    with encrypted.connect(ssl.create_default_context(cafile=certificate)) as client:
        assert client.ask(table(secret))["status"] == 200


def test_over_tls_plain_text_gets_no_answer(encrypted: Gateway, secret: str):
    with encrypted.connect() as client:
        client.send(table(secret))
        with pytest.raises((EOFError, ConnectionResetError)):
            client.receive()


# --- Options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "65536"], "65536 is not a port number."),
        (["--max-frame", "0"], f"A frame may have 1 to {MAX_BODY} bytes, not 0."),
        (["--max-frame", str(MAX_BODY + 1)], f"A frame may have 1 to {MAX_BODY} bytes, not {MAX_BODY + 1}."),
        (["--idle-seconds", "0"], "idle seconds must be above zero."),
        (["--threads", "-1"], "threads must be above zero."),
        (["--tls-key", "key.pem"], "A TLS key is of no use without its certificate."),
        (["--tls-certificate", "/nowhere/cert.pem"], "No such file or directory"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_its_reason(arguments: list[str], message: str):
    with pytest.raises(CommandError, match=re.escape(message)):
        call_command("mngserver", "--port", "0", *arguments)


def test_a_taken_port_is_named(tight: Gateway):
    with pytest.raises(CommandError, match=f"Cannot listen on 127.0.0.1:{tight.port}"):
        call_command("mngserver", "--port", str(tight.port))
