from collections.abc import Sequence

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from brokers.models import BrokerOperation, LedgerTransaction
from propdesk.lib.admin import (
    DateRangeFilter,
    Facts,
    Panel,
    Table,
    ViewOnlyAdmin,
    display,
    link_to,
)
from propdesk.lib.money import as_text


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(ViewOnlyAdmin[LedgerTransaction]):
    list_display = ("id", "kind", "subject", "movement", "at")
    list_display_links = ("id", "kind")
    list_filter = ("kind", ("at", DateRangeFilter))
    search_fields = ("subject", "=operation_id", "entries__account")
    search_help_text = "Subject, operation number or ledger account."
    empty_text = "Money that a broker operation has moved is booked here, in double entry."
    fieldsets = ((None, {"fields": (("kind", "subject", "at"),)}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerTransaction]:
        return super().get_queryset(request).prefetch_related("entries")

    @display(description="movement")
    def movement(self, row: LedgerTransaction) -> str:
        return ", ".join(f"{entry.account} {as_text(entry.amount, entry.currency)}" for entry in row.entries.all())

    def panels_below(self, request: HttpRequest, row: LedgerTransaction) -> Sequence[Panel]:
        operation = BrokerOperation.objects.filter(pk=row.operation_id).first()
        entries = [(entry.account, as_text(entry.amount, entry.currency)) for entry in row.entries.all()]
        return [
            Facts(title="Moved by", facts=[("Broker operation", link_to(operation))]),
            Table(
                title="Entries",
                note="They add up to zero in every currency.",
                columns=("Ledger account", "Amount"),
                rows=entries,
                empty="No entry.",
            ),
        ]
