"""Prices: a seeded geometric random walk per symbol. One tick is one second of the market, however fast ticks come."""

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

# A walk left alone for months must not end at zero or at absurd prices.
LOWEST, HIGHEST = 0.2, 5.0


@dataclass(slots=True)
class Quote:
    """A symbol's price now.

    `sigma` is the standard deviation of its relative move in one tick, `contract_size` the units in a lot.
    """

    symbol: str
    price: float
    digits: int
    contract_size: float
    sigma: float
    usd_is_base: bool = False

    @property
    def usd_per_point(self) -> float:
        """What one unit earns in USD when the price rises by 1."""
        return 1 / self.price if self.usd_is_base else 1.0


# About ten times livelier than the real ones, so that a firm can be watched.
SYMBOLS = (
    Quote("EURUSD", 1.08540, 5, 100_000, 1.2e-4),
    Quote("GBPUSD", 1.27150, 5, 100_000, 1.4e-4),
    Quote("AUDUSD", 0.66480, 5, 100_000, 1.6e-4),
    Quote("USDJPY", 155.720, 3, 100_000, 1.3e-4, usd_is_base=True),
    Quote("XAUUSD", 2412.50, 2, 100, 2.2e-4),
    Quote("NAS100", 18650.0, 1, 1, 2.8e-4),
    Quote("ETHUSD", 3120.00, 2, 1, 6.0e-4),
    Quote("BTCUSD", 66780.00, 2, 1, 5.0e-4),
)


class Market:
    """All quotes, the tick count, and whether the market runs."""

    def __init__(self, *, seed: int, volatility: float, ticks: int, running: bool, prices: Mapping[str, float]) -> None:
        self.volatility = volatility
        self.ticks = ticks
        self.running = running
        self.quotes = {start.symbol: replace(start, price=prices.get(start.symbol, start.price)) for start in SYMBOLS}
        # The tick is part of the seed so that a restarted market goes on instead of repeating its first moves.
        self._random = random.Random(f"market:{seed}:{ticks}")  # noqa: S311

    @property
    def prices(self) -> dict[str, float]:
        return {symbol: quote.price for symbol, quote in self.quotes.items()}

    def tick(self) -> None:
        """Move every price once."""
        self.ticks += 1
        for start in SYMBOLS:
            quote = self.quotes[start.symbol]
            sigma = quote.sigma * self.volatility
            moved = quote.price * math.exp(self._random.gauss(-sigma * sigma / 2, sigma))
            bounded = min(max(moved, start.price * LOWEST), start.price * HIGHEST)
            quote.price = round(bounded, quote.digits)
