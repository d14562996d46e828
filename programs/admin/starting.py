"""What the form of a new program starts with: a template, or a copy of another program."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from brokers.models import AccountGroup, AccountMode
from programs.models import Phase, PhaseType, Program
from programs.services import TEMPLATES, ProgramTemplate
from programs.services.drafts import PROGRAM_FIELDS, RULE_FIELDS
from programs.terms import sentences
from propdesk.lib.admin import Facts, Sentences

_COPY = " (copy)"
SHOWN_BALANCE = Decimal(100_000)  # what the templates' sentences are worded for; a real one comes from the group


@dataclass(frozen=True, slots=True)
class Start:
    """First values of the form: of the program, and of each phase. A new program starts disabled."""

    program: Mapping[str, Any]
    phases: list[dict[str, Any]]


def address(add_page: str, **source: str | int) -> str:
    """The add page, started from `template=KEY` or `clone=ID`."""
    return f"{add_page}?{urlencode(source)}"


def start_of(request: HttpRequest) -> Start | None:
    """What the address asks to start from; None for an empty form, also when that no longer exists."""
    if template := TEMPLATES.get(request.GET.get("template", "")):
        return _from_template(template)
    number = request.GET.get("clone", "")
    source = Program.objects.filter(pk=number).first() if number.isdecimal() and len(number) < 19 else None
    return None if source is None else _from_program(source)


def starts_panel(add_page: str, import_page: str) -> Facts:
    """Links to what a new program may start from."""
    link = '<a class="pd-link" href="{}">{}</a>'
    templates = [
        (format_html(link, address(add_page, template=template.key), template.name), template.description)
        for template in TEMPLATES.values()
    ]
    document = (format_html(link, import_page, "JSON"), "A program that was exported here or elsewhere.")
    return Facts(title="Start from", note="Or fill in the form below.", facts=[*templates, document])


def templates_page(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Every template in plain language, read-only, with a button that starts a program from it."""
    add_page = reverse("admin:programs_program_add")
    context = {
        **site.each_context(request),
        "opts": Program._meta,
        "title": "Templates",
        "templates": [
            {
                "name": template.name,
                "description": template.description,
                "url": address(add_page, template=template.key),
                "panel": Sentences(title=template.name, groups=_told(template)),
            }
            for template in TEMPLATES.values()
        ],
    }
    return TemplateResponse(request, "admin/programs/program/templates.html", context)


def _told(template: ProgramTemplate) -> list[tuple[str, list[str]]]:
    return [
        (f"{index}. {name}", sentences(terms, SHOWN_BALANCE, "USD"))
        for index, (name, terms) in enumerate(template.terms(), start=1)
    ]


def _from_template(template: ProgramTemplate) -> Start:
    evaluation = _group(AccountMode.DEMO, currency=None)
    funded = _group(AccountMode.REAL, currency=evaluation.currency if evaluation else None)
    groups = {PhaseType.EVALUATION: evaluation, PhaseType.FUNDED: funded}
    first = next((group for group in groups.values() if group is not None), None)
    program = {
        "name": template.name,
        "description": template.description,
        "price_currency": first.currency if first else "USD",
        "status": Program.Status.DISABLED,
    }
    phases = [{**step, "account_group": _pk(groups[PhaseType(step["phase_type"])])} for step in template.steps]
    return Start(program, phases)


def _from_program(source: Program) -> Start:
    program = {name: getattr(source, name) for name in PROGRAM_FIELDS}
    copied = {**program, "name": source.name[: 128 - len(_COPY)] + _COPY, "status": Program.Status.DISABLED}
    return Start(copied, [_phase(phase) for phase in source.phases.order_by("phase_index")])


def _phase(phase: Phase) -> dict[str, Any]:
    names = ("phase_type", "name", "profit_split", *RULE_FIELDS)
    return {**{name: getattr(phase, name) for name in names}, "account_group": phase.account_group_id}


def _group(mode: AccountMode, currency: str | None) -> AccountGroup | None:
    groups = AccountGroup.objects.filter(mode=mode, is_enabled=True).order_by("name")
    return (groups if currency is None else groups.filter(currency=currency)).first()


def _pk(group: AccountGroup | None) -> int | None:
    return None if group is None else group.pk
