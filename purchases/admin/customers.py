from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from brokers.models import AccountMode, TradingAccount
from propdesk.lib.admin import (
    NOTHING,
    ChoicesFilter,
    DateRangeFilter,
    ModelAdmin,
    Panel,
    Table,
    TabularInline,
    count_of,
    display,
    link_to,
    list_of,
    money_column,
    number_column,
    status_column,
    status_label,
)
from purchases.admin import colours
from purchases.models import Customer, PayerAccount, Purchase

STATUS = status_column(colours.CUSTOMER)


class PayerAccountForm(forms.ModelForm[PayerAccount]):
    """Prices are taken from real money only."""

    class Meta:
        model = PayerAccount
        fields = ("account", "is_enabled")

    def clean_account(self) -> TradingAccount:
        account: TradingAccount = self.cleaned_data["account"]
        if account.group.mode != AccountMode.REAL:
            raise forms.ValidationError(
                f"Account {account} is in {account.group}, a DEMO group; a payer needs a REAL one."
            )
        return account


class PayerAccountInline(TabularInline[PayerAccount, Customer]):
    """The REAL accounts that prices are taken from."""

    model = PayerAccount
    form = PayerAccountForm
    extra = 0
    autocomplete_fields = ("account",)
    fields = ("account", "balance", "is_enabled", "created_at")
    readonly_fields = ("balance", "created_at")
    verbose_name_plural = "payer accounts"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PayerAccount]:
        return super().get_queryset(request).select_related("account__group")

    @display(description="balance, as last read")
    def balance(self, payer: PayerAccount) -> str:
        return money_column("balance", currency="group.currency")(payer.account) if payer.pk else NOTHING


@admin.register(Customer)
class CustomerAdmin(ModelAdmin[Customer]):
    list_display = ("id", "name", "email", STATUS, "brand", "purchases_count", "challenges_count", "created_at")
    list_display_links = ("id", "name")
    list_filter = (("status", ChoicesFilter), "brand", ("created_at", DateRangeFilter))
    search_fields = ("=id", "email", "first_name", "last_name", "=payer_accounts__account__login")
    search_help_text = "Number, name, e-mail or payer account number."
    empty_text = "Add a customer, or let the firm's own system add them."
    autocomplete_fields = ("user",)
    fieldsets = ((None, {"fields": (("first_name", "last_name"), ("email", "status"), ("brand", "user"))}),)
    inlines = (PayerAccountInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return (
            super()
            .get_queryset(request)
            .annotate(
                purchases_total=count_of(Customer, "purchases"), challenges_total=count_of(Customer, "challenges")
            )
        )

    def has_delete_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        # A customer with sales is archived; one entered by mistake may go.
        return super().has_delete_permission(request, obj) and (obj is None or not obj.purchases.exists())

    @display(description="name", ordering="last_name")
    def name(self, customer: Customer) -> str:
        return str(customer)

    @display(description="purchases", ordering="purchases_total")
    def purchases_count(self, customer: Any) -> int:
        return int(customer.purchases_total)

    @display(description="challenges", ordering="challenges_total")
    def challenges_count(self, customer: Any) -> int:
        return int(customer.challenges_total)

    def panels_below(self, request: HttpRequest, row: Customer) -> Sequence[Panel]:
        purchases = row.purchases.select_related("program", "challenge")[:20]
        amount = money_column("amount", currency="currency")
        login = number_column("account_login")
        return [
            Table(
                title="Purchases",
                note="The latest twenty.",
                more=list_of(Purchase, customer__id__exact=row.pk),
                columns=("Purchase", "Program", "Amount", "Status", "Account", "Challenge", "Created"),
                rows=[
                    (
                        link_to(purchase),
                        link_to(purchase.program),
                        amount(purchase),
                        status_label(purchase, colours.PURCHASE),
                        login(purchase),
                        link_to(getattr(purchase, "challenge", None)),
                        purchase.created_at,
                    )
                    for purchase in purchases
                ],
                empty="This customer has not bought anything yet.",
            )
        ]
