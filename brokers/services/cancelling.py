"""How a cancelled order ends: nothing new is begun, what was begun is settled, and its account is taken out."""

from brokers.models import AccountOrder, BrokerOperation
from brokers.services.calls import wind_up
from brokers.services.order_steps import Cancelled, Outcome, Review, Wait, account_of, record_orphans
from brokers.services.outcomes import BROKERS, change
from brokers.services.procedures import procedure_of
from brokers.services.taking_out import request_disable_and_flatten
from brokers.services.work import Work

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


def wind_up_order(order: AccountOrder, work: Work) -> Outcome:
    """Settle what the order has begun. `Cancelled` once nothing of it can have an effect any more."""
    _take_out_what_may_trade(order, work)
    operations = order.operations.unfinished().select_related("account__group", "order__group").order_by("id")
    for operation in operations:
        if outcome := _wind_up_operation(operation, work):
            return outcome
    doubtful = order.operations.filter(was_in_doubt=True).exists()
    return (record_orphans(order, work) if doubtful else None) or Cancelled(order.cancel_reason)


def _take_out_what_may_trade(order: AccountOrder, work: Work) -> None:
    """Do not wait for certainty to disable an account whose enabling has begun."""
    account = account_of(order)
    if account is not None and order.operations.filter(kind=Kind.ENABLE).exists():
        subject = f"order:{order.pk}:cancel"
        request_disable_and_flatten(subject=subject, account=account, by=BROKERS, now=work.clock())


def _wind_up_operation(operation: BrokerOperation, work: Work) -> Outcome | None:
    wind_up(operation, procedure_of(operation), work)
    match operation.status:
        case Status.INTENDED | Status.CALLING | Status.IN_DOUBT:
            return Wait(operation.next_at)
        case Status.NEEDS_REVIEW if operation.kind == Kind.CREATE:
            return Review(f"{operation.get_kind_display()}: {operation.review_reason}")
        case Status.NEEDS_REVIEW if operation.kind == Kind.ENABLE:
            change(
                operation, work, to=Status.CANCELLED, reason="Its order is cancelled.", finished_at=work.clock()
            )  # fmt: skip
    # Money in review is for staff to decide about; it keeps no account from being taken out.
    return None
