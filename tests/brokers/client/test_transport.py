"""What a bad server or network may do to a call: it ends in time, and says whether it may have had an effect."""

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from brokers.client.base import NewAccount
from brokers.client.errors import (
    BrokerError,
    KeyRefusedError,
    NoDataError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    ThrottledError,
)
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.client.transport import BrokenReplyError, Transport
from tests.brokers.client.raw_server import dripping, http, raw_server

KEY = "canary-key-7f3a"
DONE = '{"status": "success", "accountBalance": 100000.0}'
ARRAY = "[]"


# Longer than any machine stops for; who waits for it in a test gives another one.
PATIENT = 20.0


def client(base_url: str, *, deadline: float = PATIENT) -> ThinkMarkets:
    return ThinkMarkets(Transport(base_url=base_url, key_header="Authorization", key=KEY, deadline=deadline))


def deposit(base_url: str, *, deadline: float = PATIENT) -> Decimal:
    return client(base_url, deadline=deadline).deposit(unit=1, login=2, amount=Decimal("50.25"), comment="order 1")


def test_a_request_carries_the_key_and_the_documented_fields():
    with raw_server([http(DONE)]) as server:
        assert deposit(server.base_url) == Decimal("100000.0")
    head, _, body = server.requests[0].decode().partition("\r\n\r\n")
    assert head.startswith("POST /cportal/prop/demo/accounts/deposit HTTP/1.1")
    assert f"Authorization: {KEY}" in head
    assert json.loads(body) == {"accountNumber": 2, "unit": 1, "amount": 50.25, "comment": "order 1"}


def test_a_create_request_spells_the_platform_key_as_the_vendor_does():
    account = NewAccount(
        unit=1, group="1:G", email="p-1@example.com", first_name="A", last_name="B", currency="USD",
        password="Secret-1!",
    )  # fmt: skip
    with raw_server([http('{"status": "success", "accountNumber": 7}')]) as server:
        assert client(server.base_url).create_account(account) == 7
    body = json.loads(server.requests[0].partition(b"\r\n\r\n")[2])
    assert body["platform "] == "ThinkTrader"
    assert body["enabled"] is False
    assert "Secret-1!" not in repr(account)


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_dripping_server_is_left_at_the_deadline(part: str):
    reply = http(DONE)
    cut = 0 if part == "headers" else len(reply) - len(DONE)
    pieces = (piece for source in ([reply[:cut]], dripping(reply[cut:])) for piece in source if piece)
    with raw_server(pieces) as server:
        begun = time.monotonic()
        # Whoever does not leave has the whole answer after five seconds, and no error.
        with pytest.raises(OutcomeUnknownError):
            deposit(server.base_url, deadline=3)
        assert time.monotonic() - begun > 2.9


def test_a_silent_server_is_left_at_the_deadline():
    over = threading.Event()

    def silence() -> Iterator[bytes]:
        over.wait(100)
        yield b""

    with raw_server(silence()) as server:
        begun = time.monotonic()
        with pytest.raises(OutcomeUnknownError):
            deposit(server.base_url, deadline=3)
        assert 2.9 < time.monotonic() - begun < 60
        over.set()


def test_the_list_of_a_whole_unit_may_take_two_deadlines():
    def slow() -> Iterator[bytes]:
        time.sleep(4.2)  # longer than one deadline of 4, shorter than two
        yield http("[]")

    with raw_server(slow(), dripping(b" " * 1000)) as server:
        assert client(server.base_url, deadline=4).accounts_details(unit=1) == {}
        begun = time.monotonic()
        with pytest.raises(NoDataError):
            client(server.base_url, deadline=2).accounts_details(unit=1)
        assert 3.9 < time.monotonic() - begun < 60


UNDECIDED = {
    "500": http('{"status":"error"}', status="500 Internal Server Error"),
    "504": http("", status="504 Gateway Timeout"),
    "408": http("", status="408 Request Timeout"),
    "redirect": http("", status="302 Found", headers="Location: http://127.0.0.1:1/\r\n"),
    "closed without a byte": b"",
    "truncated by length": http(DONE[:20], length=len(DONE)),
    "truncated JSON": http(DONE[:20]),
    "HTML": http("<html>Welcome</html>"),
    "not UTF-8": http(b'{"status": "success", "accountBalance": 1, "x": "\xff"}'),
    "NaN": http('{"status": "success", "accountBalance": NaN}'),
    "Infinity": http('{"status": "success", "accountBalance": 1e999999999}'),
    "duplicate keys": http('{"status": "success", "accountBalance": 1, "accountBalance": 2}'),
    "number as text": http('{"status": "success", "accountBalance": "1"}'),
    "true as number": http('{"status": "success", "accountBalance": true}'),
    "no balance": http('{"status": "success"}'),
    "not success": http('{"status": "error", "message": "no"}'),
    "an array": http("[]"),
    "deep nesting": http("[" * 100_000),
    "201 without a body": http("", status="201 Created"),
}


@pytest.mark.parametrize("case", UNDECIDED)
def test_a_write_without_a_clear_answer_is_in_doubt(case: str):
    with raw_server([UNDECIDED[case]]) as server, pytest.raises(OutcomeUnknownError):
        deposit(server.base_url)
    assert len(server.requests) == 1


# An array is what this read expects.
@pytest.mark.parametrize("case", sorted(UNDECIDED.keys() - {"an array"}))
def test_a_read_without_a_clear_answer_is_no_data(case: str):
    with raw_server([UNDECIDED[case]]) as server, pytest.raises(NoDataError):
        client(server.base_url).accounts_details(unit=1)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [("400 Bad Request", RefusedError), ("404 Not Found", RefusedError), ("401 Unauthorized", KeyRefusedError),
     ("403 Forbidden", KeyRefusedError), ("429 Too Many Requests", ThrottledError)],
)  # fmt: skip
def test_a_4xx_says_that_nothing_happened(status: str, error: type[BrokerError]):
    reply = http('{"status":"error","message":"No such group."}', status=status)
    with raw_server([reply]) as server, pytest.raises(error) as caught:
        deposit(server.base_url)
    if error is RefusedError:
        assert str(caught.value) == "No such group."


def test_a_refused_connection_was_never_sent():
    with pytest.raises(NotSentError):
        deposit("http://127.0.0.1:1")


def test_nothing_is_sent_over_a_connection_that_took_too_long_to_be_made(monkeypatch: pytest.MonkeyPatch):
    look_up = socket.getaddrinfo

    def look_up_slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.4)
        return look_up(*arguments, **options)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        monkeypatch.setattr(socket, "getaddrinfo", look_up_slowly)
        with pytest.raises(NotSentError, match="cannot be reached"):
            deposit(f"http://127.0.0.1:{listener.getsockname()[1]}", deadline=0.3)
        peer, _ = listener.accept()
        with peer:
            assert peer.recv(1) == b""


def test_a_reply_is_capped_while_it_is_read():
    big = http('{"status": "success", "accountBalance": 1, "x": "' + "x" * 10_000_000 + '"}')
    with raw_server([big]) as server, pytest.raises(OutcomeUnknownError, match="longer than 1048576 bytes"):
        deposit(server.base_url)


def test_a_compressed_reply_is_not_unpacked():
    reply = http(b"\x1f\x8b" + b"0" * 50, headers="Content-Encoding: gzip\r\n")
    with raw_server([reply]) as server, pytest.raises(OutcomeUnknownError):
        deposit(server.base_url)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with raw_server([http(DONE)]) as server:
        assert deposit(server.base_url) == Decimal("100000.0")


def test_cookies_are_not_kept():
    with raw_server([http(DONE, headers="Set-Cookie: a=b\r\n")], [http(DONE)]) as server:
        deposit(server.base_url)
        deposit(server.base_url)
    assert b"a=b" not in server.requests[1]


@pytest.mark.parametrize(
    "base_url",
    ["https://example.com", "http://portalapp.thinkmarkets.com", "http://127.0.0.1@example.com", "http://[", "ftp://localhost",
     "http://user:secret@127.0.0.1", "http://127.0.0.1/?a=b"],
)  # fmt: skip
def test_a_host_that_is_not_allowed_is_never_called(base_url: str):
    with pytest.raises(NotSentError) as caught:
        deposit(base_url)
    assert "secret" not in str(caught.value)


def test_the_key_is_in_no_exception_and_in_no_log(caplog: pytest.LogCaptureFixture):
    transport = Transport(base_url="http://127.0.0.1:1", key_header="Authorization", key=KEY, deadline=1)
    assert KEY not in repr(transport)
    with caplog.at_level(logging.DEBUG), raw_server([b""]) as server:
        for base_url in (server.base_url, "http://127.0.0.1:1"):
            with pytest.raises(BrokerError) as caught:
                deposit(base_url)
            assert caught.value.__cause__ is None
            assert KEY not in repr(caught.value) + str(caught.value.__dict__)
    assert KEY not in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_call_inside_a_transaction_is_a_programming_error():
    transport = Transport(base_url="http://127.0.0.1:1", key_header="Authorization", key=KEY, deadline=1)
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a database transaction"):
        transport.send("GET", "/")


def test_a_broken_reply_is_not_a_broker_error_that_callers_could_mistake():
    assert not issubclass(BrokenReplyError, BrokerError)
