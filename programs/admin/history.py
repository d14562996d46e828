"""Frozen terms and deletions: what was sold, word for word, and what was removed."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from programs.models import DeletionRecord, Program, ProgramVersion
from programs.services import all_phase_terms
from programs.terms import sentences
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
)
from propdesk.lib.money import as_text


def phase_sentences(version: ProgramVersion) -> list[tuple[str, list[str]]]:
    """The rules of every phase in plain words."""
    currency = version.terms["program"]["price_currency"]
    return [
        (
            f"{phase.phase_index}. {phase.name}: {as_text(phase.initial_balance, currency)} in {phase.account_group}",
            sentences(phase.rules, phase.initial_balance, currency),
        )
        for phase in all_phase_terms(version)
    ]


def terms_panel(program: Program) -> Sentences:
    """The newest terms in plain language: what a customer agrees to."""
    version = program.versions.order_by("-number").first()
    return Sentences(
        title="Terms in plain language",
        note=f"Version {version.number}, as sold now." if version else "",
        groups=phase_sentences(version) if version else [],
    )


def versions_panel(program: Program) -> Table:
    """Every version of the terms; a running challenge keeps the one that was bought."""
    versions = program.versions.annotate(sold=count_of(ProgramVersion, "purchases")).order_by("-number")[:20]
    return Table(
        title="Versions of the terms",
        note="A running challenge keeps the version that was bought.",
        more=list_of(ProgramVersion, program__id__exact=program.pk),
        columns=("Version", "Saved", "By", "Purchases", "SHA-256"),
        rows=[
            (
                link_to(version, f"Version {version.number}"),
                version.created_at,
                version.author,
                version.sold,
                _short(version),
            )
            for version in versions
        ],
        empty="The first save writes the first version.",
    )


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
            Sentences(title="Terms in plain language", groups=phase_sentences(row)),
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
