"""The list of a unit's accounts, believed only when it is whole: one that was cut tells nothing about any account."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from brokers.client.base import AccountDetails, Broker
from brokers.client.errors import NoDataError, RefusedError
from brokers.models import BrokerConnection, Difference, TradingAccount
from brokers.services.snapshots import Snapshot
from brokers.services.work import Work

# A list that holds fewer of those we know is no data (a cut or an empty list) ...
SOUND_SHARE = Decimal("0.95")
# ... unless these few are all that it misses, and the broker, asked for each by its number, knows none of them.
FEW = 5


def sound_accounts(work: Work, *, unit: int, not_before: datetime) -> Snapshot:
    """Every account of the unit, from a reading begun at or after `not_before`, shared within the round.

    Raises `NoDataError` when too many of the accounts that we know are missing.
    """
    return work.snapshots.get(
        (work.connection.pk, unit), not_before=not_before, clock=work.clock,
        fetch=lambda: _read_soundly(work, unit=unit),
    )  # fmt: skip


def _read_soundly(work: Work, *, unit: int) -> dict[int, AccountDetails]:
    # Asked for before the reading, which cannot show what was opened after it.
    known = known_logins(work.connection, unit=unit)
    broker = work.broker()
    accounts = broker.accounts_details(unit=unit)
    require_whole(accounts, known=known, broker=broker)
    return accounts


def known_logins(connection: BrokerConnection, *, unit: int) -> set[int]:
    """The accounts that a list of the unit has to hold: all we have, but for those known to be missing there."""
    opened = TradingAccount.objects.filter(connection=connection, group__unit=unit).values_list("login", flat=True)
    missing = Difference.objects.present().filter(
        connection=connection, unit=unit, kind=Difference.Kind.MISSING_ACCOUNT
    )
    return set(opened) - set(missing.values_list("login", flat=True))


def require_whole(accounts: Mapping[int, AccountDetails], *, known: Collection[int], broker: Broker) -> None:
    """Raise `NoDataError` when too many of the `known` are missing from what the broker lists.

    In a unit of a few accounts one that was deleted at the broker is already too many: it is asked for by its number,
    so that its end does not leave the unit unreadable for good. Raises `BrokerError` when that cannot be read.
    """
    absent = set(known) - accounts.keys()
    is_sound = len(known) - len(absent) >= SOUND_SHARE * len(known)
    if not is_sound and (len(absent) > FEW or any(_exists(broker, login) for login in absent)):
        raise NoDataError(
            f"The broker lists {len(accounts)} accounts and misses too many of the {len(known)} that we know."
        )


def _exists(broker: Broker, login: int) -> bool:
    try:
        broker.account_details(login=login)
    except RefusedError:
        return False
    return True
