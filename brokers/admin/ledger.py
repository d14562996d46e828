from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from brokers.models import BrokerOperation, LedgerEntry, LedgerTransaction, TradingAccount
from brokers.services.ledger import COUNTER_ACCOUNTS, ledger_account
from propdesk.lib.admin import (
    DateRangeFilter,
    Facts,
    Link,
    OptionsFilter,
    Panel,
    Table,
    ViewOnlyAdmin,
    display,
    link_to,
    page_of,
)
from propdesk.lib.money import as_text

SHOWN = 100


def books_of(account: TradingAccount) -> str:
    """The address of the page that tells what our ledger says of a broker account."""
    return books_url(ledger_account(account))


def books_url(name: str) -> str:
    return reverse("admin:brokers_ledgertransaction_books_of", args=[name])


class OtherSideFilter(OptionsFilter):
    """Where the money came from or went."""

    title = "other side"
    parameter_name = "other_side"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in COUNTER_ACCOUNTS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LedgerTransaction]) -> QuerySet[LedgerTransaction]:
        return queryset.filter(entries__account=self.value()) if self.value() else queryset


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ViewOnlyAdmin[LedgerTransaction]):
    list_display = ("id", "kind", "subject", "movement", "at")
    list_display_links = ("id", "kind")
    list_filter = ("kind", OtherSideFilter, ("at", DateRangeFilter))
    search_fields = ("subject", "=operation_id", "entries__account")
    search_help_text = "Subject, operation number, account number or other side."
    empty_text = "Money that a broker operation has moved is booked here, in double entry."
    fieldsets = ((None, {"fields": (("kind", "subject", "at"),)}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerTransaction]:
        return super().get_queryset(request).prefetch_related("entries")

    def get_urls(self) -> list[URLPattern]:
        view, books = self.admin_site.admin_view, "brokers_ledgertransaction_books"
        return [
            path("books/", view(self.books_view), name=books),
            path("books/<str:name>/", view(self.books_of_view), name=f"{books}_of"),
            *super().get_urls(),
        ]

    def links(self, request: HttpRequest, row: LedgerTransaction | None) -> Sequence[Link]:
        return () if row else [Link("Sums", reverse("admin:brokers_ledgertransaction_books"), "functions")]

    @display(description="movement")
    def movement(self, row: LedgerTransaction) -> str:
        return ", ".join(f"{entry.account} {as_text(entry.amount, entry.currency)}" for entry in row.entries.all())

    def panels_below(self, request: HttpRequest, row: LedgerTransaction) -> Sequence[Panel]:
        operation = BrokerOperation.objects.filter(pk=row.operation_id).first()
        return [
            Facts(title="Moved by", facts=[("Broker operation", link_to(operation))]),
            Table(
                title="Entries",
                note="They add up to zero in every currency.",
                columns=("Ledger account", "Amount"),
                rows=[
                    (_link(books_url(entry.account), entry.account), as_text(entry.amount, entry.currency))
                    for entry in row.entries.all()
                ],
                empty="No entry.",
            ),
        ]

    def books_view(self, request: HttpRequest) -> HttpResponse:
        """The sums of every account that is not one at a broker, and of these together."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        at_brokers = LedgerEntry.objects.filter(account__startswith="broker:")
        others = LedgerEntry.objects.exclude(account__startswith="broker:")
        rows = [
            (_link(books_url(each["account"]), each["account"]), *_figures(each))
            for each in _sums(others, "account", "currency")
        ]
        rows += [("all accounts at brokers", *_figures(each)) for each in _sums(at_brokers, "currency")]
        table = Table(
            title="Sums", columns=("Ledger account", "Sum", "Entries"), rows=rows, empty="No money has moved yet."
        )
        return self.panels_page(
            request,
            title="What our ledger says",
            intro="Above zero: more came in than left. All rows of a currency add up to zero.",
            panels=[table],
            back=(reverse("admin:brokers_ledgertransaction_changelist"), "All transactions"),
        )

    def books_of_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """What our ledger says of one account, whether it knows it or not."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        entries = LedgerEntry.objects.filter(account=name)
        totals = _sums(entries, "currency")
        kinds = _sums(entries, "currency", "transaction__kind")
        latest = entries.select_related("transaction").order_by("-id")[:SHOWN]
        panels = [
            Table(
                title="Sums",
                columns=("", "Sum", "Entries"),
                rows=[
                    *((each["transaction__kind"], *_figures(each)) for each in kinds),
                    *(("together", *_figures(each)) for each in totals),
                ],
                empty="Our ledger knows no money of this account.",
            ),
            Table(
                title="Entries",
                note=f"The latest {SHOWN}." if sum(each["count"] for each in totals) > SHOWN else "",
                columns=("Transaction", "Amount", "When"),
                rows=[(link_to(e.transaction), as_text(e.amount, e.currency), e.transaction.at) for e in latest],
                empty="None.",
            ),
        ]
        account = _account_of(name)
        about = "What trades have earned or lost is not money moved: the broker's balance holds it besides."
        return self.panels_page(
            request,
            title=f"What our ledger says of {f'account {account}' if account else name}",
            intro=about if account else "Above zero: more came in than left.",
            panels=panels,
            back=(page_of(account), f"Account {account}") if account else None,
        )


def _account_of(name: str) -> TradingAccount | None:
    """The account at a broker that goes by this name in the ledger."""
    broker, _, rest = name.partition(":")
    connection, _, login = rest.partition(":")
    numbers = (connection, login)
    if broker != "broker" or not all(each.isascii() and each.isdecimal() and len(each) < 19 for each in numbers):
        return None
    return TradingAccount.objects.filter(connection_id=int(connection), login=int(login)).first()


def _link(url: str, text: str) -> str:
    return format_html('<a class="pd-link" href="{}">{}</a>', url, text)


def _sums(entries: QuerySet[LedgerEntry], *by: str) -> list[dict[str, Any]]:
    """The sum and the number of entries for each of what `by` names."""
    return list(entries.order_by(*by).values(*by).annotate(total=Sum("amount"), count=Count("id")))


def _figures(row: dict[str, Any]) -> tuple[str, str]:
    total: Decimal = row["total"]
    return as_text(total, row["currency"]), f"{row['count']:,}"
