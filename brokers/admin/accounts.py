from collections.abc import Sequence

from django.contrib import admin
from django.contrib.messages import ERROR, WARNING
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from brokers.admin import colours
from brokers.admin.account_buttons import BUTTONS, trading_panel
from brokers.admin.closing import being_closed, closing_button, open_positions
from brokers.admin.live import live_panels
from brokers.admin.tables import operations_table
from brokers.client.errors import BrokerError
from brokers.models import BrokerOperation, Difference, TradingAccount, UnitReconciliation
from brokers.services import broker_for
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

    buttons = BUTTONS

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

    def panels_above(self, request: HttpRequest, row: TradingAccount) -> Sequence[Panel]:
        return [trading_panel(row)]

    def links(self, request: HttpRequest, row: TradingAccount | None) -> Sequence[Link]:
        if row is None:
            return ()
        return [Link("Read now at the broker", reverse("admin:brokers_tradingaccount_live", args=[row.pk]), "sync")]

    def get_urls(self) -> list[URLPattern]:
        live, close = self.admin_site.admin_view(self.live_view), self.admin_site.admin_view(self.close_view)
        return [
            path("<int:pk>/live/", live, name="brokers_tradingaccount_live"),
            path("<int:pk>/live/<int:position_id>/close/", close, name="brokers_tradingaccount_close"),
            *super().get_urls(),
        ]

    def live_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The account as the broker shows it now; nothing is changed there or here."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        account = _account(pk)
        return self.panels_page(
            request,
            title=f"Account {account.login} at the broker",
            intro="Read at this moment. Reload the page to read again.",
            panels=live_panels(account, may_close=_may_change(request)),
            back=(reverse("admin:brokers_tradingaccount_change", args=[pk]), f"Back to account {account.login}"),
        )

    def close_view(self, request: HttpRequest, pk: int, position_id: int) -> HttpResponse:
        """Ask (GET), then have one open position closed (POST). It is read at the broker each time."""
        if not _may_change(request):
            raise PermissionDenied
        account = _account(pk)
        live = reverse("admin:brokers_tradingaccount_live", args=[pk])
        try:
            positions = open_positions(account, broker_for(account.connection))
        except BrokerError as failure:
            self.message_user(request, f"The open positions could not be read, nothing was done: {failure}", ERROR)
            return HttpResponseRedirect(live)
        if closing := being_closed(account).get(position_id):
            self.message_user(request, f"Operation {closing.pk} closes position {position_id} already.", WARNING)
            return HttpResponseRedirect(live)
        position = next((each for each in positions if each.position_id == position_id), None)
        if position is None:
            self.message_user(request, f"Position {position_id} is not open any more.", WARNING)
            return HttpResponseRedirect(live)
        return self.confirmed(request, closing_button(position, account.group.currency), account, back=live)

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
                empty=_nothing_found(row),
            ),
            operations_table(
                "Broker operations",
                operations,
                note="The latest twenty calls that changed something on this account.",
                more=list_of(BrokerOperation, account__id__exact=row.pk),
                empty="No call has changed this account through PropDesk.",
            ),
        ]


def _nothing_found(account: TradingAccount) -> str:
    """What it means that no difference is present."""
    unit = UnitReconciliation.objects.filter(connection_id=account.connection_id, unit=account.group.unit)
    compared_at = unit.values_list("compared_at", flat=True).first()
    if compared_at is None or compared_at < account.created_at:
        return "It has not been compared with the broker's list yet."
    return f"None: at {compared_at:%Y-%m-%d %H:%M:%S} UTC it was at the broker as we know it."


def _account(pk: int) -> TradingAccount:
    account = TradingAccount.objects.select_related("group", "connection").filter(pk=pk).first()
    if account is None:
        raise Http404
    return account


def _may_change(request: HttpRequest) -> bool:
    return request.user.has_perm("brokers.change_tradingaccount")
