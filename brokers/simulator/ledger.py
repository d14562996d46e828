"""Everything that changes an account.

Each broker call is one method, committed before it returns, together with the oracle's note of it, or refused with
nothing changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import count

from brokers.simulator.accounts import Account, ClosedPosition, Position, Transfer, Unit
from brokers.simulator.calls import Call
from brokers.simulator.market import Market
from brokers.simulator.refusals import RefusedError
from brokers.simulator.store import Store

FIRST_ACCOUNT = 49600001
FIRST_POSITION = 100776741
# A new trader looks around before the first trade, so that a purchase can finish on untouched figures.
WAIT_TICKS = (30, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a create call asks for, already checked for shape."""

    unit: int
    group: str
    email: str
    first_name: str
    last_name: str
    currency: str
    country: str
    platform: str
    enabled: bool


class Ledger:
    """All accounts, in memory and on disk. `touched` are those the market's traders changed since the last save."""

    def __init__(self, *, units: Sequence[Unit], store: Store, market: Market) -> None:
        self.units = {unit.id: unit for unit in units}
        self.market = market
        self._store = store
        self._accounts = {account.number: account for account in store.accounts(units)}
        self._by_unit: dict[int, dict[int, Account]] = {unit: {} for unit in self.units}
        self.touched: dict[int, Account] = {}
        open_ids = (position.id for account in self._accounts.values() for position in account.positions)
        self._position_ids = count(max([FIRST_POSITION - 1, store.last_position_id(), *open_ids]) + 1)
        self._account_numbers = count(max(FIRST_ACCOUNT - 1, store.last_account_number()) + 1)
        trading = set(store.facts().get("trading", ()))
        for account in self._accounts.values():
            account.trades = account.number in trading
            self._by_unit[account.unit.id][account.number] = account
            self.mark(account)

    # Reading

    def unit(self, unit: int) -> Unit:
        if unit not in self.units:
            raise RefusedError(f"Unknown unit {unit}.")
        return self.units[unit]

    def account(self, number: int, unit: int | None = None) -> Account:
        """The account; with `unit`, only if it belongs there."""
        if unit is not None:
            self.unit(unit)
        account = self._accounts.get(number)
        if account is None or (unit is not None and account.unit.id != unit):
            raise RefusedError(f"Unknown account {number}.")
        return account

    def accounts(self, unit: int | None = None) -> list[Account]:
        """The accounts of one unit, or all, oldest first."""
        return list((self._accounts if unit is None else self._by_unit[self.unit(unit).id]).values())

    def closed_positions(
        self, *, unit: int, number: int | None, since: datetime, until: datetime
    ) -> list[ClosedPosition]:
        """Trades closed from `since` to `until`, both included; of one account when `number` is given."""
        self.unit(unit)
        if number is not None:
            self.account(number, unit)
        self.save_touched()
        return self._store.closed_positions(unit=unit, account=number, since=since, until=until)

    # Broker calls

    def create(self, application: Application, *, call: Call, now: datetime) -> Account:
        unit = self.unit(application.unit)
        if application.group != unit.group:
            raise RefusedError(f"Unknown group {application.group!r} in unit {unit.id}.")
        if application.currency != unit.currency:
            raise RefusedError(f"Group {unit.group!r} has currency {unit.currency}.")

        account = Account(
            next(self._account_numbers), unit, application.email, application.first_name, application.last_name,
            application.country, application.platform, now, application.enabled,
        )  # fmt: skip
        self._welcome(account)
        self._carry_out(call, [account], now=now)
        self._accounts[account.number] = self._by_unit[unit.id][account.number] = account
        return account

    def deposit(self, *, number: int, unit: int, amount: Decimal, comment: str, call: Call, now: datetime) -> Account:
        account = self.account(number, unit)
        account.balance += amount
        return self._transfer(account, Transfer(number, amount, "DEPOSIT", comment, now), call)

    def withdraw(self, *, number: int, unit: int, amount: Decimal, comment: str, call: Call, now: datetime) -> Account:
        account = self.account(number, unit)
        if amount > account.withdrawable:
            raise RefusedError(f"Insufficient funds: {account.withdrawable} may be withdrawn.")
        account.balance -= amount
        return self._transfer(account, Transfer(number, amount, "WITHDRAWAL", comment, now), call)

    def set_enabled(
        self, *, unit: int, numbers: Iterable[int], enabled: bool, only_half: bool, call: Call, now: datetime
    ) -> None:
        """Enable or disable these accounts; with `only_half`, the first half of them, rounded down."""
        accounts = [self.account(number, unit) for number in numbers]
        if only_half:
            accounts = accounts[: len(accounts) // 2]
        for account in accounts:
            if enabled and not account.enabled:
                self._welcome(account)
            account.enabled = enabled
        self._carry_out(call, accounts, now=now)

    def reset_password(self, *, number: int, unit: int, call: Call, now: datetime) -> None:
        """Note the call; passwords are not kept."""
        self._carry_out(call, [self.account(number, unit)], now=now)

    def close_all(self, *, number: int, unit: int, call: Call, now: datetime) -> None:
        account = self.account(number, unit)
        for position in tuple(account.positions):
            self.realise(account, position, now=now)
        self._carry_out(call, [account], now=now)

    def close_position(self, *, number: int, unit: int, position_id: int, call: Call, now: datetime) -> None:
        account = self.account(number, unit)
        position = next((position for position in account.positions if position.id == position_id), None)
        if position is None:
            raise RefusedError(f"Unknown position {position_id} in account {number}.")
        self.realise(account, position, now=now)
        self._carry_out(call, [account], now=now)

    # The control surface

    def open_many(
        self, unit: int, emails: Iterable[str], *, enabled: bool, deposits: Sequence[Decimal], now: datetime
    ) -> list[Account]:
        """Accounts with these addresses, each holding these deposits; behind the oracle's back, in one commit."""
        own = self.unit(unit)
        accounts = []
        for email in emails:
            account = Account(
                next(self._account_numbers), own, email, "Bulk", "Account", "ER", "ThinkTrader", now, enabled
            )
            account.balance = sum(deposits, account.balance)
            account.transfers = [Transfer(account.number, amount, "DEPOSIT", "", now) for amount in deposits]
            account.unsaved.extend(account.transfers)
            self._welcome(account)
            accounts.append(account)
        self._store.save(accounts)
        for account in accounts:
            self._accounts[account.number] = self._by_unit[unit][account.number] = account
        return accounts

    # What traders and the control surface build on; these do not save.

    def next_position_id(self) -> int:
        return next(self._position_ids)

    def mark(self, account: Account) -> None:
        """Value an account's positions at the market, if the market moves it at all."""
        if not account.positions or not account.follows_market:
            return
        for position in account.positions:
            if position.symbol in self.market.quotes:
                position.mark(self.market.quotes[position.symbol])
        account.refresh()

    def realise(self, account: Account, position: Position, *, now: datetime) -> None:
        """Close a position at its present profit or loss."""
        account.positions.remove(position)
        account.balance += position.pl
        account.unsaved.append(
            ClosedPosition(
                position.id, account.number, account.unit.id, position.symbol, position.lots, position.quantity,
                position.usd_quantity, position.opened_at, position.open_price, now, self._close_price(position),
                position.pl,
            )
        )  # fmt: skip
        account.refresh()

    def release(self, account: Account) -> None:
        """Give a frozen account back to the market, its positions going on from their present figures."""
        for position in account.positions:
            if position.symbol in self.market.quotes:
                position.anchor(self.market.quotes[position.symbol])
        account.frozen = False

    def let_trade(self, account: Account, *, trades: bool) -> None:
        """Let an account trade although its unit stands still, or no more; on disk as well."""
        if trades:
            self._welcome(account)
        account.trades = trades
        trading = [each.number for each in self._accounts.values() if each.trades]
        self._store.save([account], {"trading": trading})

    def run_market(self, *, running: bool) -> None:
        """Let the market run or stand still, on disk as well."""
        self.market.running = running
        # A tick that this call stopped half-way has reached some accounts only.
        for account in self._accounts.values():
            self.mark(account)
        self.save_touched()

    def save(self, accounts: Iterable[Account]) -> None:
        self._store.save(accounts)

    def save_touched(self, limit: int | None = None) -> bool:
        """Save up to `limit` accounts that traders changed, with the market's prices; false when some are left."""
        numbers = list(self.touched)[:limit]
        accounts = [self.touched.pop(number) for number in numbers]
        market = {"ticks": self.market.ticks, "prices": self.market.prices, "running": self.market.running}
        self._store.save(accounts, {"market": market})
        return not self.touched

    def _transfer(self, account: Account, transfer: Transfer, call: Call) -> Account:
        account.transfers.append(transfer)
        account.unsaved.append(transfer)
        self._carry_out(call, [account], now=transfer.at)
        return account

    def _carry_out(self, call: Call, accounts: Sequence[Account], *, now: datetime) -> None:
        """Commit what a call did to these accounts."""
        call.apply([account.number for account in accounts], now=now)
        self._store.save(accounts, calls=[call])

    def _welcome(self, account: Account) -> None:
        shortest, longest = WAIT_TICKS
        spread = account.number * 7919 % (longest - shortest + 1)
        account.ready_tick = self.market.ticks + shortest + spread

    def _close_price(self, position: Position) -> float:
        quote = self.market.quotes.get(position.symbol)
        per_point = position.quantity * (quote.usd_per_point if quote else 1.0)
        if not per_point:
            return position.open_price
        return round(position.open_price + float(position.pl) / per_point, quote.digits if quote else 5)
