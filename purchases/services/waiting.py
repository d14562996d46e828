"""Who works on purchases, and when one that waits for something is looked at again."""

from collections.abc import Callable
from datetime import datetime, timedelta

from propdesk.lib.actors import system
from purchases.models import Purchase

Clock = Callable[[], datetime]

MACHINE = system("purchases")

# A purchase is looked at again after a tenth of the time it has waited: quick at first, cheap when it takes long.
SHORTEST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(seconds=60)
# Whatever takes longer is shown to staff, although nothing has said that it went wrong.
SLOW = timedelta(minutes=30)


def wait(purchase: Purchase, *, review_reason: str, now: datetime) -> bool:
    """Leave it where it is until the next look, with what staff have to know. It has not moved: False.

    Nothing is written when somebody else has moved it, or its refund, meanwhile.
    """
    patience = min(max((now - purchase.updated_at) / 10, SHORTEST_WAIT), LONGEST_WAIT)
    purchase.next_at, purchase.review_reason = now + patience, review_reason
    same = Purchase.objects.filter(
        pk=purchase.pk, status=purchase.status, refund_asked_at=purchase.refund_asked_at, refund=purchase.refund
    )
    same.update(next_at=purchase.next_at, review_reason=review_reason)
    return False


def is_slow(*, since: datetime | None, now: datetime) -> bool:
    """Whether what has been waited for since then is to be shown to staff."""
    return since is not None and now - since > SLOW
