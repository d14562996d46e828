"""The ThinkMarkets prop API: its paths, payload shapes and oddities (the vendor's "Admin API" page).

Its page documents no status codes. A 4xx is taken for a refusal, 401 and 403 for a wrong key, 429 for throttling; every
other reply that is not the documented one leaves a write in doubt and a read without data.
"""

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from brokers.client.base import AccountDetails, AccountStats, NewAccount, OpenPosition, Transfer
from brokers.client.errors import (
    BrokerError,
    KeyRefusedError,
    NoDataError,
    OutcomeUnknownError,
    RefusedError,
    ThrottledError,
)
from brokers.client.payloads import (
    Fields,
    MalformedError,
    decode,
    decode_read,
    rows,
    rows_in_string,
    whole,
)
from brokers.client.transport import BULK_REPLY, SMALL_REPLY, BrokenReplyError, Reply, Transport
from propdesk.lib.crash import crash

ROOT = "/cportal/prop"
# Every create request of the vendor's page names this country and this platform.
COUNTRY, PLATFORM = "ER", "ThinkTrader"
OUT = ("WITHDRAW", "WITHDRAWAL")
# Not a definite answer to what was asked: a proxy in between may have timed out.
UNDECIDED_4XX = (408, 421, 425, 499)

T = TypeVar("T")

logger = logging.getLogger(__name__)


class ThinkMarkets:
    """The client; one method per endpoint, and one request per call."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ping(self) -> None:
        def expect_200(value: Any) -> None:
            if Fields(value).integer("status") != 200:
                raise MalformedError("status: not 200.")

        self._read("GET", "/ping", None, expect_200)

    def units(self) -> dict[int, str]:
        def read(value: Any) -> dict[int, str]:
            if not isinstance(value, dict) or not all(key.isdecimal() and key.isascii() for key in value):
                raise MalformedError("The reply is not a map of units.")
            return {whole("unit", int(key)): Fields(value).text(key) for key in value}

        return self._read("POST", "/demo/units/get-all", {}, read)

    def create_account(self, account: NewAccount) -> int:
        body = {
            "email": account.email,
            "firstName": account.first_name,
            "lastName": account.last_name,
            "group": account.group,
            "unit": account.unit,
            "enabled": account.is_enabled,
            "currency": account.currency,
            "platform ": PLATFORM,  # the trailing space is the vendor's
            "country": COUNTRY,
            "password": account.password,
        }
        return self._write("create", body, lambda reply: reply.integer("accountNumber"))

    def deposit(self, *, unit: int, login: int, amount: Decimal, comment: str) -> Decimal:
        """Pay in; returns the balance afterwards."""
        body = {"accountNumber": login, "unit": unit, "amount": _double(amount), "comment": comment}
        return self._write("deposit", body, lambda reply: reply.number("accountBalance"))

    def withdraw(self, *, unit: int, login: int, amount: Decimal, comment: str) -> Decimal:
        """Take out; returns the balance afterwards."""
        body = {"accountNumber": login, "unit": unit, "amount": _double(amount), "comment": comment}
        return self._write("withdraw", body, lambda reply: reply.number("accountBalance"))

    def set_enabled(self, *, unit: int, login: int, enabled: bool) -> None:
        """Ask for it; the reply names no account, so only reading the details shows whether it happened."""
        self._write("enable", {"enable": enabled, "unit": unit, "accountNumbers": [login]}, _nothing)

    def close_all_positions(self, *, unit: int, login: int) -> None:
        """Ask for it; only a reading shows whether it happened."""
        self._write("close-all-positions", {"accountNumber": login, "unit": unit}, _nothing)

    def account_details(self, *, login: int) -> AccountDetails:
        def read(value: Any) -> AccountDetails:
            return _same_login(_details(Fields(value)), login)

        return self._read("POST", "/demo/accounts/account-details", {"accountNumber": login}, read)

    def accounts_details(self, *, unit: int) -> dict[int, AccountDetails]:
        """Every account of the unit by its number."""
        body = {"unit": unit}
        return self._read(
            "POST", "/demo/accounts/accounts-details", body, lambda it: _by_login(it, _details), BULK_REPLY
        )

    def account_stats(self, *, unit: int, login: int) -> AccountStats:
        def read(value: Any) -> AccountStats:
            return _same_login(_stats(Fields(value)), login)

        return self._read("POST", "/demo/accounts/account-stats", {"unit": unit, "accountNumber": login}, read)

    def accounts_stats(self, *, unit: int) -> dict[int, AccountStats]:
        """The figures of every account of the unit by its number, as far as its row can be read."""
        body = {"unit": unit}
        return self._read("POST", "/demo/accounts/accounts-stats", body, _readable_stats, BULK_REPLY)

    def opened_positions(self, *, unit: int) -> list[OpenPosition]:
        """The open positions of every account of the unit."""

        def read(value: Any) -> list[OpenPosition]:
            return [_position(row) for row in rows_in_string(_success(value))]

        return self._read("POST", "/demo/accounts/opened-positions", {"unit": unit}, read, BULK_REPLY)

    def account_transfers(self, *, unit: int, login: int) -> list[Transfer]:
        """Every transfer of the account."""

        def read(value: Any) -> list[Transfer]:
            return [_transfer(row) for row in rows_in_string(_success(value))]

        body = {"accountNumber": login, "unit": unit}
        return self._read("POST", "/demo/accounts/account-transfers", body, read, BULK_REPLY)

    def _write(self, endpoint: str, body: dict[str, Any], read: Callable[[Fields], T]) -> T:
        try:
            crash(f"before call {endpoint}")
            reply = self._transport.send("POST", f"{ROOT}/demo/accounts/{endpoint}", body)
            crash(f"after call {endpoint}")
            _check_status(reply, otherwise=OutcomeUnknownError)
            return read(Fields(_success(decode(reply.body))))
        except (BrokenReplyError, MalformedError) as exc:
            raise OutcomeUnknownError(str(exc)) from None

    def _read(
        self, method: str, path: str, body: dict[str, Any] | None, read: Callable[[Any], T], most: int = SMALL_REPLY
    ) -> T:
        try:
            reply = self._transport.send(method, ROOT + path, body, most=most)
            _check_status(reply, otherwise=NoDataError)
            return read(decode_read(reply.body))
        except (BrokenReplyError, MalformedError) as exc:
            raise NoDataError(str(exc)) from None


def _double(amount: Decimal) -> float:
    """The wire format is a double; an amount that one cannot hold exactly enough is never sent."""
    double = float(amount)
    if Decimal(repr(double)) != amount:
        raise RefusedError("The amount has more digits than the broker's number format can carry.")
    return double


def _check_status(reply: Reply, *, otherwise: type[BrokerError]) -> None:
    status = reply.status
    if status == 200:
        return
    if status in {401, 403}:
        raise KeyRefusedError(f"The broker does not accept our key ({status}).")
    if status == 429:
        raise ThrottledError("The broker asks us to slow down (429).")
    if 400 <= status < 500 and status not in UNDECIDED_4XX:
        raise RefusedError(_words(reply))
    raise otherwise(f"The broker answered {status}.")


def _words(reply: Reply) -> str:
    """The broker's own message, or the status where it sent none."""
    try:
        message = Fields(decode(reply.body)).text("message")
    except MalformedError:
        message = ""
    return message[:300] or f"The broker answered {reply.status}."


def _success(value: Any) -> Any:
    if Fields(value).text("status") != "success":
        raise MalformedError("status: not success.")
    return value


def _nothing(_reply: Fields) -> None:
    return None


def _details(row: Fields) -> AccountDetails:
    return AccountDetails(
        login=row.integer("accountNumber"),
        email=row.text("email"),
        group=row.text("group"),
        is_enabled=row.flag("enabled"),
        balance=row.number("balance"),
    )


def _stats(row: Fields) -> AccountStats:
    return AccountStats(
        login=row.integer("accountNumber"),
        balance=row.number("balance"),
        equity=row.number("equity"),
        margin=row.number("margin"),
        free_margin=row.number("freeMargin"),
        pnl=row.number("pnl"),
    )


def _position(row: Fields) -> OpenPosition:
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


def _transfer(row: Fields) -> Transfer:
    kind, amount = row.text("type"), row.number_in_string("amount")
    if kind.upper() in OUT:
        amount = -abs(amount)
    return Transfer(amount=amount, kind=kind, at=row.spaced_time("createdDate"))


Row = TypeVar("Row", AccountDetails, AccountStats)


def _by_login(value: Any, read: Callable[[Fields], Row]) -> dict[int, Row]:
    """Rows by account number. The same row twice is harmless; two that differ make the whole answer untrustworthy."""
    found: dict[int, Row] = {}
    for fields in rows(value):
        row = read(fields)
        if found.setdefault(row.login, row) != row:
            raise MalformedError(f"accountNumber: {row.login} occurs twice with different figures.")
    return found


def _readable_stats(value: Any) -> dict[int, AccountStats]:
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
            row = _stats(Fields(each))
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


def _same_login(row: Row, login: int) -> Row:
    if row.login != login:
        raise MalformedError("accountNumber: not the account that was asked for.")
    return row
