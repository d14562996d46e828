import math
from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Case, Count, IntegerField, OuterRef, Q, QuerySet, Subquery, When
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html

from brokers.admin import colours
from brokers.models import AccountGroup, Difference, UnitReconciliation
from brokers.services import ask_for_reconciliation
from brokers.services.reconciliation import EVERY, MOST_SUSPECTS, ROUTINE
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    Button,
    Colour,
    Panel,
    RelatedFilter,
    Sentences,
    Table,
    ViewOnlyAdmin,
    display,
    label,
    link_column,
    link_to,
    list_of,
    number_column,
    status_label,
)
from propdesk.lib.times import utc_now

UNIT = number_column("unit")
SHOWN = 50
# Longer than a comparison that was missed once takes to be made up for.
LATE = 3 * EVERY
WAITING = Count("pk", filter=Q(status=Difference.Status.OPEN))
AT_STAKE = [kind for kind, colour in colours.DIFFERENCE_KIND.items() if colour is Colour.RED]
URGENCY = Case(When(kind__in=AT_STAKE, then=0), default=1)
HOW = (
    "Three calls read the whole unit: its accounts, its open positions, and the trades closed since the last time.",
    "What looks wrong in a list is read a second time before it is called a difference.",
    "Trades and our ledger explain most balances. Transfers can be read of one account at a time only.",
    (
        f"Of the accounts that are not explained, {MOST_SUSPECTS} are read one by one in each comparison: "
        f"first those whose balance has moved, the others in turn; and {ROUTINE} more without any suspicion."
    ),
)


def _kind(kind: str) -> str:
    return label(Difference.Kind(kind).label, colours.DIFFERENCE_KIND.get(kind, Colour.GREY))


def waiting_time(accounts: int) -> str:
    """How long it takes until as many accounts have been read one by one."""
    minutes = math.ceil(accounts / MOST_SUSPECTS) * EVERY.total_seconds() / 60
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"


def _reconcile_now(row: UnitReconciliation, by: Actor, reason: str) -> str:
    ask_for_reconciliation(reconciliation_id=row.pk, now=utc_now())
    return f"Unit {row.unit} is being compared; reload the page in a few seconds."


@admin.register(UnitReconciliation)
class UnitReconciliationAdmin(ViewOnlyAdmin[UnitReconciliation]):
    list_display = (
        UNIT, "groups", link_column("connection"), "state", "open_count", "accounts_known", "accounts_at_broker",
        "compared_at",
    )  # fmt: skip
    list_select_related = ("connection",)
    list_filter = (("connection", RelatedFilter),)
    search_fields = ("=unit",)
    empty_text = "A unit appears here once it has an account group and the sweeper has run."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    (UNIT, link_column("connection"), "groups"),
                    ("state", "open_count"),
                    ("accounts_known", "accounts_at_broker"),
                    ("examined", "waiting_for_turn", "took"),
                    ("compared_at", "tried_at", "next_at"),
                    ("failure", "money_failure"),
                )
            },
        ),
    )
    buttons = (
        Button(
            name="reconcile",
            text="Reconcile now",
            explanation="Compares our books with the broker's list of this unit now, instead of in five minutes. "
            "Only reads at the broker.",
            run=_reconcile_now,
            variant="primary",
            icon="compare_arrows",
            asks_reason=False,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[UnitReconciliation]:
        own = Difference.objects.waiting().filter(connection=OuterRef("connection"), unit=OuterRef("unit"))
        totals = own.order_by().values("unit").annotate(total=Count("pk")).values("total")
        waiting = Coalesce(Subquery(totals, output_field=IntegerField()), 0)
        return super().get_queryset(request).annotate(waiting_total=waiting).prefetch_related("connection__groups")

    @display(description="account groups")
    def groups(self, row: UnitReconciliation) -> str:
        names = [group.name for group in row.connection.groups.all() if group.unit == row.unit]
        return ", ".join(names) or NOTHING

    @display(description="state")
    def state(self, row: UnitReconciliation) -> str:
        if row.failure:
            return label("no data", Colour.RED, row.failure)
        if row.compared_at is None:
            return label("not compared yet", Colour.BLUE)
        if utc_now() - row.compared_at > LATE:
            since = f"not compared since {row.compared_at:%Y-%m-%d %H:%M} UTC"
            return label(since, Colour.RED, "Its broker is switched off, or no worker compares.")
        if row.money_failure:
            return label("compared without money", Colour.ORANGE, row.money_failure)
        return label("compared", Colour.GREEN)

    @display(description="open differences")
    def open_count(self, row: Any) -> str:
        total = int(row.waiting_total)
        return label(total, Colour.ORANGE) if total else "0"

    @display(description="took")
    def took(self, row: UnitReconciliation) -> str:
        return NOTHING if row.seconds is None else f"{row.seconds:.1f} s"

    @display(description="wait for their turn")
    def waiting_for_turn(self, row: UnitReconciliation) -> str:
        if not row.left_over:
            return "0"
        return f"{row.left_over:,}, for about {waiting_time(row.left_over)}"

    def panels_below(self, request: HttpRequest, row: UnitReconciliation) -> Sequence[Panel]:
        groups = AccountGroup.objects.filter(connection=row.connection, unit=row.unit)
        return [
            *_differences(row),
            Sentences(title="How it is compared", groups=[("", HOW)]),
            Table(
                title="Account groups of this unit",
                columns=("Group", "Group string at the broker"),
                rows=[(link_to(group), group.broker_group) for group in groups],
                empty="None any more.",
            ),
        ]


def _differences(row: UnitReconciliation) -> list[Table]:
    own = Difference.objects.filter(connection=row.connection, unit=row.unit).present()
    kinds = list(own.order_by().values("kind").annotate(total=Count("pk"), open=WAITING).order_by("-open", "kind"))
    total = sum(each["total"] for each in kinds)
    every = {"unit": row.unit, "connection__id__exact": row.connection_id}
    note = "What the last comparison showed: what waits for staff first, and of that what puts money at stake"
    listed = Table(
        title="Differences",
        note=f"{note}; {SHOWN} of {total:,}." if total > SHOWN else f"{note}.",
        more=list_of(Difference, **every),
        columns=("Account", "What", "Status", "Ours", "The broker's", "Since"),
        rows=[
            (
                link_to(each, str(each.login)),
                _kind(each.kind),
                status_label(each, colours.DIFFERENCE),
                each.ours,
                format_html('<span class="pd-wrap">{}</span>', each.theirs),
                each.first_seen_at,
            )
            for each in own.order_by("status", URGENCY, "-last_seen_at", "-id")[:SHOWN]
        ],
        empty="None: our books and the broker agree." if row.compared_at else "Not compared yet.",
    )
    if total <= SHOWN:
        return [listed]
    by_kind = Table(
        title="Differences by kind",
        columns=("What", "Open", "All"),
        rows=[
            (
                format_html(
                    '<a href="{}">{}</a>', list_of(Difference, **every, kind=each["kind"]), _kind(each["kind"])
                ),
                f"{each['open']:,}",
                f"{each['total']:,}",
            )
            for each in kinds
        ],
        empty="None.",
    )
    return [by_kind, listed]
