"""Which accounts are ours to switch, and which of our operations are about to change one."""

from datetime import datetime

from brokers.models import BrokerOperation, TradingAccount
from brokers.models.operations import BrokerOperationQuerySet

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


def is_opened_by_us(account: TradingAccount) -> bool:
    """By an order, or left behind by one. Any other is a customer's own, such as the one a price is taken from."""
    return account.order_id is not None or account.is_orphan


def switches() -> BrokerOperationQuerySet:
    """The enablings and disablings that say what we want of an account: not those that were refused or dropped."""
    ours = BrokerOperation.objects.filter(kind__in=(Kind.ENABLE, Kind.DISABLE))
    return ours.exclude(status__in=(Status.REFUSED, Status.CANCELLED))


def is_ours_to_switch(account: TradingAccount) -> bool:
    """A customer's own account only once we have switched it: before that our books want nothing of it."""
    return is_opened_by_us(account) or switches().filter(account=account).exists()


def changing(operations: BrokerOperationQuerySet, *, now: datetime) -> BrokerOperationQuerySet:
    """The open ones that change something now, or shortly. A disabling that is to be done once more is due at a later
    moment: until then the account stands as it is, and has to be looked after."""
    untried = operations.filter(status=Status.INTENDED, started_at=None)
    later = untried.filter(kind=Kind.DISABLE, next_at__gt=now)
    closing = untried.filter(kind=Kind.CLOSE_ALL, after__in=later)
    return operations.open().exclude(pk__in=later.values("pk")).exclude(pk__in=closing.values("pk"))
