"""Reading one unit at its broker: figures that may be judged, and what could not be read. Makes HTTP calls."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.client.base import AccountStats, Broker
from brokers.client.errors import BrokerError
from challenges.services.gate import Reading, confirms, doubt

logger = logging.getLogger(__name__)

# A second reading that comes this long after the first answer says nothing about it. The list of a whole unit is asked
# for at once, and may then take as long as a call for it may.
CONFIRM_WITHIN = timedelta(seconds=10)
# Up to this many doubtful accounts are read again one by one, more of them by one more answer for the whole unit.
SINGLE_READINGS = 5

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Known:
    """An account that is watched, with the last figures believed of it."""

    login: int
    balance: Decimal
    equity: Decimal


@dataclass(slots=True)
class UnitReading:
    """What one look at a unit gave: by login, figures with the time they were asked for, or why there are none."""

    read_at: datetime
    answered_at: datetime
    figures: dict[int, tuple[Reading, datetime]] = field(default_factory=dict)
    missing: dict[int, str] = field(default_factory=dict)


def read_unit(broker: Broker, *, unit: int, accounts: Iterable[Known], clock: Clock) -> UnitReading:
    """The believable figures of the watched accounts: one call for the unit, more only where figures are doubtful.

    Figures carry the time at which they were asked for. Raises `BrokerError` when the unit cannot be read at all.
    """
    read_at = clock()
    stats = broker.accounts_stats(unit=unit)
    result = UnitReading(read_at=read_at, answered_at=clock())
    doubtful: dict[Known, tuple[Reading, str]] = {}
    for account in accounts:
        if account.login not in stats:
            result.missing[account.login] = "the broker's answer has no readable figures of this account"
            continue
        reading = Reading.of(stats[account.login])
        if why := doubt(reading, balance=account.balance, equity=account.equity):
            doubtful[account] = (reading, why)
        else:
            result.figures[account.login] = (reading, read_at)
    if doubtful:
        _confirm(broker, unit, doubtful, result, clock)
    return result


def _confirm(
    broker: Broker, unit: int, doubtful: Mapping[Known, tuple[Reading, str]], result: UnitReading, clock: Clock
) -> None:
    """Read doubtful accounts again; the second figures count, if they say what the first ones or the last ones said."""
    second = _second_readings(broker, unit, doubtful, result.answered_at + CONFIRM_WITHIN, clock)
    for account, (first, why) in doubtful.items():
        again = second.get(account.login)
        if again and confirms(again[0], first=first, balance=account.balance, equity=account.equity):
            result.figures[account.login] = again
        else:
            result.missing[account.login] = f"{why}, and no second reading in time confirms it"


def _second_readings(
    broker: Broker, unit: int, doubtful: Iterable[Known], until: datetime, clock: Clock
) -> dict[int, tuple[Reading, datetime]]:
    """The second figures by login with the time they were asked for, as far as the broker gives them in time."""
    logins = [account.login for account in doubtful]
    found: dict[int, tuple[Reading, datetime]] = {}
    for batch in [logins] if len(logins) > SINGLE_READINGS else [[login] for login in logins]:
        asked_at = clock()
        if asked_at > until:
            break
        try:
            stats = _read_again(broker, unit, batch)
        except BrokerError as error:
            # Of this account alone, perhaps: the others are asked for all the same.
            logger.warning("Unit %s: doubtful figures could not be read again: %s", unit, error)
            continue
        if len(batch) > 1 or clock() <= until:
            found |= {login: (Reading.of(stats[login]), asked_at) for login in batch if login in stats}
    return found


def _read_again(broker: Broker, unit: int, logins: list[int]) -> dict[int, AccountStats]:
    """One call: for the account, or for the whole unit where there are several."""
    if len(logins) > 1:
        return broker.accounts_stats(unit=unit)
    return {login: broker.account_stats(unit=unit, login=login) for login in logins}
