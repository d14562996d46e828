"""Reading a unit and judging it: three lists for the whole unit, and one by one only accounts that look wrong.

However large the unit is, a comparison makes a bounded number of calls: the accounts, the open positions and the trades
closed since the last one; the accounts once more if some look wrong; and at most 100 accounts each for what is missing
and for money that the lists do not explain. The others have their turn in the comparisons after it.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction

from brokers.client.base import AccountDetails, Broker
from brokers.client.errors import BrokerError, NoDataError, RefusedError
from brokers.models import BalanceCheck, BrokerConnection, BrokerOperation, Difference, TradingAccount
from brokers.models.reconciliation import DifferenceQuerySet
from brokers.services.leases import Clock
from brokers.services.reconciliation import findings, money
from brokers.services.reconciliation.findings import Books, Finding, Judged
from brokers.services.reconciliation.switches import changing
from brokers.services.whole_lists import require_whole

# How many accounts a comparison looks at one by one, and how many more whose money gives no suspicion, in rotation.
MOST_SUSPECTS, ROUTINE = 100, 5
# So many wrong switches are read one by one; more, in a second list of the whole unit.
FEW = 20
BATCH = 1000
Kind = Difference.Kind
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
    again: dict[int, AccountDetails] | None = None
    examined: int = 0
    left_over: int = 0
    money_failure: str = ""

    def listed_again(self) -> dict[int, AccountDetails]:
        """The accounts as a second list shows them, read when it is first asked for. Raises `BrokerError`."""
        if self.again is None:
            listed = self.broker.accounts_details(unit=self.unit)
            require_whole(listed, known=self.books.quiet, broker=self.broker)
            self.again = listed
        return self.again

    def is_time_up(self) -> bool:
        return self.clock() >= self.ends


def read_unit(
    connection: BrokerConnection, unit: int, broker: Broker, *, clock: Clock, patience: timedelta
) -> Comparison:
    """Read the unit's accounts. Raises `BrokerError`, also for a list that misses too many of ours."""
    begun = clock()
    listed = broker.accounts_details(unit=unit)
    # What was changed shortly before the reading may not show in it yet.
    since = begun - timedelta(seconds=connection.settle_seconds)
    books = findings.read_books(connection, unit, since=since, now=clock())
    require_whole(listed, known=books.quiet, broker=broker)
    return Comparison(connection, unit, broker, clock, begun, begun + patience, listed, books)


def judge(comparison: Comparison) -> Judged:
    """All that differs, and of which accounts that can be said. Raises `BrokerError`."""
    judged, books = Judged(), comparison.books
    _judge_strangers(comparison, judged)
    _judge_missing(comparison, judged)
    _judge_switches(comparison, judged)
    positions = comparison.broker.opened_positions(unit=comparison.unit)
    judged.add(Kind.OPEN_POSITIONS, books.quiet, findings.not_flat(books, positions))
    try:
        _judge_money(comparison, judged)
    except BrokerError as exc:
        comparison.money_failure = str(exc)
    return judged


def _judge_strangers(comparison: Comparison, judged: Judged) -> None:
    """One that the list leaves out is gone when a second list leaves it out as well."""
    told = set(_present(comparison).filter(kind=Kind.UNKNOWN_ACCOUNT).values_list("login", flat=True))
    hidden = {login for login in told - comparison.listed.keys() if login in comparison.listed_again()}
    strangers = findings.unknown(comparison.connection, comparison.books, comparison.listed)
    judged.add(Kind.UNKNOWN_ACCOUNT, told - hidden, strangers)


def _judge_missing(comparison: Comparison, judged: Judged) -> None:
    """A list may leave out a few by mistake: missing is what a second list leaves out as well, and what the broker,
    asked for it by its number, does not show in the unit."""
    quiet = comparison.books.quiet
    absent = findings.missing(comparison.books, comparison.listed)
    if absent:
        absent = [account for account in absent if account.login not in comparison.listed_again()]
    judged.add(Kind.MISSING_ACCOUNT, quiet.keys() - {account.login for account in absent})
    for account in _in_turn(absent, comparison):
        finding = findings.missing_finding(account, _details(comparison.broker, account.login))
        if finding is not None:
            judged.add(Kind.MISSING_ACCOUNT, [account.login], [finding])


def _details(broker: Broker, login: int) -> AccountDetails | None:
    try:
        return broker.account_details(login=login)
    except RefusedError:
        return None


def _judge_switches(comparison: Comparison, judged: Judged) -> None:
    """Each suspect is read once more: by itself, or where there are many, in a second list."""
    suspects = findings.wrongly_switched(comparison.books, comparison.listed)
    wrong = {finding.login for finding in suspects}
    fine = comparison.books.quiet.keys() & comparison.listed.keys() - wrong
    judged.switched_by_others = findings.switched_by_others(comparison.books, comparison.listed)
    for kind in (Kind.ENABLED, Kind.DISABLED):
        judged.add(kind, fine)
    many = len(suspects) > FEW
    for finding in suspects if many else _in_turn(suspects, comparison):
        login = finding.login
        details = comparison.listed_again().get(login) if many else _details(comparison.broker, login)
        if details is None:
            continue
        confirmed = details.is_enabled == (finding.kind is Kind.ENABLED)
        judged.add(finding.kind, [login], [finding] if confirmed else [])
        judged.add(Kind.DISABLED if finding.kind is Kind.ENABLED else Kind.ENABLED, [login])


def _judge_money(comparison: Comparison, judged: Judged) -> None:
    accounts = {login: row for login, row in money.concerned(comparison.books).items() if login in comparison.listed}
    checks = money.checks_of(accounts)
    checks |= money.births_of(row for login, row in accounts.items() if login not in checks)
    since = money.window_of(checks.values(), until=comparison.begun)
    trades = comparison.broker.closed_positions(
        unit=comparison.unit, since=since, until=comparison.clock() + money.ONE_SECOND
    )
    explained = money.still_explained(checks, comparison.listed, trades, since=since)
    _keep(comparison, [checks[login] for login in explained])
    # What staff are to act on is read again: the broker may have answered something old.
    doubted = set(_money_differences(comparison).waiting().values_list("login", flat=True))
    sure = explained - doubted
    suspects = [row for login, row in accounts.items() if login not in sure]
    oldest = sorted((checks[login] for login in sure), key=lambda check: (check.examined_at, check.pk))[:ROUTINE]

    def has_moved(account: TradingAccount) -> bool:
        """Its balance was explained once; of the others we have not seen any yet."""
        check = checks.get(account.login)
        return check is not None and check.pk is not None

    for account in _in_turn(suspects, comparison, first=has_moved):
        _examine(comparison, judged, account, checks.get(account.login))
    for check in oldest:
        if not comparison.is_time_up():
            _examine(comparison, judged, check.account, check)


def _keep(comparison: Comparison, checks: Sequence[BalanceCheck]) -> None:
    """Explained up to this reading: the next one goes on from here. What staff have believed before still is so."""
    new = [check for check in checks if check.pk is None]
    known = [check for check in checks if check.pk is not None]
    listed = comparison.listed
    moved = [check for check in known if check.balance != listed[check.account.login].balance]
    for check in checks:
        check.balance, check.checked_at = listed[check.account.login].balance, comparison.begun
    with transaction.atomic(durable=True):
        BalanceCheck.objects.bulk_create(new, batch_size=BATCH)
        BalanceCheck.objects.bulk_update(moved, ["balance"], batch_size=BATCH)
        BalanceCheck.objects.filter(pk__in=[check.pk for check in known]).update(checked_at=comparison.begun)
        believed = _money_differences(comparison).exclude(status=Difference.Status.OPEN)
        logins = [check.account.login for check in checks]
        believed.filter(login__in=logins).update(last_seen_at=comparison.begun)


def _examine(comparison: Comparison, judged: Judged, account: TradingAccount, check: BalanceCheck | None) -> None:
    """One that cannot be read does not keep the others from being read."""
    try:
        result = money.examine(account, check, comparison.broker, comparison.clock)
    except (NoDataError, RefusedError) as exc:
        result, comparison.money_failure = None, f"Account {account.login}: {exc}"
    if result is None or _touched(account, comparison):
        comparison.left_over += 1
        return
    comparison.examined += 1
    with transaction.atomic(durable=True):
        result.check.save()
    for kind in (Kind.BALANCE, Kind.TRANSFER):
        judged.add(kind, [account.login])
    judged.findings.extend(result.findings)


def _touched(account: TradingAccount, comparison: Comparison) -> bool:
    """Whether an operation has begun to change the account since the reading."""
    operations = BrokerOperation.objects.filter(account=account)
    working = changing(operations, now=comparison.clock())
    return working.exists() or operations.filter(updated_at__gte=comparison.begun).exists()


def _present(comparison: Comparison) -> DifferenceQuerySet:
    return Difference.objects.present().filter(connection=comparison.connection, unit=comparison.unit)


def _money_differences(comparison: Comparison) -> DifferenceQuerySet:
    return _present(comparison).filter(kind__in=(Kind.BALANCE, Kind.TRANSFER))


def _in_turn(
    suspects: Sequence[Suspect], comparison: Comparison, *, first: Callable[[Suspect], bool] = lambda _: True
) -> Iterator[Suspect]:
    """As many as may be looked at one by one, while there is time.

    Those that no difference tells about yet come before the others, of these those that are `first`, and among equals
    the dice decide: nobody waits for ever behind one that can never be examined. Left over are those not told of yet.
    """
    told = set(_present(comparison).values_list("login", flat=True)) if suspects else set()
    order = sorted(suspects, key=lambda each: (each.login in told, not first(each), random.random()))  # noqa: S311  (no secret)
    for number, suspect in enumerate(order):
        if number == MOST_SUSPECTS or comparison.is_time_up():
            comparison.left_over += sum(each.login not in told for each in order[number:])
            return
        yield suspect
