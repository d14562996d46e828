"""Reading an account's transfers, which decide about money in doubt: never an answer older than what we know."""

from decimal import Decimal
from typing import Any

from brokers.client.base import Transfer
from brokers.client.errors import NoDataError
from brokers.models import BrokerOperation, TradingAccount
from brokers.services.calls import Work


def read_transfers(work: Work, account: TradingAccount, *, at_least: int = 0) -> list[Transfer]:
    """Every transfer of the account. Raises `NoDataError` for an answer that misses some that were there before.

    Transfers are only ever added, so a shorter list is an old one, and a sum over it would be wrong. `at_least` is how
    many the caller has seen; those of our own operations that are done come on top.
    """
    transfers = work.broker().account_transfers(unit=account.group.unit, login=account.login)
    fewest = max(at_least, _known(account))
    if len(transfers) < fewest:
        raise NoDataError(f"The broker lists {len(transfers)} transfers, and there have been {fewest}.")
    return transfers


def read_transfers_twice(work: Work, account: TradingAccount) -> list[Transfer]:
    """Every transfer, where much depends on it that none is missing: the second list must be no shorter than the first.

    Raises `NoDataError` as `read_transfers` does.
    """
    return read_transfers(work, account, at_least=len(read_transfers(work, account)))


def summary(transfers: list[Transfer]) -> dict[str, Any]:
    """`{"count": 2, "sum": "99501.00"}`: how many, and what was paid in less what was taken out."""
    return {"count": len(transfers), "sum": str(net(transfers))}


def net(transfers: list[Transfer]) -> Decimal:
    return sum((each.amount for each in transfers), Decimal(0))


def _known(account: TradingAccount) -> int:
    """How many transfers there must be: a done money operation added one to those that its baseline counted."""
    done = BrokerOperation.objects.filter(
        account=account, kind__in=BrokerOperation.MONEY, status=BrokerOperation.Status.DONE, baseline__isnull=False
    )
    return max((each.baseline["count"] + 1 for each in done.only("baseline") if each.baseline), default=0)
