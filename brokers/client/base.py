"""A broker in our own words: what PropDesk may ask of one, whichever vendor it is.

Money is `Decimal` in the account's currency, times are aware UTC. Writes raise `RefusedError`, another `NotDoneError`
or `OutcomeUnknownError`; reads raise `RefusedError`, another `NotDoneError` or `NoDataError`.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What an account is created with. The password is for the broker's eyes only."""

    unit: int
    group: str
    email: str
    first_name: str
    last_name: str
    currency: str
    password: str = field(repr=False)
    is_enabled: bool = False


@dataclass(frozen=True, slots=True)
class AccountDetails:
    """An account as the broker keeps it; `balance` leaves out open positions."""

    login: int
    email: str
    group: str
    is_enabled: bool
    balance: Decimal


@dataclass(frozen=True, slots=True)
class AccountStats:
    """An account's figures of this moment. `margin` is above zero while positions are open."""

    login: int
    balance: Decimal
    equity: Decimal
    margin: Decimal
    free_margin: Decimal
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """An open position; `quantity` is negative when sold. `profit` floats."""

    login: int
    position_id: int
    symbol: str
    lots: Decimal
    quantity: Decimal
    opened_at: datetime
    open_price: Decimal
    profit: Decimal


@dataclass(frozen=True, slots=True)
class ClosedPosition:
    """A position that was closed; `quantity` is negative when it was sold. `profit` went into the balance."""

    login: int
    position_id: int
    symbol: str
    lots: Decimal
    quantity: Decimal
    opened_at: datetime
    open_price: Decimal
    closed_at: datetime
    close_price: Decimal
    profit: Decimal


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money that came (above zero) or went (below zero), as trading does not move it."""

    amount: Decimal
    kind: str
    at: datetime


class Broker(Protocol):
    """The calls. `unit` is the broker's id of a trading group, `login` an account number."""

    def ping(self) -> None: ...

    def units(self) -> dict[int, str]: ...

    def create_account(self, account: NewAccount) -> int: ...

    def deposit(self, *, unit: int, login: int, amount: Decimal, comment: str) -> Decimal: ...

    def withdraw(self, *, unit: int, login: int, amount: Decimal, comment: str) -> Decimal: ...

    def set_enabled(self, *, unit: int, login: int, enabled: bool) -> None: ...

    def close_all_positions(self, *, unit: int, login: int) -> None: ...

    def close_position(self, *, unit: int, login: int, position_id: int) -> None: ...

    def reset_password(self, *, unit: int, login: int, password: str) -> None: ...

    def account_details(self, *, login: int) -> AccountDetails: ...

    def accounts_details(self, *, unit: int) -> dict[int, AccountDetails]: ...

    def account_stats(self, *, unit: int, login: int) -> AccountStats: ...

    def accounts_stats(self, *, unit: int) -> dict[int, AccountStats]: ...

    def opened_positions(self, *, unit: int) -> list[OpenPosition]: ...

    def closed_positions(self, *, unit: int, since: datetime, until: datetime) -> list[ClosedPosition]: ...

    def account_closed_positions(
        self, *, unit: int, login: int, since: datetime, until: datetime
    ) -> list[ClosedPosition]: ...

    def account_transfers(self, *, unit: int, login: int) -> list[Transfer]: ...
