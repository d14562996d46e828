from collections.abc import Sequence
from datetime import datetime

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from brokers.admin import colours
from brokers.admin.acknowledging import MOST, AcknowledgeForm, counted_kinds, form_for, outcome
from brokers.models import Difference
from brokers.services import acknowledge_difference, acknowledge_differences, mend_difference, way_to_mend
from propdesk.lib.actors import Actor
from propdesk.lib.admin import (
    NOTHING,
    Button,
    Card,
    ChoicesFilter,
    Colour,
    DateRangeFilter,
    Facts,
    Panel,
    RelatedFilter,
    ViewOnlyAdmin,
    display,
    label,
    link_column,
    link_to,
    list_of,
    money_column,
    number_column,
    register_cards,
    status_column,
    status_label,
    timeline,
)
from propdesk.lib.times import utc_now

STATUS = status_column(colours.DIFFERENCE)
GAP = money_column("gap", currency="account.group.currency", description="unexplained")
UNIT = number_column("unit")


def _mend(difference: Difference, by: Actor, reason: str) -> str:
    operation = mend_difference(difference_id=difference.pk, reason=reason, by=by, now=utc_now())
    return f"Operation {operation.pk} is to mend it; the next comparison shows whether it is gone."


def _acknowledge(difference: Difference, by: Actor, reason: str) -> str:
    acknowledge_difference(difference_id=difference.pk, reason=reason, by=by, now=utc_now())
    return "It may stay as it is. Should its amount change, it is open again."


@admin.register(Difference)
class DifferenceAdmin(ViewOnlyAdmin[Difference]):
    list_display = (
        "number",
        "what",
        STATUS,
        "both_sides",
        "likely_cause",
        "last_seen_at",
    )
    list_display_links = ("number", "what")
    list_select_related = ("account__group",)
    actions = ("acknowledge_chosen",)  # type: ignore[assignment]  # the base has none
    list_filter = (
        ("status", ChoicesFilter),
        ("kind", ChoicesFilter),
        ("connection", RelatedFilter),
        ("first_seen_at", DateRangeFilter),
    )
    search_fields = ("=login", "=unit", "cause", "theirs")
    search_help_text = "Account number, unit, or words of the cause."
    empty_text = "Every five minutes our books are compared with each broker unit. What differs is listed here."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("number", "what", STATUS),
                    ("ours", "theirs", GAP),
                    ("cause",),
                    (link_column("account", "our account"), link_column("order"), "mended_by"),
                    (link_column("connection"), UNIT),
                    ("first_seen_at", "last_seen_at", "resolved_at"),
                )
            },
        ),
    )
    buttons = (
        Button(
            name="mend",
            text="Mend",
            explanation="An operation at the broker mends this difference:",
            about=way_to_mend,
            run=_mend,
            offered=lambda difference: bool(way_to_mend(difference)),
            variant="primary",
            icon="build",
        ),
        Button(
            name="acknowledge",
            text="Acknowledge",
            explanation="The difference may stay: nothing is changed at the broker or in our books.",
            run=_acknowledge,
            offered=lambda row: row.status in {Difference.Status.OPEN, Difference.Status.MENDING},
            icon="done",
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.acknowledge_view)
        return [path("acknowledge/", view, name="brokers_difference_acknowledge"), *super().get_urls()]

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("brokers.change_difference")

    @admin.action(description="Acknowledge", permissions=["acknowledge"])
    def acknowledge_chosen(self, request: HttpRequest, chosen: QuerySet[Difference]) -> HttpResponse | None:
        """Ask for the reason, naming what was chosen."""
        rows = list(chosen.select_related(None)[: MOST + 1])
        if len(rows) > MOST:
            self.message_user(request, f"Up to {MOST} differences can be acknowledged at once.", messages.ERROR)
            return None
        return self._ask(request, rows, form_for(rows))

    def acknowledge_view(self, request: HttpRequest) -> HttpResponse:
        """Acknowledge what was chosen, by one service call."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_acknowledge_permission(request):
            raise PermissionDenied
        form = AcknowledgeForm(request.POST)
        page = HttpResponseRedirect(list_of(Difference, status__exact=int(Difference.Status.OPEN)))
        if form.is_valid():
            self._acknowledge(request, form.cleaned_data["ids"], form.cleaned_data["reason"])
            return page
        if "ids" in form.errors:
            self.message_user(request, "Choose in the list which differences to acknowledge.", messages.ERROR)
            return page
        return self._ask(request, list(Difference.objects.filter(pk__in=form.cleaned_data["ids"])), form)

    def _ask(self, request: HttpRequest, rows: Sequence[Difference], form: AcknowledgeForm) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Acknowledge {len(rows)} difference{'s' * (len(rows) != 1)}",
            "kinds": counted_kinds(rows),
            "form": form,
            "page": list_of(Difference),
        }
        return TemplateResponse(request, "admin/acknowledge_differences.html", context)

    def _acknowledge(self, request: HttpRequest, ids: Sequence[int], reason: str) -> None:
        by = Actor.of(request.user)
        rows = acknowledge_differences(difference_ids=ids, reason=reason, by=by, now=utc_now())
        if rows and by.user_id is not None:
            LogEntry.objects.log_actions(by.user_id, rows, CHANGE, f"Acknowledge. {reason}")
        level = messages.SUCCESS if rows else messages.WARNING
        self.message_user(request, outcome(done=len(rows), chosen=len(set(ids))), level)

    @display(description="account", ordering="login")
    def number(self, difference: Difference) -> str:
        return str(difference.login)

    @display(description="what", ordering="kind")
    def what(self, difference: Difference) -> str:
        return label(difference.get_kind_display(), colours.DIFFERENCE_KIND.get(difference.kind, Colour.GREY))

    @display(description="ours and theirs")
    def both_sides(self, difference: Difference) -> str:
        return format_html(
            '<span class="pd-wrap pd-narrow">{}<br><span class="pd-quiet">at the broker:</span> {}</span>',
            difference.ours,
            difference.theirs,
        )

    @display(description="likely cause")
    def likely_cause(self, difference: Difference) -> str:
        return format_html('<span class="pd-wrap">{}</span>', difference.cause)

    @display(description="mended by")
    def mended_by(self, difference: Difference) -> str:
        return link_to(difference.operation)

    def panels_below(self, request: HttpRequest, row: Difference) -> Sequence[Panel]:
        panels: list[Panel] = [timeline(row, colours.DIFFERENCE)]
        if row.operation is not None:
            facts = [
                ("Operation", link_to(row.operation)),
                ("Status", status_label(row.operation, colours.OPERATION)),
                ("Attempts", row.operation.attempts),
                ("Finished", row.operation.finished_at or NOTHING),
            ]
            panels.insert(0, Facts(title="Being mended by", facts=facts))
        return panels


def _cards(now: datetime) -> list[Card]:
    return [
        Card(
            title="Differences at brokers",
            value=Difference.objects.waiting().count(),
            hint="neither mended nor acknowledged",
            url=list_of(Difference, status__exact=int(Difference.Status.OPEN)),
            colour=Colour.ORANGE,
        )
    ]


register_cards(_cards, permission="brokers.view_difference", order=42)
