"""What the simulated broker keeps: units, accounts, positions, transfers.

Money is Decimal in whole cents. Prices and quantities are floats, as in the vendor's replies; whatever they earn is
rounded to cents before it touches an account.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from brokers.simulator.market import Quote

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
LEVERAGE = 100


def to_cents(amount: float) -> Decimal:
    """Round a computed amount of account currency to cents."""
    return Decimal(round(amount * 100)).scaleb(-2)


@dataclass(frozen=True, slots=True)
class Unit:
    """A trading group of the broker. The accounts of a DEMO unit trade; those of the others hold customers' money."""

    id: int
    name: str
    trades: bool
    currency: str = "USD"

    @property
    def group(self) -> str:
        return f"{self.id}:{self.name}"


DEFAULT_UNITS = (Unit(49490520, "PROP_DEMO_USD", trades=True), Unit(49490521, "PROP_REAL_USD", trades=False))


@dataclass(slots=True)
class Position:
    """An open position. `quantity` is negative when sold; `pl` is the floating profit or loss in account currency.

    Profit is counted from an anchor, at first the opening itself, so that a position set by hand goes on from its
    given profit or loss when its account is released to the market.
    """

    id: int
    symbol: str
    lots: float
    quantity: float
    usd_quantity: float
    opened_at: datetime
    open_price: float
    pl: Decimal
    anchor_price: float
    anchor_pl: Decimal

    @property
    def bought(self) -> bool:
        return self.quantity >= 0

    def mark(self, quote: Quote) -> None:
        """Value the position at the market."""
        per_point = self.quantity * quote.usd_per_point
        self.pl = self.anchor_pl + to_cents((quote.price - self.anchor_price) * per_point)
        self.usd_quantity = quote.price * per_point

    def anchor(self, quote: Quote) -> None:
        """Let the market move the present profit or loss from here on."""
        self.anchor_price = quote.price
        self.anchor_pl = self.pl


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money paid in or out. `amount` is always positive; `kind` gives the direction."""

    account: int
    amount: Decimal
    kind: Literal["DEPOSIT", "WITHDRAWAL"]
    comment: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ClosedPosition:
    """A finished trade, quantities signed; `close_price` is the price that gives this profit or loss."""

    id: int
    account: int
    unit: int
    symbol: str
    lots: float
    quantity: float
    usd_quantity: float
    opened_at: datetime
    open_price: float
    closed_at: datetime
    close_price: float
    pl: Decimal


@dataclass(slots=True)
class Account:
    """A trading account. `floating` and `margin` follow from the positions; `refresh` them after a change to those.

    `trades` is set for one that trades although its unit does not.
    """

    number: int
    unit: Unit
    email: str
    first_name: str
    last_name: str
    country: str
    platform: str
    created_at: datetime
    enabled: bool
    balance: Decimal = ZERO
    leverage: int = LEVERAGE
    frozen: bool = False
    trades: bool = False
    ready_tick: int = 0
    positions: list[Position] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    unsaved: list[Transfer | ClosedPosition] = field(default_factory=list)
    floating: Decimal = ZERO
    margin: Decimal = ZERO

    @property
    def equity(self) -> Decimal:
        return self.balance + self.floating

    @property
    def free_margin(self) -> Decimal:
        return self.equity - self.margin

    @property
    def withdrawable(self) -> Decimal:
        """What may be paid out: neither a floating profit nor money that carries positions."""
        return min(self.balance, self.free_margin)

    @property
    def follows_market(self) -> bool:
        """Whether the market moves its positions; disabled or not, those stay open until somebody closes them."""
        return not self.frozen and (self.unit.trades or self.trades)

    def refresh(self) -> None:
        """Recompute the floating profit or loss and the margin. Open positions always bind at least a cent."""
        if not self.positions:
            self.floating = self.margin = ZERO
            return
        self.floating = total_pl(self.positions)
        notional = sum(abs(position.usd_quantity) for position in self.positions)
        self.margin = max(CENT, to_cents(notional / self.leverage))


def total_pl(positions: Iterable[Position]) -> Decimal:
    return sum((position.pl for position in positions), ZERO)
