from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Self

from challenges.rules.days import trading_day
from programs.terms import RuleTerms

Verdict = Literal["active", "passed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningState:
    """All that must be carried from one observation to the next; every field is one plain column.

    initial_balance    Decimal   what the enrollment started with
    started_at         datetime  when it started, UTC
    trading_day        date      the trading day that the state stands in
    day_start_balance  Decimal   last balance known before the day began
    day_start_equity   Decimal   last equity known before the day began
    day_peak_equity    Decimal   highest equity of the day, its start included
    day_low_equity     Decimal   lowest equity of the day, its start included
    high_equity        Decimal   highest equity since the start, the initial balance included; so for the next three
    high_balance       Decimal   highest balance at an observation
    high_higher        Decimal   highest of the larger of balance and equity
    high_eod_balance   Decimal   highest balance at a day boundary
    best_day_profit    Decimal   largest rise of the balance within one trading day, never below 0
    last_at            datetime  time of the last observation; null before the first
    last_balance       Decimal   its balance; the initial balance before the first
    last_equity        Decimal   its equity; likewise
    last_flat          bool      whether no position was open then; null when unknown
    last_active_at     datetime  last time that trading or an open position was known of; the start before that
    trading_days       int       trading days counted so far
    last_counted_day   date      the latest of them; null before the first
    paused_on          date      the trading day on which the account is paused; null when it is not
    verdict            str(6)    active, passed or failed; the last two never change again
    found              text      what was found already, as `rule@trading_day` words joined by spaces (see `found_on`)
    """

    initial_balance: Decimal
    started_at: datetime
    trading_day: date
    day_start_balance: Decimal
    day_start_equity: Decimal
    day_peak_equity: Decimal
    day_low_equity: Decimal
    high_equity: Decimal
    high_balance: Decimal
    high_higher: Decimal
    high_eod_balance: Decimal
    best_day_profit: Decimal
    last_at: datetime | None
    last_balance: Decimal
    last_equity: Decimal
    last_flat: bool | None
    last_active_at: datetime
    trading_days: int
    last_counted_day: date | None
    paused_on: date | None
    verdict: Verdict
    found: str

    @classmethod
    def opening(cls, initial_balance: Decimal, started_at: datetime, terms: RuleTerms) -> Self:
        """The state before the first observation: the first day starts from the initial balance."""
        if initial_balance <= 0:
            raise ValueError("initial_balance must be above 0")
        return cls(
            initial_balance=initial_balance,
            started_at=started_at,
            trading_day=trading_day(started_at, terms),
            day_start_balance=initial_balance,
            day_start_equity=initial_balance,
            day_peak_equity=initial_balance,
            day_low_equity=initial_balance,
            high_equity=initial_balance,
            high_balance=initial_balance,
            high_higher=initial_balance,
            high_eod_balance=initial_balance,
            best_day_profit=Decimal(0),
            last_at=None,
            last_balance=initial_balance,
            last_equity=initial_balance,
            last_flat=None,
            last_active_at=started_at,
            trading_days=0,
            last_counted_day=None,
            paused_on=None,
            verdict="active",
            found="",
        )

    @property
    def known_at(self) -> datetime:
        """When the last known balance and equity are from."""
        return self.last_at or self.started_at

    def peak(self, terms: RuleTerms) -> Decimal:
        """The high-water mark that the total loss level follows; the initial balance for a static one."""
        match terms.total_loss_trail:
            case "none":
                return self.initial_balance
            case "equity":
                return self.high_equity
            case "balance":
                return self.high_balance
            case "higher":
                return self.high_higher
            case "eod_balance":
                return self.high_eod_balance

    def found_on(self, rule: str) -> date | None:
        """The trading day on which the rule was last found broken; None if never."""
        for word in self.found.split():
            name, _, day = word.partition("@")
            if name == rule:
                return date.fromisoformat(day)
        return None

    def with_found(self, rule: str, day: date) -> Self:
        """The state that remembers the rule as found broken on that trading day."""
        others = [word for word in self.found.split() if word.partition("@")[0] != rule]
        return replace(self, found=" ".join([*others, f"{rule}@{day.isoformat()}"]))
