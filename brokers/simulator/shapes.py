"""The vendor's JSON shapes. Only here does money become floats, and here live the four ways to write a time."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from brokers.simulator.accounts import Account, ClosedPosition, Position, Transfer

# So many rows are encoded before other requests get their turn.
SLICE = 2000

Row = dict[str, Any]


async def encode_rows(accounts: Sequence[Account], row: Callable[[Account], Row]) -> bytes:
    """A JSON array with one object per account."""
    return await encode_lists(accounts, lambda account: [row(account)])


async def encode_lists(accounts: Sequence[Account], rows: Callable[[Account], list[Row]]) -> bytes:
    """A JSON array of the objects of all accounts, one account after the other."""
    slices = []
    for start in range(0, len(accounts), SLICE):
        some = [row for account in accounts[start : start + SLICE] for row in rows(account)]
        if some:
            slices.append(orjson.dumps(some)[1:-1])
        await asyncio.sleep(0)
    return b"[" + b",".join(slices) + b"]"


def iso(moment: datetime) -> str:
    """ "2024-02-10T09:39:47": UTC, without saying so."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"


def spaced(moment: datetime) -> str:
    """ "2024-02-10 09:20:47"."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def spaced_with_fraction(moment: datetime) -> str:
    """ "2024-06-18 14:30:16.273", or "2024-06-18 14:30:28.41": the third decimal is left out when it is 0."""
    return f"{spaced(moment)}.{moment.microsecond // 1000:03d}".removesuffix("0")


def epoch_milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def details(account: Account) -> Row:
    return {
        "accountNumber": account.number,
        "firstName": account.first_name,
        "lastName": account.last_name,
        "email": account.email,
        "group": account.unit.group,
        "enabled": account.enabled,
        "createdDate": iso(account.created_at),
        "leverage": account.leverage,
        "balance": float(account.balance),
    }


def stats(account: Account) -> Row:
    equity = account.balance + account.floating
    return {
        "accountNumber": account.number,
        "balance": float(account.balance),
        "equity": float(equity),
        "margin": float(account.margin),
        "freeMargin": float(equity - account.margin),
        "pnl": float(account.floating),
    }


def open_positions(account: Account) -> list[Row]:
    return [open_position(account.number, position) for position in account.positions]


def open_position(number: int, position: Position) -> Row:
    return {
        "accountId": number,
        "positionId": position.id,
        "symbol": position.symbol,
        "lots": position.lots,
        "quantity": position.quantity,
        "usdQuantity": position.usd_quantity,
        "direction": "Buy" if position.bought else "Sell",
        "openTime": epoch_milliseconds(position.opened_at),
        "openPrice": position.open_price,
        "realTimePL": float(position.pl),
    }


def closed_position(trade: ClosedPosition) -> Row:
    return {
        "accountId": trade.account,
        "tradeId": trade.id,
        "symbol": trade.symbol,
        "lots": trade.lots,
        "quantity": abs(trade.quantity),
        "usdQuantity": abs(trade.usd_quantity),
        "direction": "buy" if trade.quantity >= 0 else "sell",
        "openTimeUTC": spaced(trade.opened_at),
        "openPrice": trade.open_price,
        "closeTimeUTC": spaced(trade.closed_at),
        "closePrice": trade.close_price,
        "profitLoss": float(trade.pl),
    }


def transfer(item: Transfer) -> Row:
    return {"amount": f"{item.amount:.8f}", "createdDate": spaced_with_fraction(item.at), "type": item.kind}


def totals(account: Account) -> Row:
    """One row of the oracle: what an account amounts to."""
    return {
        "accountNumber": account.number,
        "unit": account.unit.id,
        "email": account.email,
        "enabled": account.enabled,
        "balance": float(account.balance),
        "deposits": _sum(account, "DEPOSIT"),
        "withdrawals": _sum(account, "WITHDRAWAL"),
        "positions": len(account.positions),
    }


def _sum(account: Account, kind: str) -> float:
    return float(sum(item.amount for item in account.transfers if item.kind == kind))


def state(account: Account) -> Row:
    """One row of the control surface: the whole truth about an account. Transfers also show their comment here."""
    return {
        "accountNumber": account.number,
        "unit": account.unit.id,
        "group": account.unit.group,
        "email": account.email,
        "enabled": account.enabled,
        "balance": float(account.balance),
        "equity": float(account.equity),
        "frozen": account.frozen,
        "trades": account.unit.trades or account.trades,
        "positions": open_positions(account),
        "transfers": [{**transfer(item), "comment": item.comment} for item in account.transfers],
    }
