"""A broker's units, and how each becomes an account group."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from brokers.client.errors import BrokerError
from brokers.models import AccountGroup, AccountMode, BrokerConnection
from brokers.services import test_connection
from propdesk.lib.admin import Facts, Panel, Table, link_to


def unit_panels(connection: BrokerConnection, *, may_add: bool) -> list[Panel]:
    """How quickly the broker answers, and its units. Makes HTTP calls; changes nothing."""
    try:
        result = test_connection(connection)
    except BrokerError as failure:
        return [Table(title="Units", columns=(), rows=(), empty=f"The broker could not be read: {failure}")]
    groups: dict[int, list[AccountGroup]] = {}
    for group in connection.groups.order_by("name"):
        groups.setdefault(group.unit, []).append(group)
    new = [(unit, name) for unit, name in result.units.items() if unit not in groups]
    known = [(unit, name) for unit, name in result.units.items() if unit in groups]
    lost = [group for unit, own in groups.items() if unit not in result.units for group in own]
    panels: list[Panel] = [
        Facts(
            title="Connection",
            facts=[("Answered in", f"{result.latency_ms} ms"), ("Units that our key sees", len(result.units))],
        ),
        Table(
            title="Not yet account groups",
            columns=("Unit", "Name at the broker", ""),
            rows=[(str(unit), name, _form(connection, unit, name) if may_add else "") for unit, name in new],
            empty="None: every unit has an account group.",
        ),
        Table(
            title="Account groups",
            columns=("Unit", "Name at the broker", "Account group"),
            rows=[(str(unit), name, link_to(group)) for unit, name in known for group in groups[unit]],
            empty="None yet.",
        ),
    ]
    if lost:
        note = "Their accounts cannot be read or opened."
        rows = [(link_to(group), str(group.unit)) for group in lost]
        panels.insert(1, Table(title="Groups whose unit our key does not see", note=note, columns=("Group", "Unit"),
                               rows=rows, empty=""))  # fmt: skip
    return panels


def _form(connection: BrokerConnection, unit: int, name: str) -> SafeString:
    """A link to the form for a new group, filled in with what the broker says."""
    mode = AccountMode.REAL if "REAL" in name.upper() else AccountMode.DEMO
    told: dict[str, str | int] = {
        "connection": connection.pk,
        "unit": unit,
        "broker_group": name if name.startswith(f"{unit}:") else f"{unit}:{name}",
        "name": name.rsplit(":", 1)[-1],
        "mode": int(mode),
    }
    url = f"{reverse('admin:brokers_accountgroup_add')}?{urlencode(told)}"
    return format_html('<a class="pd-link" href="{}">Make it an account group</a>', url)
