"""The rows of the ThinkMarkets API in our words: exact figures, one spelling of direction and ids, times in UTC."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from brokers.client.base import AccountDetails, AccountStats, ClosedPosition, OpenPosition, Transfer
from brokers.client.payloads import Fields, MalformedError, rows

OUT = ("WITHDRAW", "WITHDRAWAL")

logger = logging.getLogger(__name__)


def details(row: Fields) -> AccountDetails:
    return AccountDetails(
        login=row.integer("accountNumber"),
        email=row.text("email"),
        group=row.text("group"),
        is_enabled=row.flag("enabled"),
        balance=row.number("balance"),
    )


def stats(row: Fields) -> AccountStats:
    return AccountStats(
        login=row.integer("accountNumber"),
        balance=row.number("balance"),
        equity=row.number("equity"),
        margin=row.number("margin"),
        free_margin=row.number("freeMargin"),
        pnl=row.number("pnl"),
    )


def position(row: Fields) -> OpenPosition:
    return OpenPosition(
        login=row.integer("accountId"),
        position_id=row.integer("positionId"),
        symbol=row.text("symbol"),
        lots=row.number("lots"),
        quantity=row.number("quantity"),
        opened_at=row.milliseconds("openTime"),
        open_price=row.number("openPrice"),
        profit=row.number("realTimePL"),
    )


def closed_position(row: Fields) -> ClosedPosition:
    """Quantities are unsigned here, unlike in open positions; the direction tells."""
    direction, quantity = row.text("direction").lower(), abs(row.number("quantity"))
    if direction not in {"buy", "sell"}:
        raise MalformedError("direction: neither buy nor sell.")
    return ClosedPosition(
        login=row.integer("accountId"),
        position_id=row.integer("tradeId"),
        symbol=row.text("symbol"),
        lots=row.number("lots"),
        quantity=quantity if direction == "buy" else -quantity,
        opened_at=row.spaced_time("openTimeUTC"),
        open_price=row.number("openPrice"),
        closed_at=row.spaced_time("closeTimeUTC"),
        close_price=row.number("closePrice"),
        profit=row.number("profitLoss"),
    )


def transfer(row: Fields) -> Transfer:
    kind, amount = row.text("type"), row.number_in_string("amount")
    if kind.upper() in OUT:
        amount = -abs(amount)
    return Transfer(amount=amount, kind=kind, at=row.spaced_time("createdDate"))


Row = TypeVar("Row", AccountDetails, AccountStats)


def by_login(value: Any, read: Callable[[Fields], Row]) -> dict[int, Row]:
    """Rows by account number. The same row twice is harmless; two that differ make the whole answer untrustworthy."""
    found: dict[int, Row] = {}
    for fields in rows(value):
        row = read(fields)
        if found.setdefault(row.login, row) != row:
            raise MalformedError(f"accountNumber: {row.login} occurs twice with different figures.")
    return found


def readable_stats(value: Any) -> dict[int, AccountStats]:
    """The rows by account number, without those that say nothing certain.

    A row that cannot be read, or that contradicts another one of its account, is no data for that account and spoils no
    other. Where no row at all can be read, neither can the answer. Details are not read like this: an account that is
    left out there counts as absent.
    """
    if not isinstance(value, list):
        raise MalformedError("The reply is not a JSON array.")
    found: dict[int, AccountStats] = {}
    uncertain: set[int] = set()
    problems: list[str] = []
    for each in value:
        try:
            row = stats(Fields(each))
            if found.setdefault(row.login, row) != row:
                raise MalformedError(f"accountNumber: {row.login} occurs twice with different figures.")
        except MalformedError as exc:
            problems.append(str(exc))
            uncertain.update(_numbers_in(each))
    readable = {login: row for login, row in found.items() if login not in uncertain}
    if problems and not readable:
        raise MalformedError(problems[0])
    if problems:
        logger.warning("%d of %d rows of accounts-stats are unreadable: %s", len(problems), len(value), problems[0])
    return readable


def _numbers_in(row: Any) -> set[int]:
    """The account number that an unreadable row names, if it does."""
    number = row.get("accountNumber") if isinstance(row, dict) else None
    return {number} if isinstance(number, int) else set()


def same_login(row: Row, login: int) -> Row:
    if row.login != login:
        raise MalformedError("accountNumber: not the account that was asked for.")
    return row
