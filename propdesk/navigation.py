"""The admin's sidebar: every list, grouped by room, and only what the user may see."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from propdesk.lib.admin import review_sources

# group -> (title, icon, app, model)
GROUPS: dict[str, list[tuple[str, str, str, str]]] = {
    "Programs": [
        ("Programs", "inventory_2", "programs", "program"),
        ("Program versions", "history", "programs", "programversion"),
        ("Deletion records", "delete_history", "programs", "deletionrecord"),
    ],
    "Sales": [
        ("Purchases", "shopping_cart", "purchases", "purchase"),
        ("Customers", "group", "purchases", "customer"),
    ],
    "Challenges": [
        ("Challenges", "trophy", "challenges", "challenge"),
        ("Enrollments", "flag", "challenges", "enrollment"),
        ("Breaches", "gavel", "challenges", "breach"),
        ("Daily snapshots", "calendar_month", "challenges", "dailysnapshot"),
        ("Unit watches", "monitor_heart", "challenges", "unitwatch"),
    ],
    "Brokers": [
        ("Differences", "difference", "brokers", "difference"),
        ("Reconciliation", "compare_arrows", "brokers", "unitreconciliation"),
        ("Broker connections", "lan", "brokers", "brokerconnection"),
        ("Account groups", "workspaces", "brokers", "accountgroup"),
        ("Trading accounts", "account_balance", "brokers", "tradingaccount"),
        ("Account orders", "assignment", "brokers", "accountorder"),
        ("Broker operations", "swap_horiz", "brokers", "brokeroperation"),
        ("Ledger transactions", "menu_book", "brokers", "ledgertransaction"),
        ("Invariants broken", "report", "processes", "invariantviolation"),
    ],
    "Access": [
        ("Users", "person", "auth", "user"),
        ("Groups", "groups", "auth", "group"),
        ("API tokens", "key", "access", "apitoken"),
    ],
}


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The navigation in the theme's shape; groups of which nothing may be seen are left out."""
    front = {"title": "Dashboard", "icon": "dashboard", "link": reverse("admin:index")}
    fronts = [front]
    if review_sources(request.user):
        fronts.append({"title": "Review queue", "icon": "inbox", "link": reverse("admin:brokers_review")})
    groups = [{"items": fronts}]
    for title, entries in GROUPS.items():
        items = [
            {"title": name, "icon": icon, "link": reverse(f"admin:{app}_{model}_changelist")}
            for name, icon, app, model in entries
            if request.user.has_module_perms(app)
            and (request.user.has_perm(f"{app}.view_{model}") or request.user.has_perm(f"{app}.change_{model}"))
        ]
        if items:
            groups.append({"title": title, "separator": True, "items": items})  # type: ignore[dict-item]
    return groups


def environment(request: HttpRequest) -> tuple[str, str]:
    """The label in the page's corner: nobody should take a trial machine for the real one."""
    return ("Production", "danger") if settings.PRODUCTION else ("Local", "info")
