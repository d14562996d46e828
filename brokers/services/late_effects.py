"""Until when a call whose answer was lost may still have its effect."""

from datetime import datetime, timedelta

from django.db.models import Max, Q

from brokers.models import BrokerConnection, BrokerOperation, TradingAccount

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


def quarantine_of(connection: BrokerConnection) -> timedelta:
    """How long after the beginning of a call its effect may appear, however late."""
    return timedelta(seconds=connection.deadline_seconds + connection.quarantine_seconds)


def late_enabling_until(account: TradingAccount) -> datetime | None:
    """Until when the account may be enabled by a call that nobody waits for any more; None when there was none.

    A disabling that was read back before that moment may be undone by it.
    """
    enables = BrokerOperation.objects.filter(account=account, kind=Kind.ENABLE)
    lost = enables.filter(Q(was_in_doubt=True) | Q(status=Status.CALLING))
    last: datetime | None = lost.aggregate(last=Max("started_at"))["last"]
    return last + quarantine_of(account.connection) if last else None
