"""Frozen terms and deletions: what was sold, word for word, and what was removed."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from programs.admin.differences import Differences
from programs.models import DeletionRecord, Program, ProgramVersion
from programs.terms import differences, phase_sentences, summary
from propdesk.lib.admin import (
    DateRangeFilter,
    Facts,
    Panel,
    RelatedFilter,
    Sentences,
    Table,
    ViewOnlyAdmin,
    count_of,
    display,
    link_column,
    link_to,
    list_of,
    page_of,
)
from propdesk.lib.money import as_text

MOST_VERSIONS = 20
RUNNING = (0, 1)  # challenges that are not over, by the numbers of seed 000; challenges are an app above


def told(version: ProgramVersion) -> list[tuple[str, list[str]]]:
    """The rules of every phase in plain words."""
    program = version.terms["program"]
    return [(_heading(phase, program["price_currency"]), phase_sentences(phase, program))
            for phase in version.terms["phases"]]  # fmt: skip


def _heading(phase: Mapping[str, Any], currency: str) -> str:
    balance = as_text(Decimal(phase["initial_balance"]), currency)
    return f"{phase['phase_index']}. {phase['name']}: {balance} in {phase['account_group']}"


def terms_panel(program: Program) -> Sentences:
    """The newest terms in plain language: what a customer agrees to."""
    version = program.versions.order_by("-number").first()
    return Sentences(
        title="Terms in plain language",
        note=f"Version {version.number}, as sold now." if version else "",
        groups=told(version) if version else [],
    )


def versions_panel(program: Program) -> Table:
    """Every version of the terms; a running challenge keeps the one that was bought."""
    counted = program.versions.annotate(
        sold=count_of(ProgramVersion, "purchases"), running=count_of(ProgramVersion, "challenges", status__in=RUNNING)
    )
    versions = list(counted.order_by("-number")[: MOST_VERSIONS + 1])
    before: dict[int, ProgramVersion] = {version.number + 1: version for version in versions}
    return Table(
        title="Versions of the terms",
        note="A running challenge keeps the version that was bought.",
        more=list_of(ProgramVersion, program__id__exact=program.pk),
        columns=("Version", "Saved", "By", "Changed", "Purchases", "Running", "SHA-256"),
        rows=[
            (
                link_to(version, f"Version {version.number}"),
                version.created_at,
                version.author,
                _wrapped(_changed(before.get(version.number), version)),
                version.sold,
                version.running,
                _short(version),
            )
            for version in versions[:MOST_VERSIONS]
        ],
        empty="The first save writes the first version.",
    )


def _changed(before: ProgramVersion | None, version: ProgramVersion) -> str:
    if before is None:
        return "first version" if version.number == 1 else ""
    return summary(differences(before.terms, version.terms)) or "nothing that customers see"


def _wrapped(text: str) -> str:
    return format_html('<span class="pd-wrap">{}</span>', text)


def _short(version: ProgramVersion) -> str:
    return format_html('<span class="pd-code" title="{}">{}…</span>', version.digest, version.digest[:12])


@admin.register(ProgramVersion)
class ProgramVersionAdmin(ViewOnlyAdmin[ProgramVersion]):
    list_display = ("title", link_column("program"), "author", "created_at", "purchases_count", "fingerprint")
    list_select_related = ("program",)
    list_filter = (("program", RelatedFilter), ("created_at", DateRangeFilter))
    search_fields = ("program__name", "digest", "author")
    search_help_text = "Program, author or the beginning of the SHA-256."
    ordering = ("-id",)
    empty_text = "A version is written whenever a save changes a program's terms."
    fieldsets = (("Exactly as it was frozen", {"fields": ("digest", "terms")}),)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProgramVersion]:
        return super().get_queryset(request).annotate(sold=count_of(ProgramVersion, "purchases"))

    @display(description="version", ordering="number")
    def title(self, version: ProgramVersion) -> str:
        return f"Version {version.number}"

    @display(description="purchases", ordering="sold")
    def purchases_count(self, version: Any) -> int:
        return int(version.sold)

    @display(description="SHA-256", ordering="digest")
    def fingerprint(self, version: ProgramVersion) -> str:
        return _short(version)

    def panels_above(self, request: HttpRequest, row: ProgramVersion) -> Sequence[Panel]:
        facts = [
            ("Program", link_to(row.program)),
            ("Version", row.number),
            ("Saved by", row.author),
            ("Saved", row.created_at),
            ("Purchases on these terms", row.purchases.count()),
        ]
        return [
            Facts(title="Version", facts=facts),
            *_difference(row, request.GET.get("against", "")),
            Sentences(title="Terms in plain language", groups=told(row)),
        ]


def _difference(version: ProgramVersion, against: str) -> list[Panel]:
    """What this version changed: against the one before it, or against the version with the number `against`."""
    others = ProgramVersion.objects.filter(program=version.program_id).exclude(pk=version.pk)
    number = int(against) if against.isdecimal() and len(against) < 10 else version.number - 1
    other = others.filter(number=number).first()
    if other is None:
        return []
    numbers = others.order_by("-number").values_list("number", flat=True)[:MOST_VERSIONS]
    choices = [(page_of(version) + f"?against={choice}", choice) for choice in numbers if choice != number]
    links = format_html_join(", ", '<a class="pd-link" href="{}">version {}</a>', choices)
    return [
        Differences(
            title=f"What changed since version {other.number}",
            note=format_html("Compare with {}.", links) if choices else "",
            sections=differences(other.terms, version.terms),
        )
    ]


@admin.register(DeletionRecord)
class DeletionRecordAdmin(ViewOnlyAdmin[DeletionRecord]):
    list_display = ("program_name", "number", "actor", "reason", "at", "what")
    list_filter = (("at", DateRangeFilter),)
    search_fields = ("program_name", "=program_id", "actor")
    empty_text = "No program has been deleted. A deletion keeps a full copy of what it removed here."
    fieldsets = ((None, {"fields": (("program_name", "number"), ("actor", "at"), "reason", "counters", "removed")}),)

    @display(description="program id", ordering="program_id")
    def number(self, deletion: DeletionRecord) -> str:
        return str(deletion.program_id)

    @display(description="removed")
    def what(self, deletion: DeletionRecord) -> str:
        return ", ".join(f"{total} {kind}" for kind, total in deletion.counters.items() if total)
