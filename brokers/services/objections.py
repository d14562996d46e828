"""What speaks against switching an account: asked before staff enable it, and before what waited in review goes on.

What an account trades for is known above. Each app registers what it has against an enabling, and is asked again, under
a lock of its own, in the transaction that writes the operation down.
"""

from typing import Protocol

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
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


def objection_to_trading(account: TradingAccount, *, lock: bool = False) -> str:
    """Why nobody may trade on the account, in words for staff; empty when somebody may.

    With `lock`, whoever closes or pauses what trades on it is waited for, and waits until the transaction ends.
    """
    above = [objection(account, lock=lock) for objection in _objections.values()]
    return next((words for words in (_for_good(account), *above) if words), "")


def _for_good(account: TradingAccount) -> str:
    if account.is_orphan:
        return "It is an extra account that a lost reply left behind: nobody may trade on it."
    order = account.order
    if order is not None and order.status in {AccountOrder.Status.FAILED, AccountOrder.Status.CANCELLED}:
        return f"Its order {order} is {order.get_status_display()}."
    if order is not None and order.status != AccountOrder.Status.READY:
        return f"Its order {order} is not ready: enabling the account is the last step of it."
    return ""


def superseded_by(operation: BrokerOperation) -> BrokerOperation | None:
    """The younger switch of the same account that wants the contrary: carried out now, `operation` would undo it."""
    if operation.account_id is None or operation.kind not in SWITCHES:
        return None
    younger = BrokerOperation.objects.filter(
        account_id=operation.account_id, kind__in=(Kind.ENABLE, Kind.DISABLE), pk__gt=operation.pk
    )
    latest = younger.exclude(status__in=(Status.CANCELLED, Status.REFUSED)).order_by("-pk").first()
    if latest is None or latest.kind == operation.kind:
        return None
    if operation.kind == Kind.CLOSE_ALL:
        # An enabling that is not done yet may be waiting for this very closing.
        return latest if (latest.kind, latest.status) == (Kind.ENABLE, Status.DONE) else None
    return latest


def refuse_unwanted(operation: BrokerOperation) -> None:
    """Raise `ConflictError` when carrying out a switch in review is not wanted any more.

    To be called before the operation is locked: whoever closes an enrollment locks that before it touches operations.
    """
    account = operation.account
    if account is None or operation.kind not in SWITCHES:
        return
    objection = objection_to_trading(account, lock=True)
    if younger := superseded_by(operation):
        raise ConflictError(words_of(younger))
    # The account of an order that is not ready is enabled by the order.
    if objection and operation.kind == Kind.ENABLE and operation.order_id is None:
        raise ConflictError(objection)


def words_of(younger: BrokerOperation) -> str:
    """Why an older switch must not be carried out, in words for staff."""
    return f"Operation {younger.pk} ({younger.get_kind_display()}) was asked for after it, and would be undone by it."
