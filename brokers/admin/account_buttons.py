"""What staff may do to a trading account: take it out of trading, let it trade again, give its trader access."""

from typing import Any

from brokers.client.errors import NotSentError
from brokers.models import BrokerOperation, TradingAccount
from brokers.services import (
    ClockError,
    ResetOutcome,
    ResetUnderWayError,
    SubjectReusedError,
    enable_by_hand,
    objection_to_enabling,
    request_disable_and_flatten,
    reset_password,
)
from propdesk.lib.actors import Actor
from propdesk.lib.admin import Button, Page, Sentences, link_to
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.times import utc_now

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


def subject_of(account: TradingAccount, token: str) -> str:
    """What an operation that staff ask for is called: another subject for each press of a button."""
    return f"account:{account.pk}:by-hand:{token}"


def _take_out(account: TradingAccount, by: Actor, reason: str, token: str) -> str:
    disable, close_all = request_disable_and_flatten(
        subject=subject_of(account, token), account=account, by=by, now=utc_now(), reason=reason
    )
    return (
        f"Operation {disable.pk} disables the account, then operation {close_all.pk} closes its positions; "
        "both are read back at the broker."
    )


def _enable(account: TradingAccount, by: Actor, reason: str, token: str) -> str:
    operation = enable_by_hand(
        subject=subject_of(account, token), account_id=account.pk, reason=reason, by=by, now=utc_now()
    )
    return f"Operation {operation.pk} enables the account, and reads at the broker that it is."


def _reset(account: TradingAccount, by: Actor, reason: str, token: str) -> Page:
    subject = subject_of(account, token)
    try:
        outcome = reset_password(account=account, by=by, clock=utc_now, subject=subject, reason=reason)
    except SubjectReusedError as exc:
        raise ConflictError(
            "This reset was made already: its password was shown in the answer to the first press, and is kept "
            "nowhere. If nobody has it, reset the password once more."
        ) from exc
    except ResetUnderWayError as exc:
        raise ConflictError(
            "An earlier reset is not over: it may still reach the broker, and would undo a new one. Nothing was sent "
            "now. Reset the password again in about a minute."
        ) from exc
    except (NotSentError, ClockError) as exc:
        raise ConflictError(f"Nothing was sent, and the password is as it was. {exc}") from exc
    if outcome.password is None:
        raise ConflictError(_why_not_set(outcome))
    shown = {
        "password": outcome.password,
        "operation": link_to(outcome.operation, f"operation {outcome.operation.pk}"),
        "copy": {"type": "button", "data-copy": "password"},
    }
    return Page("admin/password_shown.html", f"New password of account {account}", shown)


def _why_not_set(outcome: ResetOutcome) -> str:
    operation = outcome.operation
    match operation.status:
        case Status.REFUSED:
            return f"The broker refused, and the password is as it was. Its words: {operation.error_message}"
        case Status.CANCELLED if not operation.was_in_doubt:
            return f"It could not be sent, and the password is as it was. {operation.error_message}".strip()
        case _:
            wait = max(round((operation.settle_at - utc_now()).total_seconds()), 1) if operation.settle_at else 60
            return (
                "The broker gave no clear answer: the old password may hold, or a new one that nobody knows. Reset it "
                f"again in about {wait} seconds, when operation {operation.pk} is over."
            )


def _being_taken_out(account: TradingAccount) -> BrokerOperation | None:
    return account.operations.open().under_way(utc_now()).filter(kind=Kind.DISABLE).order_by("id").first()


def _being_reset(account: TradingAccount) -> BrokerOperation | None:
    return account.operations.unfinished().filter(kind=Kind.RESET_PASSWORD).order_by("id").first()


def _why_no_reset(account: TradingAccount) -> str:
    if account.is_orphan:
        return "It is an extra account that a lost reply left behind: nobody may trade on it."
    if operation := _being_reset(account):
        return f"An earlier reset, operation {operation.pk}, is not over. Try again in about a minute."
    return ""


def _who_is_concerned(account: TradingAccount) -> str:
    """Who notices that it is taken out."""
    if enrollment := getattr(account, "enrollment", None):
        challenge = enrollment.challenge
        words = f"It is the account of {challenge.customer}, {challenge} ({challenge.get_status_display()})."
        if enrollment.is_paused:
            return f"{words} It is paused. Taken out by hand, it stays disabled when its next trading day begins."
        return f"{words} The challenge goes on unless a rule ends it; its time runs while nobody can trade."
    if payer := getattr(account, "payer", None):
        return f"It is the account that {payer.customer} pays from: nothing can be bought while it is disabled."
    return "Nobody is known to trade on it."


BUTTONS = (
    Button(
        name="take_out",
        text="Disable and close all positions",
        explanation="The account is disabled at the broker, then every open position is closed at the market's price. "
        "Each step counts only when it is read back. Closing cannot be undone.",
        about=_who_is_concerned,
        run_once=_take_out,
        offered=lambda account: _being_taken_out(account) is None,
        why_not=lambda account: f"operation {getattr(_being_taken_out(account), 'pk', '')} is disabling it already.",
        variant="danger",
        icon="block",
    ),
    Button(
        name="enable",
        text="Enable",
        explanation="Whoever has the account's password can trade on it again. It counts only when it is read back.",
        run_once=_enable,
        offered=lambda account: not objection_to_enabling(account),
        why_not=objection_to_enabling,
        variant="primary",
        icon="check_circle",
    ),
    Button(
        name="reset_password",
        text="Reset password",
        explanation="The broker is told a new random password, now. It is shown once, on the next page, and kept "
        "nowhere: hand it to the trader over a safe way. The old password stops working.",
        run_once=_reset,
        offered=lambda account: not _why_no_reset(account),
        why_not=_why_no_reset,
        icon="password",
    ),
)


def trading_panel(account: TradingAccount) -> Sentences:
    """Whether anyone can trade on it, what is about to change that, and why it cannot be enabled."""
    sentences: list[Any] = [
        "Enabled: whoever has its password can trade on it." if account.is_enabled
        else "Disabled: nobody can trade on it."
    ]  # fmt: skip
    unfinished = account.operations.unfinished().exclude(kind__in=BrokerOperation.MONEY).order_by("id")
    for operation in unfinished:
        verb, state = operation.get_kind_display(), operation.get_status_display()
        sentences.append(link_to(operation, f"Operation {operation.pk}, to {verb}: {state}."))
    objection = "" if account.is_enabled else objection_to_enabling(account)
    if objection:
        sentences.append(f"It cannot be enabled now. {objection}")
    return Sentences(title="Trading", groups=[("", sentences)])
