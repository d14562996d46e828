from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from brokers.admin import colours
from brokers.admin.tables import operations_table
from brokers.models import AccountOrder, BrokerOperation
from brokers.services import conclude_operation, resume_operation, review_of
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    Button,
    Card,
    ChoicesFilter,
    Colour,
    DateRangeFilter,
    Facts,
    Link,
    Panel,
    RelatedFilter,
    Sentences,
    ViewOnlyAdmin,
    display,
    flag_column,
    link_column,
    link_to,
    list_of,
    money_column,
    register_cards,
    review_panel,
    review_sources,
    status_column,
    timeline,
)
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.times import utc_now


def _resume(operation: BrokerOperation, by: Actor, reason: str) -> str:
    resume_operation(operation_id=operation.pk, reason=reason, by=by, now=utc_now())
    return (
        "The machine takes it up again: by reading the broker first if the call may have been made."
        f"{_order_waits(operation)}"
    )


def _order_waits(operation: BrokerOperation) -> str:
    waits = operation.order is not None and operation.order.status == AccountOrder.Status.NEEDS_REVIEW
    return f" Its order {operation.order} still waits: have it tried again." if waits else ""


def _conclude(operation: BrokerOperation, by: Actor, reason: str, *, happened: bool) -> str:
    try:
        concluded = conclude_operation(
            operation_id=operation.pk, happened=happened, reason=reason, by=by, now=utc_now()
        )
    except ValueError as refusal:
        raise ConflictError(str(refusal)) from refusal
    return f"Concluded by you as {concluded.get_status_display()}.{_order_waits(operation)}"


def _happened(operation: BrokerOperation, by: Actor, reason: str) -> str:
    return _conclude(operation, by, reason, happened=True)


def _did_not_happen(operation: BrokerOperation, by: Actor, reason: str) -> str:
    return _conclude(operation, by, reason, happened=False)


def _waits(operation: BrokerOperation) -> bool:
    return operation.status == BrokerOperation.Status.NEEDS_REVIEW


IN_DOUBT = flag_column("was_in_doubt", "was in doubt")
STATUS = status_column(colours.OPERATION)
AMOUNT = money_column("amount", currency="account.group.currency")


@admin.register(BrokerOperation)
class BrokerOperationAdmin(ViewOnlyAdmin[BrokerOperation]):
    list_display = (
        "id",
        "kind",
        "subject",
        link_column("account"),
        AMOUNT,
        STATUS,
        "attempts",
        "why",
        "created_at",
    )
    list_display_links = ("id", "kind")
    list_select_related = ("account__group",)
    list_filter = (
        ("status", ChoicesFilter),
        ("kind", ChoicesFilter),
        "was_in_doubt",
        ("connection", RelatedFilter),
        ("created_at", DateRangeFilter),
    )
    search_fields = ("subject", "=account__login", "marker", "error_code")
    search_help_text = "Subject (order:12), account number, marker address or error code."
    empty_text = "Every call that changes something at a broker is recorded here before it is made."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("subject", "kind", STATUS),
                    ("account", AMOUNT, "connection"),
                    ("order", "after", "generation"),
                    ("attempts", IN_DOUBT),
                    ("comment", "marker"),
                )
            },
        ),
        ("Outcome", {"fields": (("error_code", "review_reason"), "error_message")}),
        (
            "Times",
            {"fields": (("created_at", "started_at", "finished_at"), ("settle_at", "next_at", "updated_at"))},
        ),
    )
    buttons = (
        Button(
            name="resume",
            text="Try again",
            explanation="The machine takes the operation up again. If its call may already have reached the broker, "
            "it first reads there what happened, so nothing is done twice.",
            run=_resume,
            about=lambda operation: review_of(operation).check,
            offered=lambda operation: _waits(operation) and review_of(operation).may_resume,
            variant="primary",
            icon="replay",
        ),
        Button(
            name="happened",
            text="It happened",
            explanation="Only after you have looked at the broker. You conclude, in your name:",
            run=_happened,
            about=lambda operation: review_of(operation).done,
            offered=lambda operation: _waits(operation) and bool(review_of(operation).done),
            icon="task_alt",
        ),
        Button(
            name="did_not_happen",
            text="It did not happen",
            explanation="Only after you have looked at the broker. You conclude, in your name:",
            run=_did_not_happen,
            about=lambda operation: review_of(operation).not_done,
            offered=lambda operation: _waits(operation) and bool(review_of(operation).not_done),
            variant="danger",
            icon="block",
        ),
    )

    @display(description="why it stands still")
    def why(self, operation: BrokerOperation) -> str:
        return operation.review_reason or operation.error_code or NOTHING

    def links(self, request: HttpRequest, row: BrokerOperation | None) -> Sequence[Link]:
        if row is None:
            return [Link("Review queue", reverse("admin:brokers_review"), "inbox")]
        if row.account_id is None:
            return ()
        live = reverse("admin:brokers_tradingaccount_live", args=[row.account_id])
        return [Link("Read the account at the broker", live, "sync")]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.review_view)
        return [path("review/", view, name="brokers_review"), *super().get_urls()]

    def review_view(self, request: HttpRequest) -> HttpResponse:
        """Everything that waits for staff, on one page."""
        sources = review_sources(request.user)
        if not sources:
            raise PermissionDenied
        return self.panels_page(
            request,
            title="Review queue",
            intro="What a machine must not decide. Look at the broker, then open the row and take one of its ways out: "
            "each asks for the reason and is recorded in your name.",
            panels=[review_panel(source) for source in sources],
        )

    def panels_above(self, request: HttpRequest, row: BrokerOperation) -> Sequence[Panel]:
        if row.status == BrokerOperation.Status.REFUSED:
            return [Sentences(title="It was refused", groups=[("", [_after_refusal(row)])])]
        if not _waits(row):
            return ()
        review = review_of(row)
        ways = ["Try again: the machine reads at the broker first, so nothing is done twice."] * review.may_resume
        ways += [f"It happened: {review.done}"] if review.done else []
        ways += [f"It did not happen: {review.not_done}"] if review.not_done else []
        groups = [("Why", [row.review_reason]), ("What to check", [review.check]), ("Ways out", ways)]
        return [Sentences(title="It waits for you", groups=groups)]

    def panels_below(self, request: HttpRequest, row: BrokerOperation) -> Sequence[Panel]:
        panels: list[Panel] = [timeline(row, colours.OPERATION, "Attempts and outcome")]
        # What an outcome was concluded from repeats the baseline.
        proof = _facts("", row.evidence) or _facts("Before the call", row.baseline)
        if proof:
            note = "What the outcome was concluded from."
            panels.append(Facts(title="Evidence", note=note, facts=proof))
        followers = row.followers.order_by("id")
        if followers:
            panels.append(operations_table("Runs after it", followers))
        return panels


def _after_refusal(operation: BrokerOperation) -> str:
    """What a definite no means, and who may ask again. The operation itself is over: nothing of it will happen."""
    order = operation.order
    if operation.kind == BrokerOperation.Kind.RESET_PASSWORD:
        page = link_to(operation.account, "account's page")
        return format_html("The old password still holds. Reset it again on the {}.", page)
    if order is not None:
        state = order.get_status_display()
        return format_html("Nothing was done. Its order {} is {}.", link_to(order), state)
    return f"No money was moved. Whoever asked for it goes on from there: {operation.subject}."


def _facts(title: str, values: Any) -> list[tuple[str, object]]:
    """Stored evidence as names and values, one level of nesting deep."""
    facts: list[tuple[str, object]] = []
    for name, value in (values or {}).items() if isinstance(values, dict | None) else [("value", values)]:
        words = f"{title} {name}".strip().replace("_", " ").capitalize()
        nested = _facts(words, value) if isinstance(value, dict) else [(words, str(value))]
        facts.extend(nested)
    return facts


def _cards(now: datetime) -> list[Card]:
    review = BrokerOperation.Status.NEEDS_REVIEW
    return [
        Card(
            title="Operations to review",
            value=BrokerOperation.objects.filter(status=review).count(),
            hint="calls whose outcome staff must settle",
            url=list_of(BrokerOperation, status__exact=int(review)),
            colour=Colour.ORANGE,
        ),
        Card(
            title="Orders to review",
            value=AccountOrder.objects.filter(status=AccountOrder.Status.NEEDS_REVIEW).count(),
            hint="accounts that could not be opened by themselves",
            url=list_of(AccountOrder, status__exact=int(AccountOrder.Status.NEEDS_REVIEW)),
            colour=Colour.ORANGE,
        ),
    ]


register_cards(_cards, permission="brokers.view_brokeroperation", order=40)
