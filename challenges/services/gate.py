"""The gate in front of the rules (mechanism M13): what a broker says is judged only when it can be believed.

Missing, malformed or contradictory figures are no data: they never breach and never pass anyone. Zeros and implausible
jumps are believed only when a second reading says the same. Many verdicts at once wait for staff.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from brokers.client.base import AccountStats

# A change of more than this share of the last figure, within one polling interval, wants a second reading.
JUMP_PCT = Decimal(30)
# More accounts of a unit that fail, pass or are paused at one reading look like a broker's error, not like trading.
MASS_PCT = Decimal(5)
MASS_ACCOUNTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Figures of one account. `margin` None: the broker did not say anything sensible."""

    balance: Decimal
    equity: Decimal
    margin: Decimal | None

    @classmethod
    def of(cls, stats: AccountStats) -> Self:
        """Figures as the broker client gives them: it takes no answer with absent, non-finite or contradictory ones."""
        return cls(balance=stats.balance, equity=stats.equity, margin=stats.margin if stats.margin >= 0 else None)

    @property
    def is_flat(self) -> bool | None:
        """Whether no margin is in use; None when that is not known."""
        return None if self.margin is None else self.margin == 0


def doubt(reading: Reading, *, balance: Decimal, equity: Decimal) -> str:
    """Why the reading wants a second one before it is judged, given the last believed figures; "" when it does not."""
    for name, new, last in (("balance", reading.balance, balance), ("equity", reading.equity, equity)):
        if new == last:
            continue
        if new == 0:
            return f"{name} fell to zero"
        if abs(new - last) * 100 > JUMP_PCT * abs(last):
            return f"{name} went from {last:f} to {new:f} at once"
    return ""


def confirms(second: Reading, *, first: Reading, balance: Decimal, equity: Decimal) -> bool:
    """Whether a second reading may be judged: it says what the first one said, or what was known before that."""
    return not doubt(second, balance=first.balance, equity=first.equity) or not doubt(
        second, balance=balance, equity=equity
    )


def are_too_many(*, taken_out: int, watched: int) -> bool:
    """Whether one reading takes so many accounts of a unit out of trading that staff must confirm the figures first."""
    return taken_out >= MASS_ACCOUNTS and taken_out * 100 > MASS_PCT * watched
