"""The steps of an account order. Each can be taken any number of times, and says what stands in the way of the next."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from brokers.client.base import AccountDetails
from brokers.client.errors import BrokerError
from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from brokers.services.calls import carry_out
from brokers.services.late_effects import quarantine_of
from brokers.services.outcomes import BROKERS, PATIENCE, wait_before_retry
from brokers.services.procedures import procedure_of
from brokers.services.taking_out import request_disable_and_flatten
from brokers.services.transfers import net, read_transfers, read_transfers_twice
from brokers.services.whole_lists import sound_accounts
from brokers.services.work import Work
from propdesk.lib.money import as_text
from propdesk.lib.transitions import record

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
MOST_GENERATIONS = 6


class OrderChangedError(Exception):
    """Its owner, or staff, have decided about the order while it was worked on."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing more can be done before `until`."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """The broker definitely said no."""

    reason: str


@dataclass(frozen=True, slots=True)
class Review:
    """A machine must not decide this."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Its owner does not want it any more, and nothing of it is left under way."""

    reason: str


Outcome = Wait | Failed | Review | Cancelled
Step = Callable[[AccountOrder, Work], Outcome | None]


def create_account(order: AccountOrder, work: Work) -> Outcome | None:
    """Create it, disabled. A call that is known to have had no effect is followed by the next generation."""
    creation = _latest(order, Kind.CREATE)
    while True:
        if creation is None or creation.status == Status.CANCELLED:
            generation = 1 if creation is None else creation.generation + 1
            if generation > MOST_GENERATIONS:
                return Review(f"{MOST_GENERATIONS} calls to create the account had no effect.")
            creation = _intend(order, Kind.CREATE, work, generation=generation, marker=_marker(creation, generation))
        outcome = _finish(creation, order, work)
        if creation.status != Status.CANCELLED:
            return outcome


def fund_account(order: AccountOrder, work: Work) -> Outcome | None:
    """Pay the deposit in, once."""
    if order.deposit == 0:
        return None
    deposit = _latest(order, Kind.DEPOSIT) or _intend(order, Kind.DEPOSIT, work, amount=order.deposit)
    return _finish(deposit, order, work)


def look_for_late_effects(order: AccountOrder, work: Work) -> Outcome | None:
    """After the quarantine of an order that was ever in doubt: extra accounts are recorded and disabled."""
    return record_orphans(order, work) if order.was_in_doubt else None


def check_money(order: AccountOrder, work: Work) -> Outcome | None:
    """The account must hold its deposit exactly. What a repeated deposit added is taken out again."""
    withdrawal = _latest(order, Kind.WITHDRAW)
    if withdrawal is not None and (outcome := _finish(withdrawal, order, work)):
        return outcome
    account = account_of(order)
    try:
        excess = _net_of_transfers(order, account, work) - order.deposit if account else Decimal(0)
    except BrokerError as exc:
        return _no_data(order, work, exc)
    if excess == 0:
        return None
    if not (order.was_in_doubt and order.deposit > 0 and excess > 0 and excess % order.deposit == 0):
        return Review(f"The account holds {as_text(excess)} beside its deposit of {as_text(order.deposit)}.")
    generation = withdrawal.generation + 1 if withdrawal else 1
    if generation > MOST_GENERATIONS:
        return Review(f"The account still holds {as_text(excess)} too much after {MOST_GENERATIONS} withdrawals.")
    _intend(order, Kind.WITHDRAW, work, generation=generation, amount=excess)
    return check_money(order, work)


def _net_of_transfers(order: AccountOrder, account: TradingAccount, work: Work) -> Decimal:
    """What has been paid in, also by a late deposit if there may be one."""
    return net(read_transfers_twice(work, account) if order.was_in_doubt else read_transfers(work, account))


def enable_account(order: AccountOrder, work: Work) -> Outcome | None:
    """Last of all, enable it, and read that it is."""
    return _finish(_latest(order, Kind.ENABLE) or _intend(order, Kind.ENABLE, work), order, work)


STEPS: tuple[Step, ...] = (create_account, fund_account, look_for_late_effects, check_money, enable_account)


def account_of(order: AccountOrder) -> TradingAccount | None:
    """The account that the order has adopted, if it has one by now."""
    creation = order.operations.filter(kind=Kind.CREATE, status=Status.DONE).select_related("account__group").first()
    return creation.account if creation else None


def record_orphans(order: AccountOrder, work: Work) -> Outcome | None:
    """Wait for the quarantine to end, then record and disable every account of the order that it has not adopted."""
    ends = _quarantine_ends(order, work)
    if work.clock() < ends:
        return Wait(ends)
    markers = set(order.operations.filter(kind=Kind.CREATE).values_list("marker", flat=True))
    adopted = account_of(order)
    try:
        accounts = _accounts_of_two_readings(order, work, not_before=ends)
    except BrokerError as exc:
        return _no_data(order, work, exc)
    for login, row in accounts.items():
        if row.email.lower() in markers and (adopted is None or login != adopted.login):
            _record_orphan(order, login=login, marker=row.email, is_enabled=row.is_enabled, now=work.clock())
    return None


def _accounts_of_two_readings(order: AccountOrder, work: Work, *, not_before: datetime) -> dict[int, AccountDetails]:
    """One list may miss just the row that is looked for."""
    first = sound_accounts(work, unit=order.group.unit, not_before=not_before)
    second = sound_accounts(work, unit=order.group.unit, not_before=first.begun + timedelta.resolution)
    return first.accounts | second.accounts


def _record_orphan(order: AccountOrder, *, login: int, marker: str, is_enabled: bool, now: datetime) -> None:
    with transaction.atomic(durable=True):
        account, is_new = TradingAccount.objects.get_or_create(
            connection=order.group.connection, login=login,
            defaults={"group": order.group, "marker": marker, "is_orphan": True, "is_enabled": is_enabled},
        )  # fmt: skip
        if is_new:
            request_disable_and_flatten(
                subject=f"order:{order.pk}:orphan:{login}", account=account, by=BROKERS, now=now
            )


def _quarantine_ends(order: AccountOrder, work: Work) -> datetime:
    doubtful = order.operations.filter(was_in_doubt=True)
    if order.cancel_asked_at is None:
        # Enabling late what is to be enabled anyway does no harm.
        doubtful = doubtful.exclude(kind=Kind.ENABLE)
    last: datetime | None = doubtful.aggregate(last=Max("started_at"))["last"]
    return (last or order.created_at) + quarantine_of(work.connection)


def _no_data(order: AccountOrder, work: Work, error: BrokerError) -> Outcome:
    now, since = work.clock(), order.resumed_at or order.created_at
    if now - since > PATIENCE:
        return Review(f"Given up after {PATIENCE}: {error}")
    return Wait(now + wait_before_retry(since=since, now=now))


def _latest(order: AccountOrder, kind: BrokerOperation.Kind) -> BrokerOperation | None:
    operations = order.operations.filter(kind=kind).select_related("account__group")
    return operations.order_by("-generation").first()


def _finish(operation: BrokerOperation, order: AccountOrder, work: Work) -> Outcome | None:
    """Take the operation as far as it goes; None when it is done."""
    carry_out(operation, procedure_of(operation), work)
    order.was_in_doubt = order.was_in_doubt or operation.was_in_doubt
    match operation.status:
        case Status.DONE:
            return None
        case Status.REFUSED:
            return Failed(f"{operation.get_kind_display()} refused: {operation.error_message}")
        case Status.NEEDS_REVIEW:
            return Review(f"{operation.get_kind_display()}: {operation.review_reason}")
        case Status.CANCELLED:
            return Review(f"{operation.get_kind_display()} was cancelled.")
        case _:
            return Wait(operation.next_at)


def _intend(
    order: AccountOrder, kind: BrokerOperation.Kind, work: Work, *, generation: int = 1, **values: Any
) -> BrokerOperation:
    """Write the intent down. Should another worker have been quicker, the database refuses the second one (M2)."""
    now = work.clock()
    with work.lease.fence():
        # Under its lock: a cancelling that found nothing begun must not be followed by a beginning.
        wanted = AccountOrder.objects.open().filter(pk=order.pk, cancel_asked_at=None)
        if wanted.select_for_update().first() is None:
            raise OrderChangedError(f"{order} is not wanted any more.")
        operation = BrokerOperation.objects.create(
            subject=f"order:{order.pk}", kind=kind, generation=generation, connection=work.connection, order=order,
            account=account_of(order), comment=f"order {order.pk}", next_at=now, created_at=now, updated_at=now,
            **values,
        )  # fmt: skip
        record(operation, source=None, by=BROKERS, reason="", now=now)
    return operation


def _marker(previous: BrokerOperation | None, generation: int) -> str:
    """The address that the account is found by again. It is ours: what the broker mails to it reaches no customer."""
    stem = previous.marker.split(".", 1)[0] if previous else f"p-{uuid4().hex}"
    return f"{stem}.{generation}@{settings.ACCOUNT_EMAIL_DOMAIN}"
