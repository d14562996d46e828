"""Broker connections: saving, trying out, and the client for one."""

import logging
import threading
import time
from dataclasses import dataclass, replace
from functools import partial

from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from brokers.client.base import AccountDetails, AccountStats, Broker
from brokers.client.errors import NotSentError
from brokers.client.guards import Guard, RateLimit
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.client.transport import Transport, check_address
from brokers.models import BrokerConnection, TradingAccount
from brokers.services.leases import Clock

logger = logging.getLogger(__name__)

_guards: dict[tuple[int, str, int], Guard] = {}
_guards_lock = threading.Lock()


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
    header, documented = connection.key_header, BrokerConnection.KeyHeader.DOCUMENTED
    transport = Transport(
        base_url=connection.base_url,
        key_header=BrokerConnection.KeyHeader.AUTHORIZATION.value if header == documented else header,
        key=connection.api_key,
        deadline=connection.deadline_seconds if deadline is None else deadline,
        guard=_guard_of(connection),
    )
    if header != documented:
        return ThinkMarkets(transport)
    return ThinkMarkets(transport, transfers=replace(transport, key_header=BrokerConnection.KeyHeader.API_KEY.value))


def _guard_of(connection: BrokerConnection) -> Guard | None:
    """This process's guard of the connection; a new one when its address or its limit has changed."""
    if connection.pk is None:
        return None
    key = (connection.pk, connection.base_url, connection.calls_per_second)
    with _guards_lock:
        guard = _guards.get(key)
        if guard is None:
            guard = _guards[key] = Guard(RateLimit(connection.calls_per_second), partial(_report, connection.pk))
    # Whichever process hears from the broker takes the mark away, also that of one that is gone.
    guard.is_reported = guard.is_reported or connection.breaker_opened_at is not None
    return guard


def _report(connection_id: int, reason: str) -> None:
    """Show on the connection that a process leaves the broker alone, or that one has had an answer again."""
    opened_at = Now() if reason else None
    logger.warning("Broker connection %s: %s", connection_id, f"left alone: {reason}" if reason else "it answers again")
    try:
        connections = BrokerConnection.objects.filter(pk=connection_id)
        connections.update(breaker_opened_at=opened_at, breaker_reason=reason)
    except DatabaseError:
        # The mark is for people to see; the call that it is about goes on.
        logger.exception("The state of broker connection %s could not be written", connection_id)


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
