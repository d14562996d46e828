"""Writing an operation down that stands alone: once for each subject and kind, before anybody calls."""

from datetime import datetime
from typing import Any

from brokers.models import BrokerOperation, TradingAccount
from propdesk.lib.actors import Actor
from propdesk.lib.nudge import nudge
from propdesk.lib.transitions import record


class SubjectReusedError(Exception):
    """The subject already names another operation."""


def intend(
    *, subject: str, kind: BrokerOperation.Kind, account: TradingAccount, by: Actor, now: datetime,
    after: BrokerOperation | None = None, generation: int = 1, reason: str = "", **values: Any,
) -> BrokerOperation:  # fmt: skip
    """The operation of that subject and kind, written down now, with the `reason`, unless it was before."""
    operation, is_new = BrokerOperation.objects.get_or_create(
        subject=subject,
        kind=kind,
        generation=generation,
        defaults={
            "connection_id": account.connection_id, "account": account, "after": after,
            "created_at": now, "updated_at": now, "next_at": now, **values,
        },
    )  # fmt: skip
    if is_new:
        record(operation, source=None, by=by, reason=reason, now=now)
        if after is None:
            nudge("brokers.run_operation", operation.pk)
    return operation
