"""Whether an account's balance is what was paid in and out plus what its trades have earned.

Cheap for a whole unit: the balance may have changed by the trades closed and the money we moved since the last check.
Where that does not explain it, every transfer and every closed trade of the account is read.
Accounts that others pay into, such as a customer's own, are left out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.client.base import AccountDetails, Broker, ClosedPosition, Transfer
from brokers.models import BalanceCheck, BrokerOperation, Difference, TradingAccount
from brokers.services.reconciliation_findings import Books, Finding
from propdesk.lib.money import CENT, as_text, cents

ZERO = Decimal(0)
ONE_SECOND = timedelta(seconds=1)
# Trades of a unit are read back this far at most; accounts that were checked longer ago are examined one by one.
LONGEST_WINDOW = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Examination:
    """What an account's whole history shows: `check` is kept, whatever was found."""

    check: BalanceCheck
    findings: list[Finding]


def concerned(books: Books) -> dict[int, TradingAccount]:
    """Accounts whose money is ours to explain: those that an order of ours has opened."""
    return {login: row for login, row in books.quiet().items() if row.order_id is not None or row.is_orphan}


def checks_of(accounts: Mapping[int, TradingAccount]) -> dict[int, BalanceCheck]:
    ids = {row.pk: login for login, row in accounts.items()}
    return {ids[check.account_id]: check for check in BalanceCheck.objects.filter(account_id__in=ids)}


def window_of(checks: Iterable[BalanceCheck], *, until: datetime) -> datetime:
    """From when on the unit's closed trades have to be read."""
    return max(min((check.checked_at for check in checks), default=until), until - LONGEST_WINDOW)


def still_explained(
    checks: Mapping[int, BalanceCheck],
    listed: Mapping[int, AccountDetails],
    trades: Iterable[ClosedPosition],
    *,
    since: datetime,
) -> set[int]:
    """The accounts whose balance has moved since their check by nothing but trades and money of ours."""
    earned: dict[int, Decimal] = {}
    for trade in trades:
        check = checks.get(trade.login)
        if check is not None and trade.closed_at > check.checked_at:
            earned[trade.login] = earned.get(trade.login, ZERO) + trade.profit
    moved = _moved_since(checks)
    return {
        login
        for login, check in checks.items()
        if check.checked_at >= since
        and login in listed
        and _nothing(listed[login].balance - check.balance - earned.get(login, ZERO) - moved.get(login, ZERO))
    }


def examine(
    account: TradingAccount, check: BalanceCheck | None, broker: Broker, now: Callable[[], datetime]
) -> Examination | None:
    """Read the account's whole history; None while it trades too fast to tell. Raises `BrokerError`."""
    as_of = now()
    balance = broker.account_details(login=account.login).balance
    transfers = sorted(broker.account_transfers(unit=account.group.unit, login=account.login), key=lambda each: each.at)
    check = check or _start(account, balance, transfers, as_of)
    trades = broker.account_closed_positions(
        unit=account.group.unit, login=account.login, since=check.since - ONE_SECOND, until=now() + ONE_SECOND
    )
    if broker.account_details(login=account.login).balance != balance:
        return None
    new = transfers[check.start_transfers :]
    paid = sum((each.amount for each in new), ZERO)
    check.balance, check.checked_at, check.examined_at = balance, as_of, as_of
    check.gap = _gap(balance - check.start_balance - paid, trades, check.since)
    return Examination(check, [*_unexplained_balance(account, check, paid), *_unbooked(account, new)])


def _start(account: TradingAccount, balance: Decimal, transfers: list[Transfer], now: datetime) -> BalanceCheck:
    """An account that we have made began with nothing. Of any other we take the beginning as it was found."""
    made = (
        BrokerOperation.objects.filter(kind=BrokerOperation.Kind.CREATE, marker=account.marker)
        .exclude(marker="")
        .first()
    )
    if made is not None:
        since, start, count = made.created_at, ZERO, 0
    else:
        since, start, count = now, balance, len(transfers)
    return BalanceCheck(account=account, since=since, start_balance=start, start_transfers=count)


def _gap(grown: Decimal, trades: Iterable[ClosedPosition], since: datetime) -> Decimal:
    """What trades do not explain. One closed in the very second of `since` may lie on either side of it."""
    trades = list(trades)
    after = sum((each.profit for each in trades if each.closed_at > since), ZERO)
    edge = sum((each.profit for each in trades if since - ONE_SECOND < each.closed_at <= since), ZERO)
    gap = grown - after
    return ZERO if _nothing(gap) or _nothing(gap - edge) else gap


def _nothing(amount: Decimal) -> bool:
    """Less than a cent is rounding."""
    return abs(amount) < CENT


def _unexplained_balance(account: TradingAccount, check: BalanceCheck, paid: Decimal) -> list[Finding]:
    if check.gap == 0:
        return []
    currency = account.group.currency
    cause = (
        f"Neither transfers ({as_text(cents(paid), currency)}) nor closed trades explain it: a correction by the "
        "broker, a charge that it does not list, or a figure set by hand."
    )
    ours, theirs = as_text(cents(check.balance - check.gap), currency), as_text(cents(check.balance), currency)
    kind = Difference.Kind.BALANCE
    return [Finding(kind, account.login, ours, theirs, cause, account=account, gap=cents(check.gap))]


def _unbooked(account: TradingAccount, transfers: list[Transfer]) -> list[Finding]:
    """Transfers that no operation of ours has made. Equal amounts are taken in order: the latest are left over."""
    ours, currency = Counter(_amounts(account)), account.group.currency
    found, seen = [], Counter[str]()
    for transfer in transfers:
        if ours[transfer.amount] > 0:
            ours[transfer.amount] -= 1
            continue
        stamp = f"{transfer.at:%Y-%m-%d %H:%M:%S.%f} {transfer.amount.normalize():f}"
        seen[stamp] += 1
        theirs = f"{as_text(transfer.amount, currency)} ({transfer.kind}) at {transfer.at:%Y-%m-%d %H:%M:%S}"
        found.append(
            Finding(
                Difference.Kind.TRANSFER, account.login, "no operation", theirs, _who_moved(account, transfer.amount),
                account=account, detail=f"{stamp} #{seen[stamp]}", gap=transfer.amount,
            )
        )  # fmt: skip
    return found


def _amounts(account: TradingAccount) -> list[Decimal]:
    done = account.operations.filter(kind__in=BrokerOperation.MONEY, status=BrokerOperation.Status.DONE)
    return [_signed(each) for each in done.order_by("id")]


def _who_moved(account: TradingAccount, amount: Decimal) -> str:
    """An operation of that amount that did not end as done is the likely one."""
    others = account.operations.filter(kind__in=BrokerOperation.MONEY).exclude(status=BrokerOperation.Status.DONE)
    likely = next((each for each in others.order_by("-id") if _signed(each) == amount), None)
    if likely is not None:
        return f"Operation {likely.pk} is {likely.get_status_display()}, and asked for just this: its effect came late."
    return "Made at the broker by hand, or by another system."


def _moved_since(checks: Mapping[int, BalanceCheck]) -> dict[int, Decimal]:
    """The money that our operations have moved since each account's check."""
    oldest = min((check.checked_at for check in checks.values()), default=None)
    if oldest is None:
        return {}
    done = BrokerOperation.objects.filter(
        kind__in=BrokerOperation.MONEY, status=BrokerOperation.Status.DONE, finished_at__gt=oldest,
        account_id__in=[check.account_id for check in checks.values()],
    )  # fmt: skip
    logins = {check.account_id: login for login, check in checks.items()}
    moved: dict[int, Decimal] = {}
    for operation in done:
        login = logins[operation.account_id or 0]
        if operation.finished_at is not None and operation.finished_at > checks[login].checked_at:
            moved[login] = moved.get(login, ZERO) + _signed(operation)
    return moved


def _signed(operation: BrokerOperation) -> Decimal:
    amount: Decimal = operation.amount or ZERO
    return amount if operation.kind == BrokerOperation.Kind.DEPOSIT else -amount
