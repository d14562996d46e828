"""What a reading of a unit shows that our books do not: comparisons only, without calls and without writing.

An account that is being worked on is not judged: what its operation is about to change is no difference yet. Of a
customer's own account our books want nothing until an operation of ours has switched it: others do so as they like.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.conf import settings

from brokers.client.base import AccountDetails, OpenPosition
from brokers.models import AccountOrder, BrokerConnection, BrokerOperation, Difference, TradingAccount
from brokers.services.reconciliation.switches import changing, is_opened_by_us, switches

Kind = Difference.Kind
Switch, Status = BrokerOperation.Kind, BrokerOperation.Status
ENDED_BADLY = (AccountOrder.Status.FAILED, AccountOrder.Status.CANCELLED)
AT_WORK = (AccountOrder.Status.REQUESTED, AccountOrder.Status.OPENING)


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference as one reading shows it."""

    kind: Difference.Kind
    login: int
    ours: str
    theirs: str
    cause: str
    account: TradingAccount | None = None
    order: AccountOrder | None = None
    detail: str = ""
    gap: Decimal | None = None

    @property
    def key(self) -> tuple[int, str, str]:
        return self.login, self.kind.value, self.detail


@dataclass(slots=True)
class Judged:
    """What a reading shows, and of which accounts it can tell: only theirs are gone when they are not found.

    `switched_by_others` are the accounts of which we only keep how they are, by whether they are enabled now.
    """

    findings: list[Finding] = field(default_factory=list)
    logins: dict[Difference.Kind, set[int]] = field(default_factory=dict)
    switched_by_others: dict[bool, list[int]] = field(default_factory=dict)

    def add(self, kind: Difference.Kind, logins: Iterable[int], findings: Iterable[Finding] = ()) -> None:
        self.logins.setdefault(kind, set()).update(logins)
        self.findings.extend(findings)


@dataclass(frozen=True, slots=True)
class Books:
    """Our side of a unit: all accounts, and of these the `quiet` ones, which nothing is changing just now."""

    accounts: Mapping[int, TradingAccount]
    quiet: Mapping[int, TradingAccount]
    switched: Mapping[int, BrokerOperation]


def read_books(connection: BrokerConnection, unit: int, *, since: datetime, now: datetime) -> Books:
    """Our accounts of the unit. Whatever was written at or after `since` may be younger than the broker's answer."""
    rows = TradingAccount.objects.filter(connection=connection, group__unit=unit).select_related("group", "order")
    operations = BrokerOperation.objects.filter(account__connection=connection, account__group__unit=unit)
    accounts = {row.login: row for row in rows}
    ours = switches().filter(account__connection=connection, account__group__unit=unit)
    latest = ours.order_by("account_id", "-id").distinct("account_id").select_related("account")
    switched = {each.account.login: each for each in latest if each.account is not None}
    # Last, and in this order: what is asked for after the switches were read is open here, or touched just now.
    busy = set(changing(operations, now=now).values_list("account__login", flat=True))
    busy |= set(operations.filter(updated_at__gte=since).values_list("account__login", flat=True))
    busy |= {login for login, row in accounts.items() if row.created_at >= since or _is_being_opened(row)}
    return Books(accounts, {login: row for login, row in accounts.items() if login not in busy}, switched)


def _is_being_opened(account: TradingAccount) -> bool:
    """Its order may yet take out money that landed twice, and enables it last."""
    return account.order is not None and account.order.status in AT_WORK


def wanted(account: TradingAccount, books: Books) -> tuple[bool, str] | None:
    """Whether the account should be enabled, and why we think so; None where that is not ours to say."""
    if account.is_orphan:
        return False, "It is an extra account that a lost reply left behind"
    if account.order is not None and account.order.status in ENDED_BADLY:
        return False, f"Its order {account.order.reference} is {account.order.get_status_display()}"
    switch = books.switched.get(account.login)
    if switch is None and not is_opened_by_us(account):
        return None
    if switch is None:
        return account.is_enabled, f"We last read it {_state(account.is_enabled)}, and no operation has changed that"
    verb = "Enabling" if switch.kind == Switch.ENABLE else "Disabling"
    words = f"{verb} it for {switch.subject} (operation {switch.pk}) {_standing(switch)}"
    return switch.kind == Switch.ENABLE, words


def _standing(switch: BrokerOperation) -> str:
    if switch.status == Status.NEEDS_REVIEW:
        return "waits in review"
    if switch.status == Status.DONE:
        return f"was read back {switch.updated_at:%Y-%m-%d %H:%M} UTC"
    return f"is to be done once more at {switch.next_at:%Y-%m-%d %H:%M} UTC"


def wrongly_switched(books: Books, listed: Mapping[int, AccountDetails]) -> list[Finding]:
    """Accounts that are enabled and should not be, or the other way round."""
    found = []
    for login, account in books.quiet.items():
        row, opinion = listed.get(login), wanted(account, books)
        if row is None or opinion is None:
            continue
        should, why = opinion
        if row.is_enabled != should:
            since = "it was switched at the broker since" if login in books.switched else "the broker says otherwise"
            kind = Kind.ENABLED if row.is_enabled else Kind.DISABLED
            found.append(
                Finding(kind, login, _state(should), _state(row.is_enabled), f"{why}; {since}.", account=account)
            )
    return found


def switched_by_others(books: Books, listed: Mapping[int, AccountDetails]) -> dict[bool, list[int]]:
    """The accounts that are otherwise than we last read them without that being a difference, by how they are now."""
    found: dict[bool, list[int]] = {}
    for login, account in books.quiet.items():
        row = listed.get(login)
        if row is not None and row.is_enabled != account.is_enabled and wanted(account, books) is None:
            found.setdefault(row.is_enabled, []).append(account.pk)
    return found


def not_flat(books: Books, positions: Iterable[OpenPosition]) -> list[Finding]:
    """Accounts that must not trade and have open positions."""
    open_now: dict[int, list[OpenPosition]] = {}
    for position in positions:
        open_now.setdefault(position.login, []).append(position)
    found = []
    for login, account in books.quiet.items():
        opinion = wanted(account, books) if login in open_now else None
        if opinion is None:
            continue
        should, why = opinion
        if not should:
            names = ", ".join(sorted({each.symbol for each in open_now[login]}))
            theirs = f"{len(open_now[login])} open: {names}"
            cause = f"{why}; positions were left open or opened again since."
            found.append(Finding(Kind.OPEN_POSITIONS, login, "flat", theirs, cause, account=account))
    return found


def unknown(connection: BrokerConnection, books: Books, listed: Mapping[int, AccountDetails]) -> list[Finding]:
    """Accounts in our unit that no row of ours tells about, unless an order is about to find them."""
    strangers = [row for login, row in listed.items() if login not in books.accounts]
    creations = _creations(connection, [row.email.lower() for row in strangers])
    found = []
    for row in strangers:
        creation = creations.get(row.email.lower())
        order = creation.order if creation else None
        if order is not None and order.status in AT_WORK:
            continue
        theirs = f"{row.email}, {_state(row.is_enabled)}, balance {row.balance:,.2f}"
        found.append(Finding(Kind.UNKNOWN_ACCOUNT, row.login, "not known", theirs, _origin(row, creation), order=order))
    return found


def _creations(connection: BrokerConnection, emails: Collection[str]) -> dict[str, BrokerOperation]:
    made = BrokerOperation.objects.filter(connection=connection, kind=Switch.CREATE, marker__in=emails)
    return {each.marker.lower(): each for each in made.select_related("order__group")}


def _origin(row: AccountDetails, creation: BrokerOperation | None) -> str:
    if creation is not None and creation.order is not None:
        waits = creation.order.status == AccountOrder.Status.NEEDS_REVIEW
        tail = "resume or cancel the order, which will find it" if waits else "a lost reply left it behind"
        return f"It carries the marker of operation {creation.pk} for order {creation.order.reference}: {tail}."
    if row.email.lower().endswith(f"@{settings.ACCOUNT_EMAIL_DOMAIN}".lower()):
        return "Its address is one of ours, but no operation here has made it: another PropDesk may share the unit."
    return "Opened at the broker by someone else: by hand, or by another system that shares the unit."


def missing(books: Books, listed: Collection[int]) -> list[TradingAccount]:
    """Our accounts that the broker did not list."""
    return [account for login, account in books.quiet.items() if login not in listed]


def missing_finding(account: TradingAccount, details: AccountDetails | None) -> Finding | None:
    """`details` is what the broker answers when asked for the account by its number.

    None when that says that the account is where we have it: then it is the lists that are wrong.
    """
    if details is None:
        theirs, cause = "no such account", "Deleted at the broker; what it held went with it."
    elif details.group == account.group.broker_group:
        return None
    else:
        theirs, cause = "not in the unit's list", "The broker still knows the number: it was moved to another unit."
    ours = "enabled" if account.is_enabled else "disabled"
    return Finding(Kind.MISSING_ACCOUNT, account.login, ours, theirs, cause, account=account)


def _state(is_enabled: bool) -> str:  # noqa: FBT001  (the one thing it is about)
    return "enabled" if is_enabled else "disabled"
