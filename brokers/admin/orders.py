from collections.abc import Sequence

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from brokers.admin import colours
from brokers.admin.tables import operations_table
from brokers.models import AccountOrder, BrokerOperation
from brokers.services import cancel_order, resume_order
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    Button,
    ChoicesFilter,
    DateRangeFilter,
    Panel,
    RelatedFilter,
    Sentences,
    ViewOnlyAdmin,
    display,
    flag_column,
    link_column,
    link_to,
    money_column,
    status_column,
    timeline,
)
from propdesk.lib.times import utc_now

Status = AccountOrder.Status


def _resume(order: AccountOrder, by: Actor, reason: str) -> str:
    resume_order(order_id=order.pk, reason=reason, by=by, now=utc_now())
    if order.cancel_asked_at:
        return "The machine goes on winding the order up."
    return "The machine goes on with the order and with its operations that were in review."


def _cancel(order: AccountOrder, by: Actor, reason: str) -> str:
    cancelled = cancel_order(order_id=order.pk, reason=reason, by=by, now=utc_now())
    if cancelled.status == Status.CANCELLED:
        return "The order is cancelled: nothing of it had begun."
    return "The order is being wound up. Reload the page to see how it goes on."


def _why_no_cancelling(order: AccountOrder) -> str:
    """Why cancelling is not offered; empty where it is."""
    if order.status == Status.READY:
        return f"the order is ready, and account {order.account} is in use. Take it out of trading on its own page."
    if order.status in {Status.FAILED, Status.CANCELLED}:
        return f"the order is {order.get_status_display()} already."
    if order.cancel_asked_at:
        return "that was asked for already, and the order is being wound up."
    return ""


def _after_cancelling(order: AccountOrder) -> str:
    """Who has to do with it."""
    return (
        f"It was ordered for {order.reference}. A purchase fails by this, and money taken for it is shown to staff; a "
        "challenge whose next phase waits for the account is shown to staff too."
    )


def _cancelling(order: AccountOrder) -> Sentences:
    """How far the winding up is."""
    asked = f"Asked for at {order.cancel_asked_at:%Y-%m-%d %H:%M} UTC: {order.cancel_reason}"
    match order.status:
        case Status.NEEDS_REVIEW:
            state = f"The winding up stopped: {order.review_reason} Trying again goes on with it, and opens nothing."
        case Status.CANCELLED:
            state = "It is done: nothing of the order is under way any more."
        case Status.FAILED:
            state = "The order had failed by then."
        case _:
            state = (
                "The order is being wound up: what had begun is settled, then its account, if there is one, ends "
                "disabled and flat. Reload the page to see how it goes on."
            )
    return Sentences(title="Cancelling", groups=[("", [asked, state])])


def _waiting(order: AccountOrder) -> Sentences:
    """What staff have to know about an order in review."""
    undecided = order.operations.filter(status=BrokerOperation.Status.NEEDS_REVIEW).order_by("id")
    check: list[str] = [
        format_html("Decide about {} first.", link_to(each, f"operation {each.pk}")) for each in undecided
    ]
    ways = ["Try again: the machine first reads at the broker what was done, so nothing is done twice."]
    ways += [] if _why_no_cancelling(order) else ["Cancel order: what has begun is settled, and its account taken out."]
    groups: list[tuple[str, list[str]]] = [
        ("Why", [order.review_reason]),
        ("What to check", check or ["Look at its steps, and at the account at the broker."]),
        ("Ways out", ways),
    ]
    return Sentences(title="It waits for you", groups=groups)


def _why_no_steps(order: AccountOrder) -> str:
    """What it means that no step is recorded, by what the row and its first event say."""
    begun = order.EVENTS._default_manager.filter(subject_id=order.pk).order_by("id").first()
    match order.status:
        case Status.REQUESTED | Status.OPENING:
            return "No step has been taken yet."
        case Status.READY if begun is not None and begun.from_status is None and begun.to_status == Status.READY:
            told = f"{begun.actor}: {begun.reason}" if begun.reason else begun.actor
            return (
                f"None is recorded. The order was entered as ready ({told.rstrip('.')}): account {order.account} was "
                "not opened by steps of PropDesk."
            )
        case Status.READY:
            return f"None is recorded, although account {order.account} is ready: it was not opened by recorded steps."
        case _:
            return "It ended before its first step: nothing was done at the broker."


IN_DOUBT = flag_column("was_in_doubt", "was in doubt")
STATUS = status_column(colours.ORDER)
DEPOSIT = money_column("deposit", currency="group.currency")


@admin.register(AccountOrder)
class AccountOrderAdmin(ViewOnlyAdmin[AccountOrder]):
    list_display = (
        "reference",
        "holder",
        link_column("group"),
        DEPOSIT,
        STATUS,
        link_column("account"),
        "why",
        "created_at",
    )
    list_select_related = ("group", "account")
    list_filter = (
        ("status", ChoicesFilter),
        ("group", RelatedFilter),
        "was_in_doubt",
        ("created_at", DateRangeFilter),
    )
    search_fields = ("reference", "first_name", "last_name", "=account__login")
    search_help_text = "Reference, name or account number."
    empty_text = "An order appears when a purchase is paid or a challenge reaches its next phase."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("reference", STATUS),
                    ("holder", "group", DEPOSIT),
                    ("account", "ready_at"),
                    ("failure_reason", "review_reason"),
                    ("cancel_asked_at", "cancel_reason"),
                    (IN_DOUBT, "next_at"),
                    ("created_at", "updated_at"),
                )
            },
        ),
    )
    buttons = (
        Button(
            name="resume",
            text="Try again",
            explanation="The machine goes on where the order stopped, and first reads at the broker what was done.",
            run=_resume,
            offered=lambda order: order.status == Status.NEEDS_REVIEW,
            variant="primary",
            icon="replay",
        ),
        Button(
            name="cancel",
            text="Cancel order",
            explanation="Nothing new is begun. What was begun is settled first; an account that was opened ends "
            "disabled and flat. A cancelled order cannot be taken up again.",
            about=_after_cancelling,
            run=_cancel,
            offered=lambda order: not _why_no_cancelling(order),
            why_not=_why_no_cancelling,
            variant="danger",
            icon="cancel",
        ),
    )

    @display(description="for", ordering="last_name")
    def holder(self, order: AccountOrder) -> str:
        return f"{order.first_name} {order.last_name}".strip() or NOTHING

    @display(description="why it stands still")
    def why(self, order: AccountOrder) -> str:
        return order.review_reason or order.failure_reason or NOTHING

    def panels_above(self, request: HttpRequest, row: AccountOrder) -> Sequence[Panel]:
        panels = [_cancelling(row)] if row.cancel_asked_at else []
        return [*panels, *([_waiting(row)] if row.status == Status.NEEDS_REVIEW else [])]

    def panels_below(self, request: HttpRequest, row: AccountOrder) -> Sequence[Panel]:
        steps = operations_table(
            "Steps at the broker",
            row.operations.order_by("id"),
            note="Create, deposit, enable: each is one recorded operation.",
            empty=_why_no_steps(row),
        )
        return [steps, timeline(row, colours.ORDER)]
