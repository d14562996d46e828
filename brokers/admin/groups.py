from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from brokers.admin import colours
from brokers.models import AccountGroup
from propdesk.lib.admin import (
    ChoicesFilter,
    ModelAdmin,
    RelatedFilter,
    count_of,
    display,
    link_column,
    money_column,
    number_column,
    status_column,
)

UNIT = number_column("unit")
# What accounts, running challenges and payments rely on: fixed once an account was ordered, or entered, in the group.
FIXED = ("connection", "mode", "currency", UNIT)
# Terms that were bought name the group, and their next phase finds it by that: fixed once the group exists.
NAMED = ("name",)


@admin.register(AccountGroup)
class AccountGroupAdmin(ModelAdmin[AccountGroup]):
    list_display = (
        "name",
        status_column(colours.MODE, "mode", "mode"),
        "currency",
        money_column("default_deposit", currency="currency"),
        "broker_group",
        UNIT,
        link_column("connection"),
        "used_by",
        "is_enabled",
    )
    list_select_related = ("connection",)
    list_filter = (("mode", ChoicesFilter), ("connection", RelatedFilter), "currency", "is_enabled")
    search_fields = ("name", "broker_group", "unit")
    empty_text = "Add a group for every trading group at the broker that programs should open accounts in."

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccountGroup]:
        return super().get_queryset(request).annotate(phases_total=count_of(AccountGroup, "phases"))

    def get_readonly_fields(self, request: HttpRequest, obj: AccountGroup | None = None) -> tuple[Any, ...]:
        return (*(NAMED if obj else ()), *(FIXED if _is_fixed(obj) else ()))

    def get_fieldsets(self, request: HttpRequest, obj: AccountGroup | None = None) -> Any:
        """Where the unit can only be read, it is a name and not a figure with thousands separators."""
        may_write = self.has_change_permission(request, obj) and not _is_fixed(obj)
        at_broker = ("connection", ("broker_group", "unit" if may_write else UNIT))
        return (
            (None, {"fields": (("name", "is_enabled"), ("mode", "currency"), "default_deposit")}),
            ("At the broker", {"fields": at_broker}),
        )

    @display(description="used by", ordering="phases_total")
    def used_by(self, group: Any) -> str:
        return f"{group.phases_total} phases" if group.phases_total != 1 else "1 phase"


def _is_fixed(group: AccountGroup | None) -> bool:
    return group is not None and (group.orders.exists() or group.accounts.exists())
