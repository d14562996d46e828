"""What staff may decide about an operation in review, after they have looked at the broker."""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from brokers.models import BrokerOperation
from brokers.services.objections import objection_to_trading, superseded_by, words_of
from brokers.services.operations import decide_operation
from brokers.services.procedures import procedure_of
from brokers.services.taking_out import close_again
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import IllegalTransitionError, transition

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


@dataclass(frozen=True, slots=True)
class Review:
    """What to check at the broker, and which ways out are legal: which conclusions, and whether to try again."""

    check: str
    done: str = ""
    not_done: str = ""
    may_resume: bool = True


def review_of(operation: BrokerOperation) -> Review:
    """The review of the operation, in words for staff."""
    if younger := superseded_by(operation):
        left = "It is not wanted any more. The operation is cancelled."
        return Review(check=words_of(younger), not_done=left, may_resume=False)
    review = _review_of_kind(operation)
    # Its order would have to take it up again.
    return replace(review, may_resume=False) if operation.order is not None and operation.order.is_over else review


def _review_of_kind(operation: BrokerOperation) -> Review:
    login = operation.account.login if operation.account else "the account"
    amount = f"{operation.amount:,.2f}" if operation.amount is not None else ""
    match Kind(operation.kind):
        case Kind.DEPOSIT | Kind.WITHDRAW:
            way = "into" if operation.kind == Kind.DEPOSIT else "out of"
            return Review(
                check=f"Is there exactly one transfer of {amount} {way} {login} that belongs to this operation?",
                done=f"The transfer is there: {amount} has moved {way} {login}. It is booked, and never made again.",
                not_done="There is no such transfer and there will be none. The operation ends as refused.",
            )
        case Kind.CREATE:
            return Review(
                check=f"Does the broker list an account with the address {operation.marker}? "
                "Trying again reads the list and adopts it, or begins anew."
            )
        case Kind.ENABLE | Kind.DISABLE:
            state = "enabled" if operation.kind == Kind.ENABLE else "disabled"
            left = "The account is to stay as it is. The operation is cancelled." if state == "enabled" else ""
            return Review(
                check=f"Is {login} {state} at the broker?", done=f"{login} is {state} at the broker.", not_done=left
            )
        case Kind.CLOSE_ALL:
            return Review(
                check=f"Has {login} no open position left?", done=f"{login} has no open position at the broker."
            )
        case Kind.CLOSE_ONE:
            position = f"position {operation.position_id} of {login}"
            return Review(
                check=f"Is {position} closed?",
                done=f"It is closed: {position}.",
                not_done="The position is to stay open. The operation is cancelled.",
            )
        case _:
            return Review(check="Nothing can be read back: try again, or reset the password once more.")


@transaction.atomic
def conclude_operation(*, operation_id: int, happened: bool, reason: str, by: Actor, now: datetime) -> BrokerOperation:
    """Staff say, having looked at the broker, how an operation in review has ended.

    Money becomes DONE or REFUSED; set-state kinds DONE, or CANCELLED where they need not happen. After a disabling all
    is closed again. Raises `IllegalTransitionError` when it is not in review, `ValueError` when only the machine can
    conclude it so.
    """
    _lock_what_trades(operation_id)
    operation = BrokerOperation.objects.select_for_update(of=("self",)).select_related("account").get(pk=operation_id)
    review = review_of(operation)
    if not (review.done if happened else review.not_done):
        verb = operation.get_kind_display()
        raise ValueError(f"An operation to {verb} cannot be concluded as {'done' if happened else 'not done'}.")
    if operation.kind in BrokerOperation.MONEY:
        return decide_operation(operation_id=operation_id, happened=happened, reason=reason, by=by, now=now)
    to = Status.DONE if happened else Status.CANCELLED
    if operation.status != Status.NEEDS_REVIEW:
        raise IllegalTransitionError(operation, operation.status, to)
    evidence = {**operation.evidence, "from": "staff"}
    if happened:
        if operation.kind in {Kind.ENABLE, Kind.DISABLE}:
            evidence["enabled"] = operation.kind == Kind.ENABLE
        procedure_of(operation).apply(operation, evidence, now=now)
    transition(operation, to=to, by=by, now=now, reason=reason, evidence=evidence, finished_at=now, review_reason="")
    if happened and operation.kind == Kind.DISABLE:
        close_again(operation, by=by, now=now)
    return operation


def _lock_what_trades(operation_id: int) -> None:
    """Nobody pauses, lifts or closes it meanwhile, which may supersede the operation. Upper locks come first."""
    operation = BrokerOperation.objects.select_related("account__order").get(pk=operation_id)
    if operation.account is not None:
        objection_to_trading(operation.account, lock=True)
