"""The ThinkMarkets prop API: its paths, payload shapes and oddities (the vendor's "Admin API" page).

Its page documents no status codes. A 4xx is taken for a refusal, 401 and 403 for a wrong key, 429 for throttling; every
other reply that is not the documented one leaves a write in doubt and a read without data.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from brokers.client.base import AccountDetails, AccountStats, ClosedPosition, NewAccount, OpenPosition, Transfer
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
    rows_in_string,
    whole,
)
from brokers.client.shapes import (
    by_login,
    closed_position,
    details,
    position,
    readable_stats,
    same_login,
    stats,
    transfer,
)
from brokers.client.transport import LARGE, SMALL, WHOLE_UNIT, Allowance, BrokenReplyError, Reply, Transport
from propdesk.lib.crash import crash

ROOT = "/cportal/prop"
# Every create request of the vendor's page names this country and this platform.
COUNTRY, PLATFORM = "ER", "ThinkTrader"
# Not a definite answer to what was asked: a proxy in between may have timed out.
UNDECIDED_4XX = (408, 421, 425, 499)
# How much of the broker's own words is kept.
MOST_WORDS = 300

T = TypeVar("T")


class ThinkMarkets:
    """The client; one method per endpoint, and one request per call."""

    def __init__(self, transport: Transport, *, transfers: Transport | None = None) -> None:
        """`transfers` serves account-transfers, for which the vendor's page names another key header."""
        self._transport = transport
        self._transfers = transfers or transport

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
        return self._send(
            "create", body, lambda value: Fields(_success(value)).integer("accountNumber"), secret=account.password
        )

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

    def close_position(self, *, unit: int, login: int, position_id: int) -> None:
        """Ask for it; only a reading shows whether it happened. The vendor names the position `orderrequestid` here."""
        self._write("close-position", {"accountNumber": login, "unit": unit, "orderrequestid": position_id}, _nothing)

    def reset_password(self, *, unit: int, login: int, password: str) -> None:
        """Set the account's password. Success is an empty object; nothing can be read back."""

        def expect_nothing(value: Any) -> None:
            if value != {}:
                raise MalformedError("The reply is not an empty object.")

        body = {"accountNumber": login, "unit": unit, "password": password}
        self._send("reset-password", body, expect_nothing, secret=password)

    def account_details(self, *, login: int) -> AccountDetails:
        def read(value: Any) -> AccountDetails:
            return same_login(details(Fields(value)), login)

        return self._read("POST", "/demo/accounts/account-details", {"accountNumber": login}, read)

    def accounts_details(self, *, unit: int) -> dict[int, AccountDetails]:
        """Every account of the unit by its number."""
        body = {"unit": unit}
        return self._read("POST", "/demo/accounts/accounts-details", body, lambda it: by_login(it, details), WHOLE_UNIT)

    def account_stats(self, *, unit: int, login: int) -> AccountStats:
        def read(value: Any) -> AccountStats:
            return same_login(stats(Fields(value)), login)

        return self._read("POST", "/demo/accounts/account-stats", {"unit": unit, "accountNumber": login}, read)

    def accounts_stats(self, *, unit: int) -> dict[int, AccountStats]:
        """The figures of every account of the unit by its number, as far as its row can be read."""
        body = {"unit": unit}
        return self._read("POST", "/demo/accounts/accounts-stats", body, readable_stats, WHOLE_UNIT)

    def opened_positions(self, *, unit: int) -> list[OpenPosition]:
        """The open positions of every account of the unit."""

        def read(value: Any) -> list[OpenPosition]:
            return [position(row) for row in rows_in_string(_success(value))]

        return self._read("POST", "/demo/accounts/opened-positions", {"unit": unit}, read, WHOLE_UNIT)

    def closed_positions(self, *, unit: int, since: datetime, until: datetime) -> list[ClosedPosition]:
        """The positions of every account of the unit that were closed from `since` to `until`, whole seconds."""

        def read(value: Any) -> list[ClosedPosition]:
            return [closed_position(row) for row in rows_in_string(_success(value), "message", wrapped=True)]

        body = {"unit": unit, "from": _iso(since), "to": _iso(until)}
        return self._read("POST", "/demo/accounts/closed-positions", body, read, WHOLE_UNIT)

    def account_closed_positions(
        self, *, unit: int, login: int, since: datetime, until: datetime
    ) -> list[ClosedPosition]:
        """The positions of one account that were closed from `since` to `until`, whole seconds."""

        def read(value: Any) -> list[ClosedPosition]:
            return [closed_position(row) for row in rows_in_string(_success(value), "message")]

        body = {"unit": unit, "accountNumber": login, "from": _iso(since), "to": _iso(until)}
        return self._read("POST", "/demo/accounts/account-closed-positions", body, read, LARGE)

    def account_transfers(self, *, unit: int, login: int) -> list[Transfer]:
        """Every transfer of the account."""

        def read(value: Any) -> list[Transfer]:
            return [transfer(row) for row in rows_in_string(_success(value))]

        body = {"accountNumber": login, "unit": unit}
        return self._read("POST", "/demo/accounts/account-transfers", body, read, LARGE, by=self._transfers)

    def _write(self, endpoint: str, body: dict[str, Any], read: Callable[[Fields], T]) -> T:
        return self._send(endpoint, body, lambda value: read(Fields(_success(value))))

    def _send(self, endpoint: str, body: dict[str, Any], read: Callable[[Any], T], *, secret: str = "") -> T:
        """Make a call that changes something. `secret` is what the broker's own words must not repeat to us."""
        try:
            crash(f"before call {endpoint}")
            reply = self._transport.send("POST", f"{ROOT}/demo/accounts/{endpoint}", body)
            crash(f"after call {endpoint}")
            _check_status(reply, otherwise=OutcomeUnknownError, secret=secret)
            return read(decode(reply.body))
        except (BrokenReplyError, MalformedError) as exc:
            raise OutcomeUnknownError(str(exc)) from None

    def _read(
        self, method: str, path: str, body: dict[str, Any] | None, read: Callable[[Any], T],
        allowance: Allowance = SMALL, *, by: Transport | None = None,
    ) -> T:  # fmt: skip
        try:
            reply = (by or self._transport).send(method, ROOT + path, body, allowance=allowance)
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


def _iso(moment: datetime) -> str:
    """ "2024-02-10T09:39:47", in UTC: the vendor does not name the zone."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def _check_status(reply: Reply, *, otherwise: type[BrokerError], secret: str = "") -> None:
    status = reply.status
    if status == 200:
        return
    if status in {401, 403}:
        raise KeyRefusedError(f"The broker does not accept our key ({status}).")
    if status == 429:
        raise ThrottledError("The broker asks us to slow down (429).")
    if 400 <= status < 500 and status not in UNDECIDED_4XX:
        raise RefusedError(_words(reply, secret))
    raise otherwise(f"The broker answered {status}.")


def _words(reply: Reply, secret: str) -> str:
    """The broker's own message without the secret, or the status where it sent none."""
    try:
        message = Fields(decode(reply.body)).text("message")
    except MalformedError:
        message = ""
    if secret:
        message = message.replace(secret, "***")
    return message[:MOST_WORDS] or f"The broker answered {reply.status}."


def _success(value: Any) -> Any:
    if Fields(value).text("status") != "success":
        raise MalformedError("status: not success.")
    return value


def _nothing(_reply: Fields) -> None:
    return None
