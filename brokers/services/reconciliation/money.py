"""Whether an account's balance is what was paid in and out plus what its trades have earned.

Cheap for a whole unit: the balance may have changed by the trades closed and the money we moved since the last check,
or since the account was born. Where that does not explain it, every transfer and every closed trade of the account is
read; transfers can only be asked for account by account. Accounts that others pay into, such as a customer's own, are
left out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.client.base import AccountDetails, Broker, ClosedPosition, Transfer
from brokers.models import BalanceCheck, BrokerOperation, Difference, LedgerEntry, TradingAccount
from brokers.services.ledger import ledger_account
from brokers.services.reconciliation.findings import Books, Finding
from brokers.services.reconciliation.switches import is_opened_by_us
from propdesk.lib.money import CENT, as_text, cents

ZERO = Decimal(0)
ONE_SECOND = timedelta(seconds=1)
# Trades of a unit are read back this far at most: a list of a day's might be more than a reply may hold. Accounts that
# were checked longer ago are examined one by one.
LONGEST_WINDOW = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Examination:
    """What an account's whole history shows: `check` is kept, whatever was found."""

    check: BalanceCheck
    findings: list[Finding]


def concerned(books: Books) -> dict[int, TradingAccount]:
    """Accounts whose money is ours to explain: those that an order of ours has opened."""
    return {login: row for login, row in books.quiet.items() if is_opened_by_us(row)}


def checks_of(accounts: Mapping[int, TradingAccount]) -> dict[int, BalanceCheck]:
    by_id = {row.pk: row for row in accounts.values()}
    checks = {}
    for check in BalanceCheck.objects.filter(account_id__in=list(by_id)):
        check.account = by_id[check.account_id]
        checks[check.account.login] = check
    return checks


def births_of(accounts: Iterable[TradingAccount]) -> dict[int, BalanceCheck]:
    """Checks of the moment in which we made each of these accounts, with nothing in it.

    An account that we did not make has none: its beginning is not known to us.
    """
    marked = [row for row in accounts if row.marker]
    made = BrokerOperation.objects.filter(kind=BrokerOperation.Kind.CREATE, marker__in={row.marker for row in marked})
    born_at: dict[str, datetime] = dict(made.values_list("marker", "created_at"))
    return {row.login: _empty_since(born_at[row.marker], row) for row in marked if row.marker in born_at}


def _empty_since(moment: datetime, account: TradingAccount) -> BalanceCheck:
    return BalanceCheck(
        account=account, since=moment, start_balance=ZERO, start_transfers=0, checked_at=moment, examined_at=moment,
        balance=ZERO, gap=ZERO,
    )  # fmt: skip


def window_of(checks: Iterable[BalanceCheck], *, until: datetime) -> datetime:
    """From when on the unit's closed trades have to be read: one old check does not make it a long list."""
    recent = (check.checked_at for check in checks if check.checked_at >= until - LONGEST_WINDOW)
    return min(recent, default=until)


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
    recent = {login: check for login, check in checks.items() if check.checked_at >= since}
    moved = _moved_since(recent)
    return {
        login
        for login, check in recent.items()
        if _nothing(listed[login].balance - check.balance - earned.get(login, ZERO) - moved.get(login, ZERO))
    }


def examine(
    account: TradingAccount, check: BalanceCheck | None, broker: Broker, now: Callable[[], datetime]
) -> Examination | None:
    """Read the account's whole history since `check` began; None while it trades too fast to tell.

    Raises `BrokerError`.
    """
    as_of = now()
    balance = broker.account_details(login=account.login).balance
    transfers = sorted(broker.account_transfers(unit=account.group.unit, login=account.login), key=lambda each: each.at)
    check = check or BalanceCheck(
        account=account, since=as_of, start_balance=balance, start_transfers=len(transfers)
    )  # its beginning is not known to us: it is taken as found
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
    """Transfers that our ledger does not know. Equal amounts are taken in order: the latest are left over."""
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
    """What our ledger says has moved, also by calls that landed late."""
    return list(LedgerEntry.objects.filter(account=ledger_account(account)).values_list("amount", flat=True))


def _who_moved(account: TradingAccount, amount: Decimal) -> str:
    """An operation of that amount that did not end as done is the likely one."""
    others = account.operations.filter(kind__in=BrokerOperation.MONEY).exclude(status=BrokerOperation.Status.DONE)
    likely = next((each for each in others.order_by("-id") if _signed(each) == amount), None)
    if likely is not None:
        return f"Operation {likely.pk} is {likely.get_status_display()}, and asked for just this: its effect came late."
    return "Made at the broker by hand, or by another system."


def _moved_since(checks: Mapping[int, BalanceCheck]) -> dict[int, Decimal]:
    """The money that our ledger says has moved since each account's check."""
    oldest = min((check.checked_at for check in checks.values()), default=None)
    if oldest is None:
        return {}
    names = {ledger_account(check.account): login for login, check in checks.items()}
    entries = LedgerEntry.objects.filter(transaction__at__gt=oldest, account__in=list(names))
    moved: dict[int, Decimal] = {}
    for name, amount, at in entries.values_list("account", "amount", "transaction__at"):
        login = names[name]
        if at > checks[login].checked_at:
            moved[login] = moved.get(login, ZERO) + amount
    return moved


def _signed(operation: BrokerOperation) -> Decimal:
    amount: Decimal = operation.amount or ZERO
    return amount if operation.kind == BrokerOperation.Kind.DEPOSIT else -amount
