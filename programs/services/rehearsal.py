"""What a save would do, found out by doing it and undoing it: the dry run and the save can never disagree."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from programs.models import Program
from programs.services.saving import lock_program, save_program
from programs.services.versions import terms_of
from programs.terms import Change, Section, differences, digest
from propdesk.lib.actors import Actor


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The terms before (None for a new program) and after, and what changes beside the terms.

    `fingerprint` is the same only for the same change of the same saved program: a confirmation that carries it
    confirms what was shown and nothing else.
    """

    before: Mapping[str, Any] | None
    after: Mapping[str, Any]
    beside: tuple[Change, ...]
    fingerprint: str

    @property
    def sections(self) -> list[Section]:
        """What changes in the terms, place by place."""
        return differences(self.before, self.after)

    @property
    def changes_nothing(self) -> bool:
        return self.before is not None and not self.sections and not self.beside


def rehearse_program(
    *,
    data: Mapping[str, Any],
    by: Actor,
    now: datetime,
    program_id: int | None = None,
    version: int | None = None,
) -> Rehearsal:
    """What `save_program` would do with the same arguments. Writes nothing; raises what the save would raise."""
    with transaction.atomic():
        saved = None if program_id is None else lock_program(program_id, version)
        before = None if saved is None else terms_of(saved)
        program = save_program(data=data, by=by, now=now, program_id=program_id, version=version)
        after = terms_of(program)
        beside = tuple(_beside(saved, program))
        transaction.set_rollback(True)
    pinned = {
        "before": before,
        "after": after,
        "beside": [[change.label, change.before, change.after] for change in beside],
        "version": saved.version if saved else None,
    }
    return Rehearsal(before, after, beside, digest(pinned))


def _beside(saved: Program | None, program: Program) -> list[Change]:
    """What is not part of the terms, and so writes no new version."""
    rows = [row for row in (saved, program) if row is not None]
    statuses = ["-", *(row.get_status_display() for row in rows)]
    indexes = ["-", *(str(row.sort_index) for row in rows)]
    changes = [Change("Status", *statuses[-2:]), Change("Sort index", *indexes[-2:])]
    return [change for change in changes if change.before != change.after]
