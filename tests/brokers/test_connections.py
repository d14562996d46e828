"""Connections: trying one out, reading one account, and where none may point."""

import time
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import connection as database

from brokers.client import KeyRefusedError, NoDataError, NotSentError
from brokers.models import AccountOrder, BrokerConnection, BrokerOperation, TradingAccount
from brokers.services import broker_for, connections, read_account, save_connection
from propdesk.lib.processes.registry import registered_jobs
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import Event
from tests.simulator import DEMO_UNIT, REAL_UNIT, Simulator


def test_a_try_shows_the_units(broker_connection: BrokerConnection):
    begun = time.monotonic()
    shown = connections.test_connection(broker_connection)
    took = time.monotonic() - begun
    assert shown.units == {DEMO_UNIT: "PROP_DEMO_USD", REAL_UNIT: "PROP_REAL_USD"}
    assert 0 <= shown.latency_ms <= took * 1000 + 1


def test_a_try_with_a_wrong_key_says_so(broker_connection: BrokerConnection):
    broker_connection.api_key = "wrong"
    with pytest.raises(KeyRefusedError):
        connections.test_connection(broker_connection)


def test_the_key_may_go_in_the_other_header(broker_connection: BrokerConnection):
    broker_connection.key_header = BrokerConnection.KeyHeader.API_KEY
    assert connections.test_connection(broker_connection).units


def test_an_account_is_read_and_its_figures_are_kept(simulator: Simulator, payer: TradingAccount):
    simulator.set(payer.login, equity=9876.54)
    stats = read_account(account=payer, clock=utc_now)
    assert (stats.balance, stats.equity, stats.pnl) == (Decimal("10000.0"), Decimal("9876.54"), Decimal("-123.46"))
    payer.refresh_from_db()
    assert (payer.balance, payer.equity) == (Decimal(10000), Decimal("9876.54"))


def test_a_reading_that_fails_leaves_the_figures_alone(simulator: Simulator, payer: TradingAccount):
    simulator.faults({"endpoint": "account-stats", "fault": "truncate_after"})
    with pytest.raises(NoDataError):
        read_account(account=payer, clock=utc_now)
    payer.refresh_from_db()
    assert (payer.balance, payer.read_at) == (None, None)


def test_reading_the_details_keeps_whether_the_account_is_enabled(simulator: Simulator, payer: TradingAccount):
    simulator.post("accounts/enable", {"unit": REAL_UNIT, "accountNumbers": [payer.login], "enable": False})
    details = connections.read_details(account=payer, clock=utc_now)
    assert (details.is_enabled, details.balance, payer.is_enabled) == (False, Decimal(10000), False)
    payer.refresh_from_db()
    assert (payer.is_enabled, payer.balance) == (False, Decimal(10000))


def test_all_stats_and_positions_of_a_unit_are_read(simulator: Simulator, payer: TradingAccount):
    simulator.set(payer.login, equity=9000)
    broker = broker_for(payer.connection)
    assert broker.accounts_stats(unit=REAL_UNIT)[payer.login].equity == Decimal(9000)
    (position,) = [each for each in broker.opened_positions(unit=REAL_UNIT) if each.login == payer.login]
    assert position.profit == Decimal(-1000)
    details = broker.accounts_details(unit=REAL_UNIT)[payer.login]
    assert (details.is_enabled, details.balance) == (True, Decimal(10000))


@pytest.mark.parametrize("base_url", ["https://evil.example.com", "http://portalapp.thinkmarkets.com"])
def test_a_connection_to_a_host_that_is_not_allowed_is_not_saved(db: None, base_url: str):
    with pytest.raises(NotSentError):
        save_connection(BrokerConnection(name="x", base_url=base_url, api_key="k"))
    assert not BrokerConnection.objects.exists()


def test_the_key_is_encrypted_at_rest(db: None):
    saved = save_connection(BrokerConnection(name="x", base_url="http://127.0.0.1:1", api_key="canary-key"))
    with database.cursor() as cursor:
        cursor.execute("SELECT api_key FROM brokers_brokerconnection")
        assert "canary" not in cursor.fetchone()[0]
    assert BrokerConnection.objects.get(pk=saved.pk).api_key == "canary-key"


@pytest.mark.parametrize("events", [AccountOrder.EVENTS, BrokerOperation.EVENTS])
@pytest.mark.parametrize("change", ["update", "delete"])
def test_events_cannot_be_changed(db: None, events: type[Event], change: str):
    event = events._default_manager.create(subject_id=1, to_status=0, actor="test", at=utc_now())
    with pytest.raises(Exception, match="is append-only"):
        events._default_manager.filter(pk=event.pk).update(reason="x") if change == "update" else event.delete()


def test_the_sweeper_knows_our_jobs():
    jobs = {job.name: job.every_seconds for job in registered_jobs()}
    assert (jobs["account-orders"], jobs["broker-operations"]) == (1, 1)


@pytest.mark.parametrize("field", ["deadline_seconds", "settle_seconds", "quarantine_seconds"])
@pytest.mark.parametrize("value", [0, 1800])
def test_patience_that_would_take_a_protection_away_is_refused(
    broker_connection: BrokerConnection, field: str, value: int
):
    setattr(broker_connection, field, value)
    with pytest.raises(ValidationError) as refusal:
        broker_connection.full_clean()
    assert list(refusal.value.message_dict) == [field]
