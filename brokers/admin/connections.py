from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse

from brokers.admin import colours
from brokers.admin.connection_standing import (
    Status,
    breaker_label,
    operations_link,
    reading_of,
    standing_panel,
    with_standing,
)
from brokers.admin.units import unit_panels
from brokers.client.errors import BrokerError
from brokers.client.transport import check_address
from brokers.models import BrokerConnection
from brokers.services import test_connection
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    Button,
    Colour,
    Link,
    ModelAdmin,
    Panel,
    PasswordInput,
    Table,
    count_of,
    display,
    label,
    link_to,
    status_label,
)
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.money import as_text


class ConnectionForm(forms.ModelForm[BrokerConnection]):
    """The key is write-only: an empty box keeps the stored one."""

    new_api_key = forms.CharField(
        label="API key",
        required=False,
        max_length=500,
        widget=PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    class Meta:
        model = BrokerConnection
        fields = (
            "name",
            "base_url",
            "key_header",
            "is_enabled",
            "deadline_seconds",
            "settle_seconds",
            "quarantine_seconds",
            "calls_per_second",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "new_api_key" not in self.fields:
            return
        stored = self.instance.pk is not None
        self.fields["new_api_key"].required = not stored
        self.fields["new_api_key"].help_text = (
            "Stored encrypted and never shown. Leave empty to keep the present key."
            if stored
            else "Stored encrypted and never shown again."
        )

    def clean_base_url(self) -> str:
        url: str = self.cleaned_data["base_url"].rstrip("/")
        try:
            check_address(url)
        except BrokerError as refusal:
            raise forms.ValidationError(f"{refusal} Allowed: {', '.join(settings.BROKER_HOSTS)}.") from refusal
        return url

    def save(self, commit: bool = True) -> BrokerConnection:
        if key := self.cleaned_data.get("new_api_key"):
            self.instance.api_key = key
        return super().save(commit)


def _test(connection: BrokerConnection, by: Actor, reason: str) -> str:
    try:
        result = test_connection(connection)
    except BrokerError as failure:
        raise ConflictError(f"The broker could not be reached: {failure}") from failure
    units = ", ".join(f"{unit} ({name})" for unit, name in result.units.items()) or "none"
    return f"The broker answered in {result.latency_ms} ms. Units that our key sees: {units}."


@admin.register(BrokerConnection)
class BrokerConnectionAdmin(ModelAdmin[BrokerConnection]):
    form = ConnectionForm
    list_display = ("name", "base_url", "state", "breaker", "in_doubt", "in_review", "last_reading", "groups_count")
    list_filter = ("is_enabled",)
    search_fields = ("name", "base_url")
    empty_text = "Add the broker's address and API key; then its account groups can be added."
    fieldsets = (
        (None, {"fields": (("name", "is_enabled"), "base_url", ("new_api_key", "key_header"))}),
        ("Patience", {"fields": (("deadline_seconds", "settle_seconds"), ("quarantine_seconds", "calls_per_second"))}),
    )
    buttons = (
        Button(
            name="test",
            text="Test connection",
            explanation="Asks the broker for a ping and its list of units. Nothing is changed there or here.",
            run=_test,
            variant="primary",
            icon="network_check",
            asks_reason=False,
        ),
    )

    def links(self, request: HttpRequest, row: BrokerConnection | None) -> Sequence[Link]:
        if row is None:
            return ()
        return [Link("Units at the broker", reverse("admin:brokers_brokerconnection_units", args=[row.pk]), "list_alt")]

    def get_urls(self) -> list[URLPattern]:
        units = self.admin_site.admin_view(self.units_view)
        return [path("<int:pk>/units/", units, name="brokers_brokerconnection_units"), *super().get_urls()]

    def units_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The units that our key sees, and a form for each that is no account group yet. Only reads at the broker."""
        connection = BrokerConnection.objects.filter(pk=pk).first()
        if connection is None:
            raise Http404
        if not self.has_view_permission(request, connection):
            raise PermissionDenied
        page = reverse("admin:brokers_brokerconnection_change", args=[pk])
        may_add = request.user.has_perm("brokers.add_accountgroup")
        return self.panels_page(
            request,
            title=f"Units at {connection}",
            intro="What our key sees at the broker, read at this moment. A unit becomes an account group with a name, "
            "a mode and a default deposit; then programs can open accounts in it.",
            panels=unit_panels(connection, may_add=may_add),
            back=(page, f"Back to {connection}"),
        )

    def panels_above(self, request: HttpRequest, row: BrokerConnection) -> Sequence[Panel]:
        return [standing_panel(row)]

    def panels_below(self, request: HttpRequest, row: BrokerConnection) -> Sequence[Panel]:
        return [
            Table(
                title="Account groups",
                columns=("Group", "Mode", "Unit", "Group string at the broker", "Default deposit"),
                rows=[
                    (
                        link_to(group),
                        status_label(group, colours.MODE, "mode"),
                        str(group.unit),
                        group.broker_group,
                        as_text(group.default_deposit, group.currency),
                    )
                    for group in row.groups.all()
                ],
                empty="None yet: see the units at the broker.",
            )
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[BrokerConnection]:
        return with_standing(super().get_queryset(request)).annotate(groups_total=count_of(BrokerConnection, "groups"))

    @display(description="state", ordering="is_enabled")
    def state(self, connection: BrokerConnection) -> str:
        return label("enabled", Colour.GREEN) if connection.is_enabled else label("switched off", Colour.ORANGE)

    @display(description="breaker", ordering="breaker_opened_at")
    def breaker(self, connection: BrokerConnection) -> str:
        return breaker_label(connection)

    @display(description="in doubt", ordering="in_doubt_total")
    def in_doubt(self, connection: Any) -> str:
        return operations_link(connection, Status.IN_DOUBT, connection.in_doubt_total)

    @display(description="in review", ordering="in_review_total")
    def in_review(self, connection: Any) -> str:
        return operations_link(connection, Status.NEEDS_REVIEW, connection.in_review_total)

    @display(description="last reading", ordering="last_reading_at")
    def last_reading(self, connection: Any) -> str:
        return reading_of(connection)

    @display(description="groups", ordering="groups_total")
    def groups_count(self, connection: Any) -> int:
        return int(connection.groups_total)
