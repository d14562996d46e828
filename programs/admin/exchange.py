"""Programs out as JSON and in again. An import is judged and shown like any other save before it is one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.sites import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from programs.admin.review import Review, lead, new_program_panel, review_page, review_panels
from programs.api.documents import below, export_document, read_document
from programs.models import Program
from programs.services import Rehearsal, StaleProgramError, rehearse_program, save_program
from programs.terms import digest
from propdesk.lib.actors import Actor
from propdesk.lib.admin import FileInput, Panel, Textarea
from propdesk.lib.mng.errors import InvalidDataError, Problem, TooLargeError
from propdesk.lib.mng.parsers import MAX_BODY
from propdesk.lib.times import utc_now


class ImportForm(forms.Form):
    """A document as a file or as text."""

    file = forms.FileField(required=False, widget=FileInput, help_text="What “Export JSON” wrote.")
    text = forms.CharField(
        required=False,
        strip=False,
        widget=Textarea(attrs={"rows": 14, "spellcheck": "false"}),
        help_text="Or paste it here. Account groups are named as they are here; new programs start disabled.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("file") and not cleaned.get("text"):
            raise forms.ValidationError("Choose a file or paste a document.")
        return cleaned

    def body(self) -> bytes:
        """The document; more than is allowed is not read to its end."""
        file = self.cleaned_data.get("file")
        return bytes(file.read(MAX_BODY + 1)) if file else self.cleaned_data["text"].encode()


@dataclass(frozen=True, slots=True)
class _Entry:
    """One program of the document; `save` holds the arguments of its save."""

    save: Mapping[str, Any]
    rehearsal: Rehearsal


def export_page(programs: list[Program], filename: str) -> HttpResponse:
    """The download."""
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return HttpResponse(export_document(programs), content_type="application/json", headers=headers)


def import_page(request: HttpRequest, site: AdminSite, target: Program | None) -> HttpResponse:
    """Ask for a document, show what it would change, save it when confirmed. `target`: the program it replaces."""
    form = ImportForm(request.POST or None, request.FILES or None)
    problems: tuple[Problem, ...] = ()
    if request.method == "POST" and form.is_valid():
        body = form.body()
        try:
            entries = _rehearsed(request, body, target)
            if "_edit" not in request.POST:
                return _reviewed_or_saved(request, site, entries, body, target)
        except InvalidDataError as refusal:
            problems = refusal.problems
        except StaleProgramError as refusal:
            problems = (Problem("", refusal.message),)
        except TooLargeError as refusal:
            problems, body = (Problem("", refusal.message),), b""
        form = ImportForm({"text": body.decode(errors="replace")})
    context = {
        **site.each_context(request),
        "opts": Program._meta,
        "title": f"Import JSON into {target}" if target else "Import programs from JSON",
        "form": form,
        "problems": problems,
        "target": target,
        "original": target,
    }
    return TemplateResponse(request, "admin/programs/program/import.html", context)


def _rehearsed(request: HttpRequest, body: bytes, target: Program | None) -> list[_Entry]:
    """Every program of the document, rehearsed. Raises InvalidDataError naming what is wrong by its path."""
    found = read_document(body)
    if target is not None and len(found) != 1:
        raise InvalidDataError.at("programs", f"One program is required to replace {target}; here are {len(found)}.")
    by, now = Actor.of(request.user), utc_now()
    entries, problems = [], []
    for path, given in found:
        data = {"status": Program.Status.DISABLED, **given} if target is None else given
        save: dict[str, Any] = {"data": data, "by": by, "now": now}
        if target is not None:
            save |= {"program_id": target.pk, "version": target.version}
        try:
            entries.append(_Entry(save, rehearse_program(**save)))
        except InvalidDataError as refusal:
            problems += below(path, refusal.problems)
    if problems:
        raise InvalidDataError(problems)
    return entries


def _reviewed_or_saved(
    request: HttpRequest, site: AdminSite, entries: list[_Entry], body: bytes, target: Program | None
) -> HttpResponse:
    fingerprint = digest([entry.rehearsal.fingerprint for entry in entries])
    confirmed = request.POST.get("confirmed", "")
    if confirmed == fingerprint:
        with transaction.atomic():
            saved = [save_program(**entry.save) for entry in entries]
        names = ", ".join(program.name for program in saved[:5]) + (" and others" if len(saved) > 5 else "")
        messages.success(request, f"Imported: {names}.")
        return HttpResponseRedirect(_page_of(saved))
    if target is not None and entries[0].rehearsal.changes_nothing:
        messages.info(request, f"The document says what {target} is already. Nothing was saved.")
        return HttpResponseRedirect(_page_of([target]))
    review = Review(
        title=f"Import into {target}: dry run" if target else "Import programs: dry run",
        lead=_lead(entries, target),
        panels=_panels(entries, target),
        fingerprint=fingerprint,
        program=target,
        again=bool(confirmed),
        inputs=[("text", body.decode())],
    )
    return review_page(request, site, review)


def _lead(entries: list[_Entry], target: Program | None) -> str:
    if target is not None or len(entries) == 1:
        return lead(entries[0].rehearsal, target)
    return f"Nothing is saved yet. Confirming adds {len(entries)} programs, all of them or none."


def _panels(entries: list[_Entry], target: Program | None) -> list[Panel]:
    if target is not None:
        return review_panels(entries[0].rehearsal, target, utc_now())
    return [new_program_panel(entry.rehearsal) for entry in entries]


def _page_of(programs: list[Program]) -> str:
    if len(programs) == 1:
        return reverse("admin:programs_program_change", args=[programs[0].pk])
    return reverse("admin:programs_program_changelist")
