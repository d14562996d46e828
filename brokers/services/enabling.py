"""Enabling an account on staff's word: only where nothing speaks against it.

What an account trades for is known above. Each app registers what it has against an enabling, and is asked again, under
a lock of its own, in the transaction that writes the operation down.
"""

from datetime import datetime
from typing import Protocol

from django.db import transaction

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from brokers.services.operations import request_enable
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import ConflictError

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
SWITCHES = (Kind.ENABLE, Kind.DISABLE, Kind.CLOSE_ALL)


class Objection(Protocol):
    """Why the account must not be enabled, as a sentence; empty when nothing speaks against it.

    With `lock` it holds until the caller's transaction ends.
    """

    def __call__(self, account: TradingAccount, *, lock: bool) -> str: ...


_objections: dict[str, Objection] = {}


def register_objection(name: str, objection: Objection) -> None:
    """Ask `objection` before staff enable an account."""
    _objections[name] = objection


def objection_to_enabling(account: TradingAccount, *, lock: bool = False) -> str:
    """What speaks against enabling the account now, in words for staff; empty when nothing does."""
    # Upper locks first: whoever closes an enrollment locks it before it touches the account.
    above = [objection(account, lock=lock) for objection in _objections.values()]
    return next((words for words in (_for_good(account), *above, _for_now(account)) if words), "")


@transaction.atomic
def enable_by_hand(*, subject: str, account_id: int, reason: str, by: Actor, now: datetime) -> BrokerOperation:
    """Have the account enabled. The same subject again is the same enabling.

    Raises `ConflictError` with the objection, having written nothing.
    """
    account = TradingAccount.objects.select_related("order").get(pk=account_id)
    objection = objection_to_enabling(account, lock=True)
    if asked := BrokerOperation.objects.filter(subject=subject, kind=Kind.ENABLE, account=account).first():
        return asked
    if objection:
        raise ConflictError(objection)
    return request_enable(subject=subject, account=account, by=by, now=now, reason=reason)


def _for_good(account: TradingAccount) -> str:
    if account.is_orphan:
        return "It is an extra account that a lost reply left behind: nobody may trade on it."
    order = account.order
    if order is not None and order.status in {AccountOrder.Status.FAILED, AccountOrder.Status.CANCELLED}:
        return f"Its order {order} is {order.get_status_display()}."
    if order is not None and order.status != AccountOrder.Status.READY:
        return f"Its order {order} is not ready: enabling the account is the last step of it."
    return ""


def _for_now(account: TradingAccount) -> str:
    if account.is_enabled:
        return "It is enabled already."
    unfinished = BrokerOperation.objects.unfinished().filter(account=account, kind__in=SWITCHES)
    for operation in unfinished.order_by("id"):
        waits = operation.status == Status.NEEDS_REVIEW
        state = "waits in review: decide about it first" if waits else "is not over yet"
        return f"Operation {operation.pk} ({operation.get_kind_display()}) {state}."
    return ""
