"""The simulator's memory on disk: one SQLite file, written before an effect is answered.

So state survives SIGKILL. In WAL mode a commit outlives the process, though the last ones may not outlive a power cut.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from brokers.simulator.accounts import Account, ClosedPosition, Position, Transfer, Unit
from brokers.simulator.calls import Call

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accounts (
    number INTEGER PRIMARY KEY, unit INTEGER NOT NULL, email TEXT NOT NULL, first_name TEXT NOT NULL,
    last_name TEXT NOT NULL, country TEXT NOT NULL, platform TEXT NOT NULL, created_at TEXT NOT NULL,
    enabled INTEGER NOT NULL, balance TEXT NOT NULL, leverage INTEGER NOT NULL, frozen INTEGER NOT NULL,
    ready_tick INTEGER NOT NULL, positions TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS transfers (
    account INTEGER NOT NULL, amount TEXT NOT NULL, kind TEXT NOT NULL, comment TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS closed_positions (
    id INTEGER NOT NULL, account INTEGER NOT NULL, unit INTEGER NOT NULL, symbol TEXT NOT NULL, lots REAL NOT NULL,
    quantity REAL NOT NULL, usd_quantity REAL NOT NULL, opened_at TEXT NOT NULL, open_price REAL NOT NULL,
    closed_at TEXT NOT NULL, close_price REAL NOT NULL, pl TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, call TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS closed_by_unit ON closed_positions (unit, closed_at);
CREATE INDEX IF NOT EXISTS closed_by_account ON closed_positions (account, closed_at);
"""
ACCOUNT_ROW = "INSERT OR REPLACE INTO accounts VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
TRANSFER_ROW = "INSERT INTO transfers VALUES (?,?,?,?,?)"
CLOSED_BY_UNIT = "SELECT * FROM closed_positions WHERE unit = ? AND closed_at BETWEEN ? AND ? ORDER BY closed_at"
CLOSED_BY_ACCOUNT = "SELECT * FROM closed_positions WHERE account = ? AND closed_at BETWEEN ? AND ? ORDER BY closed_at"
CLOSED_ROW = "INSERT INTO closed_positions VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"


class StoreError(Exception):
    """The file cannot be used; the text says why."""


class Store:
    """Load everything once, then save accounts and facts, each call one transaction."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=0.2)
            # One simulator per file: the lock is held until close, and the operating system drops it with the process.
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(SCHEMA)
        except (OSError, sqlite3.DatabaseError) as exc:
            why = "another simulator uses it" if "locked" in str(exc) else exc
            raise StoreError(f"Broker simulator cannot use {path}: {why}.") from exc

    def save(
        self, accounts: Iterable[Account] = (), facts: dict[str, object] | None = None, calls: Iterable[Call] = ()
    ) -> None:
        """Write these accounts with their new transfers and trades, these facts (JSON values) and calls, or nothing."""
        saved = list(accounts)
        new = [record for account in saved for record in account.unsaved]
        with self._db:
            self._db.executemany(ACCOUNT_ROW, map(_account_row, saved))
            self._db.executemany(TRANSFER_ROW, [_transfer_row(item) for item in new if isinstance(item, Transfer)])
            self._db.executemany(CLOSED_ROW, [_closed_row(item) for item in new if isinstance(item, ClosedPosition)])
            named = [(name, orjson.dumps(value).decode()) for name, value in (facts or {}).items()]
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?,?)", named)
            noted = [(call.id, orjson.dumps(call.row()).decode()) for call in calls]
            self._db.executemany("INSERT OR REPLACE INTO calls VALUES (?,?)", noted)
        for account in saved:
            account.unsaved.clear()

    def facts(self) -> dict[str, Any]:
        return {name: orjson.loads(value) for name, value in self._db.execute("SELECT name, value FROM facts")}

    def accounts(self, units: Sequence[Unit]) -> list[Account]:
        """Every account of these units with its transfers, by number."""
        by_id = {unit.id: unit for unit in units}
        rows = self._db.execute("SELECT * FROM accounts ORDER BY number")
        accounts = {row[0]: _account(row, by_id[row[1]]) for row in rows if row[1] in by_id}
        for number, amount, kind, comment, at in self._db.execute(
            "SELECT account, amount, kind, comment, at FROM transfers ORDER BY rowid"
        ):
            if number in accounts:
                transfer = Transfer(number, Decimal(amount), kind, comment, datetime.fromisoformat(at))
                accounts[number].transfers.append(transfer)
        return list(accounts.values())

    def closed_positions(
        self, *, unit: int, account: int | None, since: datetime, until: datetime
    ) -> list[ClosedPosition]:
        """Saved trades that closed within these times, both included, in the order of closing."""
        query, key = (CLOSED_BY_UNIT, unit) if account is None else (CLOSED_BY_ACCOUNT, account)
        return [_closed(row) for row in self._db.execute(query, (key, _text(since), _text(until)))]

    def calls(self, *, after: int, most: int) -> list[tuple[int, str]]:
        """Up to `most` calls that came after the one with this id, as id and JSON."""
        query = "SELECT id, call FROM calls WHERE id > ? ORDER BY id LIMIT ?"
        return self._db.execute(query, (after, most)).fetchall()

    def last_call_id(self) -> int:
        """The highest id among calls, 0 without any."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM calls").fetchone()[0])

    def last_account_number(self) -> int:
        """The highest account number, also of units that are not configured any more; 0 without any."""
        return int(self._db.execute("SELECT coalesce(max(number), 0) FROM accounts").fetchone()[0])

    def last_position_id(self) -> int:
        """The highest id among closed trades, 0 without any."""
        return int(self._db.execute("SELECT coalesce(max(id), 0) FROM closed_positions").fetchone()[0])

    def close(self) -> None:
        self._db.close()


def _text(moment: datetime) -> str:
    # Fixed width, so that text order is time order.
    return moment.isoformat(timespec="microseconds")


def _account_row(account: Account) -> tuple[object, ...]:
    positions = orjson.dumps([asdict(position) for position in account.positions], default=str).decode()
    return (
        account.number, account.unit.id, account.email, account.first_name, account.last_name, account.country,
        account.platform, _text(account.created_at), account.enabled, str(account.balance), account.leverage,
        account.frozen, account.ready_tick, positions,
    )  # fmt: skip


def _account(row: tuple[Any, ...], unit: Unit) -> Account:
    identity, (created_at, enabled, balance, leverage, frozen, ready_tick, positions) = row[2:7], row[7:]
    email, first_name, last_name, country, platform = identity
    account = Account(
        row[0], unit, email, first_name, last_name, country, platform, datetime.fromisoformat(created_at),
        bool(enabled), Decimal(balance), leverage, bool(frozen), ready_tick=ready_tick,
        positions=[_position(saved) for saved in orjson.loads(positions)],
    )  # fmt: skip
    account.refresh()
    return account


def _position(saved: dict[str, Any]) -> Position:
    exact = {name: Decimal(saved[name]) for name in ("pl", "anchor_pl")}
    return Position(**{**saved, **exact, "opened_at": datetime.fromisoformat(saved["opened_at"])})


def _transfer_row(transfer: Transfer) -> tuple[object, ...]:
    return (transfer.account, str(transfer.amount), transfer.kind, transfer.comment, _text(transfer.at))


def _closed_row(trade: ClosedPosition) -> tuple[object, ...]:
    return (
        trade.id, trade.account, trade.unit, trade.symbol, trade.lots, trade.quantity, trade.usd_quantity,
        _text(trade.opened_at), trade.open_price, _text(trade.closed_at), trade.close_price, str(trade.pl),
    )  # fmt: skip


def _closed(row: tuple[Any, ...]) -> ClosedPosition:
    number, account, unit, symbol, lots, quantity, usd_quantity, opened_at, open_price, closed_at, close_price, pl = row
    return ClosedPosition(
        number, account, unit, symbol, lots, quantity, usd_quantity, datetime.fromisoformat(opened_at), open_price,
        datetime.fromisoformat(closed_at), close_price, Decimal(pl),
    )  # fmt: skip
