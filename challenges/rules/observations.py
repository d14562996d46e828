"""What the rules are judged on."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """An open position. `stop_loss` None or 0: it has none; `reports_stop_loss` False: the broker does not say."""

    id: str
    symbol: str
    lots: Decimal
    opened_at: datetime
    stop_loss: Decimal | None = None
    reports_stop_loss: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """A trade; `closed_at` None while it is open. `profit` counts when it is closed."""

    opened_at: datetime
    closed_at: datetime | None
    profit: Decimal
    lots: Decimal
    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One reading of an account.

    at: aware; the time the reading was asked for.
    balance, equity: net of amounts that are not trading (deposits, withdrawals, payouts, credits since the start). The
        caller takes them out: they may move no profit, no high-water mark and no trading day.
    positions: None is unknown, () is flat.
    flat: what the broker's margin figure says: True flat, False not; None: follow `positions`.
    opened: the figures show that a position was opened since the previous reading.
    """

    at: datetime
    balance: Decimal
    equity: Decimal
    positions: tuple[Position, ...] | None = None
    flat: bool | None = None
    opened: bool = False

    @property
    def is_flat(self) -> bool | None:
        """Whether no position is open; None when that is not known."""
        if self.flat is not None:
            return self.flat
        return None if self.positions is None else not self.positions
