"""The dry run: a page that shows what a save would change, for whom, and asks for confirmation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.admin.sites import AdminSite
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from programs.admin.differences import Differences
from programs.admin.history import RUNNING
from programs.models import Program, ProgramVersion
from programs.services import Rehearsal
from programs.terms import Section, digest, grouped, phase_sentences
from propdesk.lib.admin import Facts, Panel, Sentences, Table, count_of, link_to, percent

UNDER_WAY = (0, 1, 2)  # purchases between the buy and the challenge, by the numbers of seed 000
COUNTED_KIND, COUNTED_STATUSES = "sale", (0, 1, 2, 3)
DAYS = 30


class UnconfirmedError(Exception):
    """All is valid and nothing is saved: staff must see it first. `again`: what they confirmed is outdated."""

    def __init__(self, rehearsal: Rehearsal, *, again: bool) -> None:
        super().__init__("awaits confirmation")
        self.rehearsal, self.again = rehearsal, again


class NothingChangedError(Exception):
    """What was typed is what is saved already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What the page shows. `inputs` is what its confirmation posts: by default what this request posted."""

    title: str
    lead: str
    panels: Sequence[Panel]
    fingerprint: str
    program: Program | None
    again: bool = False
    inputs: Sequence[tuple[str, str]] | None = None


def review_page(request: HttpRequest, site: AdminSite, review: Review) -> HttpResponse:
    """The page: the panels, and the input again with a fingerprint that confirms just this."""
    context = {
        **site.each_context(request),
        "opts": Program._meta,
        "title": review.title,
        "original": review.program,
        "lead": review.lead,
        "warning": "What you confirmed has changed since. Look at it again." if review.again else "",
        "panels": review.panels,
        "fingerprint": review.fingerprint,
        "inputs": _posted(request) if review.inputs is None else review.inputs,
    }
    return TemplateResponse(request, "admin/programs/program/review.html", context)


def _posted(request: HttpRequest) -> list[tuple[str, str]]:
    ours = {"csrfmiddlewaretoken", "confirmed", "_edit"}
    return [(name, value) for name, values in request.POST.lists() if name not in ours for value in values]


def review_panels(rehearsal: Rehearsal, program: Program, now: datetime) -> list[Panel]:
    """What changes, what it does to the price, who keeps the old terms, and the new terms in plain language."""
    changes = Differences(title="What changes", sections=_sections(rehearsal))
    return [changes, *_price_panels(rehearsal, program, now), _keepers(program), _plain_language(rehearsal)]


def new_program_panel(rehearsal: Rehearsal) -> Panel:
    """All that a new program is."""
    return Differences(title=rehearsal.after["program"]["name"], sections=_sections(rehearsal), is_new=True)


def _sections(rehearsal: Rehearsal) -> list[Section]:
    beside = Section("Beside the terms", changes=rehearsal.beside)
    return [*rehearsal.sections, *([beside] if rehearsal.beside else [])]


def lead(rehearsal: Rehearsal, program: Program | None) -> str:
    """What confirming does, in a sentence."""
    if program is None:
        return "Nothing is saved yet. Confirming adds the program with version 1 of its terms."
    newest = program.versions.order_by("-number").first()
    if newest is None or newest.digest != digest(rehearsal.after):
        number = newest.number + 1 if newest else 1
        return f"Nothing is saved yet. Confirming writes version {number} of the terms, for purchases from then on."
    return f"Nothing is saved yet. The terms stay as they are: version {newest.number}."


def _keepers(program: Program) -> Table:
    rows = (
        ProgramVersion.objects.filter(program=program)
        .annotate(
            running=count_of(ProgramVersion, "challenges", status__in=RUNNING),
            under_way=count_of(ProgramVersion, "purchases", status__in=UNDER_WAY),
        )
        .order_by("-number")
    )
    kept = [row for row in rows if row.running or row.under_way]
    total = sum(row.running for row in kept)
    return Table(
        title="Who keeps the terms they bought",
        note=f"{total} running {'challenge' if total == 1 else 'challenges'}: not one of them is changed.",
        columns=("Version", "Saved", "By", "Running challenges", "Purchases under way"),
        rows=[
            (link_to(row, f"Version {row.number}"), row.created_at, row.author, row.running, row.under_way)
            for row in kept
        ],
        empty="Nobody: no challenge of this program is running and no purchase is under way.",
    )


def _price_panels(rehearsal: Rehearsal, program: Program, now: datetime) -> list[Panel]:
    """What the new price would have meant for the sales of the last weeks."""
    if rehearsal.before is None:
        return []
    old, new = rehearsal.before["program"], rehearsal.after["program"]
    if (old["price"], old["price_currency"]) == (new["price"], new["price_currency"]):
        return []
    before, after = Decimal(old["price"]), Decimal(new["price"])
    facts: list[tuple[str, object]] = [
        ("Price now", f"{grouped(before)} {old['price_currency']}"),
        ("Price after", f"{grouped(after)} {new['price_currency']}"),
    ]
    if old["price_currency"] == new["price_currency"]:
        facts.append(("Difference", f"{_signed(after - before)} ({percent((after - before) * 100 / before)})"))
        facts.extend(_sales(program, after, new["price_currency"], now))
    note = "Purchases that are already made keep the price they were made at."
    return [Facts(title="Price", note=note, facts=facts)]


def _sales(program: Any, price: Decimal, currency: str, now: datetime) -> list[tuple[str, object]]:
    recent = program.purchases.filter(
        kind=COUNTED_KIND, status__in=COUNTED_STATUSES, created_at__gte=now - timedelta(days=DAYS)
    ).aggregate(total=Count("id"), amount=Sum("amount"))
    total, amount = recent["total"], recent["amount"] or Decimal(0)
    sales = f"{total} {'sale' if total == 1 else 'sales'}"
    return [
        (f"Last {DAYS} days", f"{sales} for {grouped(amount)} {currency}"),
        ("The same at the new price", f"{grouped(total * price)} {currency} ({_signed(total * price - amount)})"),
    ]


def _signed(amount: Decimal) -> str:
    return f"{'+' if amount >= 0 else ''}{grouped(amount)}"


def _plain_language(rehearsal: Rehearsal) -> Sentences:
    program = rehearsal.after["program"]
    return Sentences(
        title="Terms in plain language, after saving",
        groups=[
            (f"{phase['phase_index']}. {phase['name']}", phase_sentences(phase, program))
            for phase in rehearsal.after["phases"]
        ],
    )
