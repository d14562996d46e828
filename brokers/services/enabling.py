"""Enabling an account on staff's word: only where nothing speaks against it."""

from datetime import datetime

from django.db import transaction

from brokers.models import BrokerOperation, TradingAccount
from brokers.services.objections import SWITCHES, objection_to_trading
from brokers.services.operations import request_enable
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import ConflictError

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


def objection_to_enabling(account: TradingAccount, *, lock: bool = False) -> str:
    """What speaks against enabling the account now, in words for staff; empty when nothing does."""
    # Upper locks first: whoever closes an enrollment locks it before it touches the account.
    return objection_to_trading(account, lock=lock) or _for_now(account)


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


def _for_now(account: TradingAccount) -> str:
    if account.is_enabled:
        return "It is enabled already."
    unfinished = BrokerOperation.objects.unfinished().filter(account=account, kind__in=SWITCHES)
    for operation in unfinished.order_by("id"):
        waits = operation.status == Status.NEEDS_REVIEW
        state = "waits in review: decide about it first" if waits else "is not over yet"
        return f"Operation {operation.pk} ({operation.get_kind_display()}) {state}."
    return ""
