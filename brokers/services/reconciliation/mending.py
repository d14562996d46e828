"""What staff do about a difference: have it mended by an operation, or say that it may stay."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from brokers.models import AccountOrder, BrokerOperation, Difference, TradingAccount
from brokers.services.objections import SWITCHES, objection_to_trading
from brokers.services.operations import request_enable
from brokers.services.reconciliation.switches import changing, is_ours_to_switch
from brokers.services.taking_out import request_disable_and_flatten
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.transitions import IllegalTransitionError, transition, transition_all

Kind, Status = Difference.Kind, Difference.Status
TAKEN_OUT = (Kind.ENABLED, Kind.OPEN_POSITIONS)
SWITCHED = (*TAKEN_OUT, Kind.DISABLED)
AT_WORK = (AccountOrder.Status.REQUESTED, AccountOrder.Status.OPENING, AccountOrder.Status.NEEDS_REVIEW)


def way_to_mend(difference: Difference) -> str:
    """What mending does, in words; empty where no operation can, or may: the account is a customer's own, or an order
    may still find it."""
    if difference.status != Status.OPEN:
        return ""
    if difference.kind in SWITCHED and not (difference.account and is_ours_to_switch(difference.account)):
        return ""
    if difference.kind in TAKEN_OUT:
        return "The account is disabled and its positions are closed, both read back."
    if difference.kind == Kind.DISABLED:
        return "The account is enabled again, and read back. Ask first why it was disabled at the broker."
    if difference.kind == Kind.UNKNOWN_ACCOUNT and difference.order and difference.order.status not in AT_WORK:
        return "The account is recorded as an orphan of its order, disabled and its positions closed."
    return ""


@transaction.atomic
def mend_difference(*, difference_id: int, reason: str, by: Actor, now: datetime) -> BrokerOperation:
    """Mend it by an operation, which is returned; the next comparison shows whether it is gone.

    Raises `IllegalTransitionError` when it is not open, `ValueError` when no operation can mend it, and `ConflictError`
    when it may be out of date, or nobody may trade on the account that is to be enabled.
    """
    difference = (
        Difference.objects.select_for_update(of=("self",))
        .select_related("account__order", "order__group")
        .get(pk=difference_id)
    )
    if difference.status != Status.OPEN:
        raise IllegalTransitionError(difference, difference.status, Status.MENDING)
    if not way_to_mend(difference):
        raise ValueError(f"No operation can mend: {difference}.")
    account = difference.account or _adopt(difference)
    if objection := _objection(difference, account, now=now):
        raise ConflictError(objection)
    mends = difference.mends + 1
    subject = f"difference:{difference.pk}:{mends}"
    if difference.kind == Kind.DISABLED:
        operation = request_enable(subject=subject, account=account, by=by, now=now)
    else:
        disable, close_all = request_disable_and_flatten(subject=subject, account=account, by=by, now=now)
        operation = close_all if difference.kind == Kind.OPEN_POSITIONS else disable
    transition(
        difference, to=Status.MENDING, by=by, now=now, reason=reason, operation=operation, mends=mends, account=account
    )
    return operation


def _objection(difference: Difference, account: TradingAccount, *, now: datetime) -> str:
    """Why mending would undo what was wanted since the comparison; empty when it would not."""
    not_to_trade = objection_to_trading(account, lock=True)
    ours = BrokerOperation.objects.filter(account=account, kind__in=SWITCHES)
    # That the account will be disabled once more later on is no reason to leave it enabled until then.
    in_the_way = ours.open() if difference.kind == Kind.DISABLED else changing(ours, now=now)
    younger = Q(updated_at__gte=difference.last_seen_at) | Q(pk__in=in_the_way.values("pk"))
    since = ours.filter(younger).order_by("pk").last()
    if difference.kind == Kind.DISABLED and not_to_trade:
        return not_to_trade
    if since is not None:
        return f"Operation {since} has switched the account since, or will: the next comparison tells how it stands."
    return ""


@transaction.atomic
def acknowledge_difference(*, difference_id: int, reason: str, by: Actor, now: datetime) -> Difference:
    """It may stay as it is. Should the money it is about change, it is open again. Raises `IllegalTransitionError`."""
    difference = Difference.objects.select_for_update().get(pk=difference_id)
    transition(difference, to=Status.ACKNOWLEDGED, by=by, now=now, reason=reason)
    return difference


@transaction.atomic
def acknowledge_differences(
    *, difference_ids: Collection[int], reason: str, by: Actor, now: datetime
) -> list[Difference]:
    """All of them may stay as they are. Returns those that were acknowledged now.

    Left out are those that have gone meanwhile, and those that were acknowledged before.
    """
    rows = list(Difference.objects.filter(pk__in=difference_ids).order_by("pk"))
    return transition_all(rows, to=Status.ACKNOWLEDGED, by=by, now=now, reason=lambda _: reason)


def _adopt(difference: Difference) -> TradingAccount:
    """Record an account that carries our marker as what it is: an extra one that a lost reply left behind."""
    order = difference.order
    if order is None:
        raise ValueError(f"No order of ours has asked for account {difference.login}.")
    marker = difference.theirs.split(",", 1)[0]
    account, _ = TradingAccount.objects.get_or_create(
        connection_id=difference.connection_id, login=difference.login,
        defaults={"group": order.group, "marker": marker, "is_orphan": True},
    )  # fmt: skip
    return account
