"""Broker connections: saving, trying out, and the client for one."""

import time
from dataclasses import dataclass

from django.db import transaction

from brokers.client.base import AccountDetails, AccountStats, Broker
from brokers.client.errors import NotSentError
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.client.transport import Transport, check_address
from brokers.models import BrokerConnection, TradingAccount
from brokers.services.leases import Clock


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """What a try of a connection showed; `units` are those that our key may see, by id."""

    latency_ms: int
    units: dict[int, str]


def broker_for(connection: BrokerConnection, *, deadline: float | None = None) -> Broker:
    """The client for a connection. Raises `NotSentError` when it is switched off or its host not allowed.

    `deadline` is in seconds, for callers with less time than the connection grants.
    """
    if not connection.is_enabled:
        raise NotSentError(f"The connection {connection.name} is switched off.")
    check_address(connection.base_url)
    return ThinkMarkets(
        Transport(
            base_url=connection.base_url,
            key_header=connection.key_header,
            key=connection.api_key,
            deadline=connection.deadline_seconds if deadline is None else deadline,
        )
    )


@transaction.atomic
def save_connection(connection: BrokerConnection) -> BrokerConnection:
    """Save a connection whose host is on the allow-list; raises `NotSentError` for any other."""
    check_address(connection.base_url)
    connection.save()
    return connection


def test_connection(connection: BrokerConnection) -> ConnectionTest:
    """Ping the broker and list its units. Raises `BrokerError`; changes nothing."""
    broker = broker_for(connection)
    begun = time.monotonic()
    broker.ping()
    latency_ms = round((time.monotonic() - begun) * 1000)
    return ConnectionTest(latency_ms=latency_ms, units=broker.units())


def read_account(*, account: TradingAccount, clock: Clock, deadline: float | None = None) -> AccountStats:
    """The account's figures of this moment, also kept on its row. Raises `BrokerError`: then nothing is known."""
    as_of = clock()
    broker = broker_for(account.connection, deadline=deadline)
    stats = broker.account_stats(unit=account.group.unit, login=account.login)
    TradingAccount.objects.filter(pk=account.pk).update(balance=stats.balance, equity=stats.equity, read_at=as_of)
    account.balance, account.equity, account.read_at = stats.balance, stats.equity, as_of
    return stats


def read_details(*, account: TradingAccount, clock: Clock, deadline: float | None = None) -> AccountDetails:
    """Whether the account is enabled, and its balance without open positions; also kept on its row.

    Raises `BrokerError`: then nothing is known.
    """
    as_of = clock()
    details = broker_for(account.connection, deadline=deadline).account_details(login=account.login)
    TradingAccount.objects.filter(pk=account.pk).update(
        balance=details.balance, is_enabled=details.is_enabled, read_at=as_of
    )
    account.balance, account.is_enabled, account.read_at = details.balance, details.is_enabled, as_of
    return details
