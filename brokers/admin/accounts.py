from collections.abc import Sequence

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from brokers.admin import colours
from brokers.admin.live import live_panels
from brokers.models import BrokerOperation, Difference, TradingAccount
from propdesk.lib.admin import (
    NOTHING,
    Colour,
    Link,
    Panel,
    RelatedFilter,
    Table,
    ViewOnlyAdmin,
    display,
    label,
    link_column,
    link_to,
    list_of,
    money_column,
    status_label,
)


@admin.register(TradingAccount)
class TradingAccountAdmin(ViewOnlyAdmin[TradingAccount]):
    list_display = (
        "number",
        link_column("group"),
        "state",
        money_column("balance", currency="group.currency"),
        money_column("equity", currency="group.currency"),
        "read_at",
        "held_by",
    )
    list_select_related = ("group", "connection", "enrollment__challenge__customer", "payer__customer")
    list_filter = ("is_enabled", "is_funded", "is_orphan", ("group", RelatedFilter), ("connection", RelatedFilter))
    search_fields = ("=login", "marker", "payer__customer__email", "enrollment__challenge__customer__email")
    search_help_text = "Account number, marker address or the customer's e-mail."
    empty_text = "Accounts appear when a purchase is paid and its account order has been carried out."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("number", "state"),
                    ("group", "connection"),
                    (
                        money_column("balance", currency="group.currency"),
                        money_column("equity", currency="group.currency"),
                        "read_at",
                    ),
                    ("held_by", "order"),
                    ("marker",),
                    ("created_at", "updated_at"),
                )
            },
        ),
    )

    @display(description="account", ordering="login")
    def number(self, account: TradingAccount) -> str:
        return str(account.login)

    @display(description="state", ordering="is_enabled")
    def state(self, account: TradingAccount) -> str:
        if account.is_orphan:
            return label("orphan", Colour.ORANGE, "An extra account that a lost reply left behind.")
        return label("enabled", Colour.GREEN) if account.is_enabled else label("disabled")

    @display(description="held by")
    def held_by(self, account: TradingAccount) -> str:
        if enrollment := getattr(account, "enrollment", None):
            return link_to(
                enrollment.challenge, f"{enrollment.challenge.customer}, challenge {enrollment.challenge_id}"
            )
        if payer := getattr(account, "payer", None):
            return link_to(payer.customer, f"{payer.customer} (payer)")
        return NOTHING

    def links(self, request: HttpRequest, row: TradingAccount | None) -> Sequence[Link]:
        if row is None:
            return ()
        return [Link("Read now at the broker", reverse("admin:brokers_tradingaccount_live", args=[row.pk]), "sync")]

    def get_urls(self) -> list[URLPattern]:
        live = self.admin_site.admin_view(self.live_view)
        return [path("<int:pk>/live/", live, name="brokers_tradingaccount_live"), *super().get_urls()]

    def live_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The account as the broker shows it now; nothing is changed there or here."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        account = TradingAccount.objects.select_related("group", "connection").filter(pk=pk).first()
        if account is None:
            raise Http404
        page = reverse("admin:brokers_tradingaccount_change", args=[pk])
        return self.panels_page(
            request,
            title=f"Account {account.login} at the broker",
            intro="Read at this moment. Reload the page to read again; nothing is changed at the broker or here.",
            panels=live_panels(account),
            back=(page, f"Back to account {account.login}"),
        )

    def panels_below(self, request: HttpRequest, row: TradingAccount) -> Sequence[Panel]:
        operations = row.operations.order_by("-id")[:20]
        differences = row.differences.present()[:20]
        return [
            Table(
                title="Differences from the broker",
                columns=("What", "Status", "Ours", "The broker's", "Last seen"),
                more=list_of(Difference, q=row.login),
                rows=[
                    (
                        link_to(each, each.get_kind_display()),
                        status_label(each, colours.DIFFERENCE),
                        each.ours,
                        format_html('<span class="pd-wrap">{}</span>', each.theirs),
                        each.last_seen_at,
                    )
                    for each in differences
                ],
                empty="None: the last comparison found it as we know it.",
            ),
            Table(
                title="Broker operations",
                note="The latest twenty calls that changed something on this account.",
                more=list_of(BrokerOperation, account__id__exact=row.pk),
                columns=("Operation", "Status", "Amount", "Attempts", "Created", "Finished"),
                rows=[
                    (
                        link_to(operation, f"{operation.get_kind_display()}, {operation.subject}"),
                        status_label(operation, colours.OPERATION),
                        NOTHING if operation.amount is None else f"{operation.amount:,.2f}",
                        operation.attempts,
                        operation.created_at,
                        operation.finished_at or NOTHING,
                    )
                    for operation in operations
                ],
                empty="No call has changed this account through PropDesk.",
            ),
        ]
