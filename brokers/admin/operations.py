from collections.abc import Sequence
from datetime import datetime

from django.contrib import admin
from django.http import HttpRequest

from brokers.admin import colours
from brokers.models import AccountOrder, BrokerOperation
from brokers.services import resume_operation
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    Button,
    Card,
    ChoicesFilter,
    Colour,
    DateRangeFilter,
    Panel,
    RelatedFilter,
    ViewOnlyAdmin,
    display,
    flag_column,
    link_column,
    list_of,
    money_column,
    register_cards,
    status_column,
    timeline,
)
from propdesk.lib.times import utc_now


def _resume(operation: BrokerOperation, by: Actor, reason: str) -> str:
    resume_operation(operation_id=operation.pk, reason=reason, by=by, now=utc_now())
    return "The machine takes it up again: by reading the broker first if the call may have been made."


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
        ("Outcome", {"fields": (("error_code", "review_reason"), "error_message", "evidence", "baseline")}),
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
            offered=lambda operation: operation.status == BrokerOperation.Status.NEEDS_REVIEW,
            variant="primary",
            icon="replay",
        ),
    )

    @display(description="why it stands still")
    def why(self, operation: BrokerOperation) -> str:
        return operation.review_reason or operation.error_code or NOTHING

    def panels_below(self, request: HttpRequest, row: BrokerOperation) -> Sequence[Panel]:
        return [timeline(row, colours.OPERATION)]


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
