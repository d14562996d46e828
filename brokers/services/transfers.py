"""Reading an account's transfers, which decide about money in doubt: never an answer older than what we know."""

from decimal import Decimal
from typing import Any

from django.db.models import Max

from brokers.client.base import Transfer
from brokers.client.errors import NoDataError
from brokers.models import BrokerOperation, BrokerOperationEvent, TradingAccount
from brokers.services.work import Work


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


def read_transfers_twice(work: Work, account: TradingAccount, *, at_least: int = 0) -> list[Transfer]:
    """Every transfer, where much depends on it that none is missing and none is there twice: two lists must agree.

    Raises `NoDataError` as `read_transfers` does, and when they do not; a transfer that comes in between is one reason.
    """
    first, second = (read_transfers(work, account, at_least=at_least) for _ in range(2))
    if not same_figures(summary(first), summary(second)):
        raise NoDataError("Two lists of the account's transfers, one after the other, do not agree.")
    return second


def summary(transfers: list[Transfer]) -> dict[str, Any]:
    """`{"count": 2, "sum": "99501.00"}`: how many, and what was paid in less what was taken out."""
    return {"count": len(transfers), "sum": str(net(transfers))}


def baseline_of(transfers: list[Transfer]) -> dict[str, Any]:
    """The summary by which a call is judged, and the last event before it: no clock tells what was done since then.

    To be taken while the operation is being called: as long as it is, no other one moves money on its account.
    """
    return summary(transfers) | {"event": BrokerOperationEvent.objects.aggregate(last=Max("id"))["last"]}


def same_figures(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two summaries tell of the same transfers."""
    return one["count"] == other["count"] and Decimal(one["sum"]) == Decimal(other["sum"])


def with_ours_since(before: dict[str, Any], operation: BrokerOperation) -> dict[str, Any]:
    """The earlier baseline, with what other operations of ours have moved on that account since then; each counts once,
    however often the result is brought up to date again."""
    done = BrokerOperation.objects.filter(
        account=operation.account, kind__in=BrokerOperation.MONEY, status=BrokerOperation.Status.DONE
    ).exclude(pk=operation.pk)
    since = BrokerOperationEvent.objects.filter(
        subject_id__in=done.values("pk"), to_status=BrokerOperation.Status.DONE, id__gt=before["event"]
    )
    moved_by = dict(since.values_list("subject_id", "id"))
    moves = done.filter(pk__in=moved_by)
    moved = [
        each.amount if each.kind == BrokerOperation.Kind.DEPOSIT else -each.amount for each in moves if each.amount
    ]
    return {
        "count": before["count"] + len(moved),
        "sum": str(Decimal(before["sum"]) + sum(moved)),
        "event": max(moved_by.values(), default=before["event"]),
    }


def net(transfers: list[Transfer]) -> Decimal:
    return sum((each.amount for each in transfers), Decimal(0))


def _known(account: TradingAccount) -> int:
    """How many transfers there must be: a done money operation added one to those that its baseline counted."""
    done = BrokerOperation.objects.filter(
        account=account, kind__in=BrokerOperation.MONEY, status=BrokerOperation.Status.DONE, baseline__isnull=False
    )
    return max((each.baseline["count"] + 1 for each in done.only("baseline") if each.baseline), default=0)
