"""How a connection's guard and key headers are set, and what of the breaker everyone can see."""

import pytest

from brokers.client import guards
from brokers.client.base import Broker
from brokers.client.errors import NoDataError, NotSentError
from brokers.client.guards import MOST_FAILURES
from brokers.models import BrokerConnection, TradingAccount
from brokers.services import broker_for
from brokers.services.connections import _guard_of
from tests.brokers.client.raw_server import RawServer, http, raw_server
from tests.simulator import Simulator

TRANSFERS = http('{"status": "success", "result": "[]"}')
DETAILS = http("[]")


def saved(server: RawServer, **values: object) -> BrokerConnection:
    return BrokerConnection.objects.create(name="raw", base_url=server.base_url, api_key="secret-key", **values)


def key_headers(request: bytes) -> list[str]:
    lines = request.decode().split("\r\n\r\n")[0].split("\r\n")
    return [line for line in lines if line.endswith(": secret-key")]


def asked(broker: Broker) -> None:
    broker.accounts_details(unit=1)
    broker.account_transfers(unit=1, login=2)


def test_the_key_goes_in_the_header_of_the_connection(transactional_db: None):
    with raw_server([DETAILS], [TRANSFERS]) as server:
        asked(broker_for(saved(server, key_header="ApiKey")))
    assert [key_headers(each) for each in server.requests] == [["ApiKey: secret-key"]] * 2


def test_or_in_the_header_that_the_page_names_for_each_endpoint(transactional_db: None):
    with raw_server([DETAILS], [TRANSFERS]) as server:
        asked(broker_for(saved(server, key_header="documented")))
    assert [key_headers(each) for each in server.requests] == [["Authorization: secret-key"], ["ApiKey: secret-key"]]


def test_all_clients_of_a_connection_share_its_guard(transactional_db: None, broker_connection: BrokerConnection):
    again = BrokerConnection.objects.get(pk=broker_connection.pk)
    assert _guard_of(broker_connection) is _guard_of(again)
    again.calls_per_second = 7
    guard = _guard_of(again)
    assert guard is not None
    assert guard is not _guard_of(broker_connection)
    assert guard.limit.per_second == 7


def test_an_open_breaker_shows_on_the_connection_until_the_broker_answers(
    simulator: Simulator, broker_connection: BrokerConnection, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    # No time for a probe yet, however slow the calls are.
    monkeypatch.setattr(guards, "OPEN_SECONDS", 600.0)
    simulator.faults({"endpoint": "account-details", "fault": "error_before"})
    broker = broker_for(broker_connection)
    for _ in range(MOST_FAILURES):
        with pytest.raises(NoDataError):
            broker.account_details(login=payer.login)
    with pytest.raises(NotSentError, match=f"not answered {MOST_FAILURES} times in a row: It answered 500."):
        broker.account_details(login=payer.login)
    broker_connection.refresh_from_db()
    assert broker_connection.breaker_opened_at is not None
    assert broker_connection.breaker_reason == "It answered 500."

    # Another process, whose breaker is closed, hears from the broker: the mark of the first goes.
    simulator.faults()
    broker_connection.calls_per_second = 50
    broker_for(broker_connection).account_details(login=payer.login)
    again = BrokerConnection.objects.get()
    assert (again.breaker_opened_at, again.breaker_reason) == (None, "")
