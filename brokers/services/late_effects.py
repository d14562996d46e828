"""Until when a call whose answer was lost may still have its effect."""

from datetime import datetime, timedelta

from django.db.models import Max, Q

from brokers.models import BrokerConnection, BrokerOperation, TradingAccount
from brokers.services.outcomes import BROKERS
from propdesk.lib.transitions import transition

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


def drop_overtaken_enablings(disable: BrokerOperation, *, now: datetime) -> None:
    """Cancel what staff no longer have to decide about: enablings whose call could land no more when this disabling,
    which is done now, was called. In the transaction that makes it done."""
    called_at = disable.started_at or disable.created_at
    overtaken = BrokerOperation.objects.filter(
        account=disable.account, kind=Kind.ENABLE, order=None, status=Status.NEEDS_REVIEW, was_in_doubt=True,
        pk__lt=disable.pk, started_at__lte=called_at - quarantine_of(disable.connection),
    )  # fmt: skip
    reason = f"Operation {disable.pk} has disabled the account since its call could no longer land."
    for enable in overtaken.select_for_update().order_by("pk"):
        transition(enable, to=Status.CANCELLED, by=BROKERS, now=now, reason=reason, finished_at=now, review_reason="")
