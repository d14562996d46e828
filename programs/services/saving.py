"""Saving a program: the whole aggregate in one transaction, for the admin, the Mng commands and the demo alike."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from programs.models import Phase, PhaseType, Program
from programs.services.drafts import RULE_FIELDS, ProgramDraft, default_of, draft_of
from programs.services.errors import ProgramNotFoundError, StaleProgramError
from programs.services.validation import validate
from programs.services.versions import write_version
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import InvalidDataError, Problem
from propdesk.lib.transitions import record, transition

REQUIRED = ("brand", "name", "price", "price_currency", "steps")


@transaction.atomic
def save_program(
    *,
    data: Mapping[str, Any],
    by: Actor,
    now: datetime,
    program_id: int | None = None,
    version: int | None = None,
    reason: str = "",
) -> Program:
    """Create a program, or change the given fields of one.

    `data` has the names of the Mng JSON; amounts and percentages are Decimals, `steps` a list of mappings that replaces
    all steps. `version` is the one the caller has read: a stale one is refused. A new `ProgramVersion` is written when
    the terms have changed. Raises InvalidDataError (every problem with its path), ProgramNotFoundError and
    StaleProgramError; then nothing is written.
    """
    program = Program(created_at=now) if program_id is None else lock_program(program_id, version)
    if program_id is None:
        _require(data)
    draft = draft_of(program, data)
    validate(draft)
    _write_program(program, draft, now)
    if program_id is None:
        program.status = data.get("status", Program.Status.ACTIVE)
        program.save()
        record(program, source=None, by=by, reason=reason or "created", now=now)
    else:
        program.save(update_fields=_saved_fields())
        if "status" in data:
            transition(program, to=data["status"], by=by, now=now, reason=reason)
    _write_steps(program, draft, now)
    write_version(program, by=by, now=now)
    return program


@transaction.atomic
def set_status(
    *,
    program_id: int,
    to: Program.Status,
    by: Actor,
    now: datetime,
    reason: str = "",
    version: int | None = None,
) -> Program:
    """Activate, disable or archive. Already there is a no-op; running challenges are not touched."""
    program = lock_program(program_id, version)
    if transition(program, to=to, by=by, now=now, reason=reason):
        program.version += 1
        program.save(update_fields=["version"])
    return program


def lock_program(program_id: int, version: int | None = None) -> Program:
    """The row, locked. Raises ProgramNotFoundError, and StaleProgramError when `version` is not its version."""
    program = Program.objects.select_for_update().filter(pk=program_id).first()
    if program is None:
        raise ProgramNotFoundError(program_id)
    if version is not None and version != program.version:
        raise StaleProgramError(given=version, current=program.version)
    return program


def _require(data: Mapping[str, Any]) -> None:
    missing = [Problem(name, "This field is required.") for name in REQUIRED if name not in data]
    if missing:
        raise InvalidDataError(missing)


def _saved_fields() -> list[str]:
    """All but the status, which only a transition changes."""
    return [field.name for field in Program._meta.concrete_fields if field.name not in {"id", "status"}]


def _write_program(program: Program, draft: ProgramDraft, now: datetime) -> None:
    for name, value in draft.fields.items():
        setattr(program, name, value)
    first = draft.first_evaluation
    program.demo_group = first.account_group if first else ""
    program.phases_count = len(draft.steps)
    program.version += 1
    program.updated_at = now


def _write_steps(program: Program, draft: ProgramDraft, now: datetime) -> None:
    if draft.steps_replaced:
        program.phases.all().delete()
        Phase.objects.bulk_create(
            Phase(
                program=program,
                phase_index=step.phase_index,
                phase_type=step.phase_type,
                name=step.name,
                account_group=draft.groups[step.account_group],
                profit_split=step.profit_split,
                created_at=now,
                updated_at=now,
                **{name: step.rules.get(name, default_of(name)) for name in RULE_FIELDS},
            )
            for step in draft.steps
        )
    elif draft.demo_group is not None:
        group = draft.groups.get(draft.demo_group)
        evaluation = program.phases.filter(phase_type=PhaseType.EVALUATION).exclude(account_group=group)
        evaluation.update(account_group=group, updated_at=now)
