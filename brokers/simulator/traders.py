"""The people behind the accounts: each trades at random, with a temperament of its own that never changes."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from brokers.simulator.accounts import ZERO, Account, Position
from brokers.simulator.ledger import Ledger
from brokers.simulator.market import SYMBOLS, Quote

# The broker closes everything once equity falls to half of the margin.
STOP_OUT = 2
# Nobody binds more than this share of equity as margin.
MARGIN_SHARE = 0.6
SMALLEST_LOT = 0.01


@dataclass(frozen=True, slots=True)
class Temperament:
    """`risk` is the standard deviation of equity per tick that a trader is after, a ratio; chances are per tick."""

    risk: float
    open_chance: float
    close_chance: float
    most_positions: int
    symbols: Sequence[str]


def temperament(*, seed: int, number: int) -> Temperament:
    """The temperament of one account. At a risk of 0.4 % it gains or loses 5 to 10 % in about five minutes."""
    dice = random.Random(f"trader:{seed}:{number}")  # noqa: S311
    return Temperament(
        risk=dice.uniform(0.0026, 0.0065),
        open_chance=1 / dice.uniform(3, 15),
        close_chance=1 / dice.uniform(20, 150),
        most_positions=dice.randint(1, 3),
        symbols=dice.sample([quote.symbol for quote in SYMBOLS], 3),
    )


class Traders:
    """Lets every account that follows the market act once per tick."""

    def __init__(self, *, ledger: Ledger, seed: int) -> None:
        self._ledger = ledger
        self._seed = seed
        self._temperaments: dict[int, Temperament] = {}
        self._random = random.Random(f"traders:{seed}:{ledger.market.ticks}")  # noqa: S311

    def act(self, account: Account, *, now: datetime) -> None:
        """Value one account at the market, then perhaps close and open positions. Outside the market: nothing.

        Whoever is disabled cannot trade any more: what is open floats on, and only the broker closes it.
        """
        can_trade = account.enabled and account.balance > 0
        if not account.follows_market or not (account.positions or can_trade):
            return
        self._ledger.mark(account)
        closing = self._closing(account)
        for position in closing:
            self._ledger.realise(account, position, now=now)
        opened = account.enabled and self._wants_more(account) and self._open(account, now=now)
        if closing or opened:
            self._ledger.touched[account.number] = account

    def _closing(self, account: Account) -> list[Position]:
        """What the broker closes at the stop-out, else what the trader feels like closing."""
        if account.positions and account.equity * STOP_OUT <= account.margin:
            return list(account.positions)
        if not account.enabled:
            return []
        mind = self._mind(account.number)
        return [each for each in account.positions if self._random.random() < mind.close_chance]

    def _wants_more(self, account: Account) -> bool:
        mind = self._mind(account.number)
        ready = account.ready_tick <= self._ledger.market.ticks and len(account.positions) < mind.most_positions
        return ready and self._random.random() < mind.open_chance

    def _mind(self, number: int) -> Temperament:
        if number not in self._temperaments:
            self._temperaments[number] = temperament(seed=self._seed, number=number)
        return self._temperaments[number]

    def _open(self, account: Account, *, now: datetime) -> bool:
        """Open one position sized by the trader's risk; false when the account is too small for it."""
        mind = self._mind(account.number)
        quote = self._ledger.market.quotes[self._random.choice(mind.symbols)]
        usd_per_lot = quote.price * quote.usd_per_point * quote.contract_size
        equity = float(account.equity)
        wanted = equity * mind.risk / quote.sigma / mind.most_positions**0.5
        affordable = (equity * MARGIN_SHARE - float(account.margin)) * account.leverage
        lots = round(min(wanted, affordable) / usd_per_lot, 2)
        if lots < SMALLEST_LOT:
            return False
        side = self._random.choice((-1, 1))
        account.positions.append(new_position(self._ledger.next_position_id(), quote, lots=lots * side, now=now))
        account.refresh()
        return True


def new_position(position_id: int, quote: Quote, *, lots: float, now: datetime) -> Position:
    """A position opened at the market; negative `lots` sell."""
    quantity = round(lots * quote.contract_size, 2)
    usd_quantity = quantity * quote.price * quote.usd_per_point
    return Position(
        position_id, quote.symbol, abs(lots), quantity, usd_quantity, now, quote.price, ZERO, quote.price, ZERO,
    )  # fmt: skip
