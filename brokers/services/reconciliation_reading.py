"""Reading a unit and judging it: the list of accounts once, and one by one only those that look wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import Q

from brokers.client.base import AccountDetails, Broker
from brokers.client.errors import BrokerError, NoDataError, RefusedError
from brokers.models import BalanceCheck, BrokerConnection, BrokerOperation, Difference, TradingAccount
from brokers.services import reconciliation_findings as findings
from brokers.services import reconciliation_money as money
from brokers.services.leases import Clock
from brokers.services.procedures import SOUND_SHARE
from brokers.services.reconciliation_findings import Books, Finding, Judged

# How many accounts are looked at one by one in a comparison, and how many of these without a suspicion.
MOST_SUSPECTS, ROUTINE = 100, 5
Kind, Status = Difference.Kind, BrokerOperation.Status
Suspect = TypeVar("Suspect", TradingAccount, Finding)


@dataclass(slots=True)
class Comparison:
    """What one comparison has in hand: the client, and the broker's list as a reading begun at `begun` shows it."""

    connection: BrokerConnection
    unit: int
    broker: Broker
    clock: Clock
    begun: datetime
    ends: datetime
    listed: dict[int, AccountDetails]
    books: Books
    examined: int = 0
    left_over: int = 0
    money_failure: str = ""


def read_unit(
    connection: BrokerConnection, unit: int, broker: Broker, *, clock: Clock, patience: timedelta
) -> Comparison:
    """Read the unit's accounts. Raises `BrokerError`, also for a list that misses too many of ours."""
    begun = clock()
    listed = broker.accounts_details(unit=unit)
    # What was changed shortly before the reading may not show in it yet.
    books = findings.read_books(connection, unit, since=begun - timedelta(seconds=connection.settle_seconds))
    known = books.quiet().keys()
    if len(known & listed.keys()) < SOUND_SHARE * len(known):
        raise NoDataError(
            f"The broker lists {len(listed)} accounts and misses too many of the {len(known)} that we know."
        )
    return Comparison(connection, unit, broker, clock, begun, begun + patience, listed, books)


def judge(comparison: Comparison) -> Judged:
    """All that differs, and of which accounts that can be said. Raises `BrokerError`."""
    judged, books = Judged(), comparison.books
    strangers = findings.unknown(comparison.connection, books, comparison.listed)
    judged.add(Kind.UNKNOWN_ACCOUNT, _present_logins(comparison, Kind.UNKNOWN_ACCOUNT), strangers)
    _judge_missing(comparison, judged)
    _judge_switches(comparison, judged)
    positions = comparison.broker.opened_positions(unit=comparison.unit)
    judged.add(Kind.OPEN_POSITIONS, books.quiet(), findings.not_flat(books, positions))
    try:
        _judge_money(comparison, judged)
    except BrokerError as exc:
        comparison.money_failure = str(exc)
    return judged


def _present_logins(comparison: Comparison, kind: Difference.Kind) -> set[int]:
    present = Difference.objects.present().filter(connection=comparison.connection, unit=comparison.unit, kind=kind)
    return set(present.values_list("login", flat=True))


def _judge_missing(comparison: Comparison, judged: Judged) -> None:
    """A list may leave out a few by mistake: only what a second list leaves out as well is missing."""
    quiet = comparison.books.quiet()
    absent = findings.missing(comparison.books, comparison.listed)
    if absent:
        again = comparison.broker.accounts_details(unit=comparison.unit)
        absent = [account for account in absent if account.login not in again]
    judged.add(Kind.MISSING_ACCOUNT, quiet.keys() - {account.login for account in absent})
    for account in _first(absent, comparison):
        finding = findings.missing_finding(account, _details(comparison.broker, account.login))
        judged.add(Kind.MISSING_ACCOUNT, [account.login], [finding])


def _details(broker: Broker, login: int) -> AccountDetails | None:
    try:
        return broker.account_details(login=login)
    except RefusedError:
        return None


def _judge_switches(comparison: Comparison, judged: Judged) -> None:
    """Each suspect is read once more by itself."""
    suspects = findings.wrongly_switched(comparison.books, comparison.listed)
    wrong = {finding.login for finding in suspects}
    fine = comparison.books.quiet().keys() & comparison.listed.keys() - wrong
    for kind in (Kind.ENABLED, Kind.DISABLED):
        judged.add(kind, fine)
    for finding in _first(suspects, comparison):
        details = _details(comparison.broker, finding.login)
        if details is None:
            continue
        confirmed = details.is_enabled == (finding.kind is Kind.ENABLED)
        judged.add(finding.kind, [finding.login], [finding] if confirmed else [])
        judged.add(Kind.DISABLED if finding.kind is Kind.ENABLED else Kind.ENABLED, [finding.login])


def _judge_money(comparison: Comparison, judged: Judged) -> None:
    accounts = {login: row for login, row in money.concerned(comparison.books).items() if login in comparison.listed}
    checks = money.checks_of(accounts)
    since = money.window_of(checks.values(), until=comparison.begun)
    trades = comparison.broker.closed_positions(
        unit=comparison.unit, since=since, until=comparison.clock() + money.ONE_SECOND
    )
    explained = money.still_explained(checks, comparison.listed, trades, since=since)
    _keep(comparison, {login: checks[login] for login in explained})
    suspects = [accounts[login] for login in sorted(accounts.keys() - explained)]
    oldest = sorted((checks[login] for login in explained), key=lambda check: (check.examined_at, check.pk))[:ROUTINE]
    for account in _first(suspects, comparison):
        _examine(comparison, judged, account, checks.get(account.login))
    by_id = {row.pk: row for row in accounts.values()}
    for check in oldest:
        _examine(comparison, judged, by_id[check.account_id], check)


def _keep(comparison: Comparison, checks: dict[int, BalanceCheck]) -> None:
    """Explained up to this reading: the next one goes on from here. What was wrong before still is."""
    for login, check in checks.items():
        check.balance, check.checked_at = comparison.listed[login].balance, comparison.begun
    BalanceCheck.objects.bulk_update(list(checks.values()), ["balance", "checked_at"], batch_size=1000)
    Difference.objects.present().filter(
        connection=comparison.connection, login__in=list(checks), kind__in=(Kind.BALANCE, Kind.TRANSFER)
    ).update(last_seen_at=comparison.begun)


def _examine(comparison: Comparison, judged: Judged, account: TradingAccount, check: BalanceCheck | None) -> None:
    if comparison.clock() >= comparison.ends:
        comparison.left_over += 1
        return
    result = money.examine(account, check, comparison.broker, comparison.clock)
    if result is None or _touched(account, comparison.begun):
        comparison.left_over += 1
        return
    comparison.examined += 1
    with transaction.atomic(durable=True):
        result.check.save()
    for kind in (Kind.BALANCE, Kind.TRANSFER):
        judged.add(kind, [account.login])
    judged.findings.extend(result.findings)


def _touched(account: TradingAccount, begun: datetime) -> bool:
    """Whether an operation has begun to change the account since the reading."""
    working = Q(status__in=(Status.INTENDED, Status.CALLING, Status.IN_DOUBT)) | Q(updated_at__gte=begun)
    return account.operations.filter(working).exists()


def _first(suspects: Sequence[Suspect], comparison: Comparison) -> list[Suspect]:
    """As many as may be looked at one by one; those that no difference tells about yet come first."""
    told = Difference.objects.present().filter(connection=comparison.connection, unit=comparison.unit)
    logins = set(told.values_list("login", flat=True)) if len(suspects) > MOST_SUSPECTS else set()
    comparison.left_over += max(0, len(suspects) - MOST_SUSPECTS)
    return sorted(suspects, key=lambda each: each.login in logins)[:MOST_SUSPECTS]
