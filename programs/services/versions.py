"""Frozen terms: what a purchase pins, and how the layers above read it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from programs.models import Phase, Program, ProgramVersion
from programs.rule_fields import phase_parameters
from programs.terms import RuleTerms, canonical_json, digest, plain
from propdesk.lib.actors import Actor, system


@dataclass(frozen=True, slots=True)
class PhaseTerms:
    """One phase of a version. `profit_split` is a ratio (0.8 = 80 %); amounts are in the program's currency."""

    phase_index: int
    phase_type: int
    name: str
    account_group: str
    initial_balance: Decimal
    profit_split: Decimal
    rules: RuleTerms


def all_phase_terms(version: ProgramVersion) -> tuple[PhaseTerms, ...]:
    """Every phase of the version, in order."""
    program = version.terms["program"]
    day = {name: program[name] for name in ("day_reset_time", "day_reset_timezone")}
    return tuple(_read(phase, day) for phase in version.terms["phases"])


def phase_terms(version: ProgramVersion, phase_index: int) -> PhaseTerms:
    """The phase with this index (from 1). Raises LookupError when the version has no such phase."""
    terms = next((terms for terms in all_phase_terms(version) if terms.phase_index == phase_index), None)
    if terms is None:
        raise LookupError(f"{version} has no phase {phase_index}")
    return terms


def next_phase_terms(version: ProgramVersion, phase_index: int) -> PhaseTerms | None:
    """The phase after `phase_index`; None after the last one."""
    return next((terms for terms in all_phase_terms(version) if terms.phase_index > phase_index), None)


def current_version(program: Program, *, now: datetime) -> ProgramVersion:
    """The version that holds the program's terms as they are.

    The default deposit of an account group is a term too: if it has changed since the last save, this writes the
    version that says so. Call it with the program row locked; a shared lock will do.
    """
    return write_version(program, by=system("account group change"), now=now)


def write_version(program: Program, *, by: Actor, now: datetime) -> ProgramVersion:
    """The newest version, after adding one if the terms differ from it."""
    terms = terms_of(program)
    terms_digest = digest(terms)
    newest = _newest(program)
    if newest is not None and newest.digest == terms_digest:
        return newest
    version = ProgramVersion(
        program=program,
        number=newest.number + 1 if newest else 1,
        terms=json.loads(canonical_json(terms)),
        digest=terms_digest,
        author=by.label,
        created_at=now,
    )
    # Two buyers under a shared lock may both come here: the second waits for the first and takes its row.
    ProgramVersion.objects.bulk_create([version], ignore_conflicts=True)
    written = _newest(program)
    if written is None or written.digest != terms_digest:
        raise RuntimeError(f"program {program.pk} was changed while its terms were read: its row was not locked")
    return written


def terms_of(program: Program, phases: Sequence[Phase] | None = None) -> dict[str, Any]:
    """The full terms, ready for canonical JSON: amounts and percentages as Decimals and texts, times as texts."""
    rows = program.phases.select_related("account_group") if phases is None else phases
    return {
        "program": {
            "brand": program.brand,
            "name": program.name,
            "description": program.description,
            "price": plain(program.price),
            "price_currency": program.price_currency,
            **_day_reset(program),
        },
        "phases": [_phase_document(program, phase) for phase in rows],
    }


def _newest(program: Program) -> ProgramVersion | None:
    return ProgramVersion.objects.filter(program=program).order_by("-number").first()


def _day_reset(program: Program) -> dict[str, Any]:
    everything = RuleTerms.from_mapping(
        {"day_reset_time": program.day_reset_time, "day_reset_timezone": program.day_reset_timezone}
    ).to_mapping()
    return {name: everything[name] for name in ("day_reset_time", "day_reset_timezone")}


def _phase_document(program: Program, phase: Phase) -> dict[str, Any]:
    names = [parameter.name for parameter in phase_parameters()]
    rules = RuleTerms.from_mapping({name: getattr(phase, name) for name in names}).to_mapping()
    return {
        "phase_index": phase.phase_index,
        "phase_type": int(phase.phase_type),
        "name": phase.name,
        "account_group": phase.account_group.name,
        "initial_balance": plain(phase.account_group.default_deposit),
        "profit_split": plain(phase.profit_split),
        **{name: rules[name] for name in names},
    }


def _read(phase: dict[str, Any], day: dict[str, Any]) -> PhaseTerms:
    rules = {parameter.name: phase[parameter.name] for parameter in phase_parameters() if parameter.name in phase}
    return PhaseTerms(
        phase_index=phase["phase_index"],
        phase_type=phase["phase_type"],
        name=phase["name"],
        account_group=phase["account_group"],
        initial_balance=Decimal(phase["initial_balance"]),
        profit_split=Decimal(phase["profit_split"]),
        rules=RuleTerms.from_mapping({**rules, **day}),
    )
