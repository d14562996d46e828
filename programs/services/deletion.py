"""Deleting a program with everything of the prop domain that hangs on it (seed 000).

Apps above register how they remove their rows, in `AppConfig.ready()`. They run in this transaction, the top layer
first, and make no HTTP call. What outlives a program keeps plain ids: broker operations, accounts, money, events.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction
from django.db.models import QuerySet

from programs.models import DeletionRecord, Phase, Program, ProgramVersion
from programs.services.errors import OperationsInFlightError, ProgramNotFoundError
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import record

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Removed:
    """What one app removed: the number of rows by kind, and the rows themselves as JSON objects by kind."""

    counters: Mapping[str, int] = field(default_factory=dict)
    rows: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


RemovePart = Callable[[Program, Actor, datetime], Removed]
OperationsInFlight = Callable[[Program], Sequence[int]]
CountPart = Callable[[Program], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class _Part:
    remove: RemovePart
    in_flight: OperationsInFlight
    count: CountPart


@dataclass(frozen=True, slots=True)
class DeletionPreview:
    """What a deletion would remove now, and the ids of the operations that forbid it."""

    counters: Mapping[str, int]
    in_flight: Sequence[int]


_parts: dict[str, _Part] = {}


def register_deletion(
    name: str,
    remove: RemovePart,
    *,
    in_flight: OperationsInFlight = lambda program: (),
    count: CountPart = lambda program: {},
) -> None:
    """`remove(program, by, now)` removes the app's rows of the program.

    `in_flight(program)` gives the ids of linked operations that are unfinished or in doubt and so forbid a deletion;
    every app is asked before anything is removed. `remove` may still raise `OperationsInFlightError` itself.
    `count(program)` gives the counters that `remove` would return, removing nothing: what staff see before they decide.
    """
    _parts[name] = _Part(remove, in_flight, count)


def take_out(kind: str, rows: "QuerySet[Any]") -> Removed:
    """Delete the rows and return them with their count: all that most apps need.

    One DELETE statement: nothing cascades, and rows that point at each other (an enrollment at its predecessor) go
    together, which `QuerySet.delete` refuses.
    """
    copies = [_jsonable(row) for row in rows.values()]
    rows.all()._raw_delete(rows.db)
    return Removed({kind: len(copies)}, {kind: copies})


@transaction.atomic
def preview_deletion(*, program_id: int) -> DeletionPreview:
    """What `delete_program` would remove now; removes nothing. Raises ProgramNotFoundError."""
    program = Program.objects.filter(pk=program_id).first()
    if program is None:
        raise ProgramNotFoundError(program_id)
    counters: dict[str, int] = {}
    for part in reversed(_parts.values()):
        counters.update(part.count(program))
    own = {"phases": program.phases.count(), "versions": program.versions.count(), "programs": 1}
    return DeletionPreview({**counters, **own}, _in_flight(program))


@transaction.atomic
def delete_program(*, program_id: int, by: Actor, now: datetime, reason: str = "") -> DeletionRecord:
    """Remove the program and all linked prop-domain rows, keeping an append-only record with a full copy.

    Raises ProgramNotFoundError, and OperationsInFlightError while a linked money or create operation is unfinished;
    then nothing is deleted.
    """
    program = Program.objects.select_for_update().filter(pk=program_id).first()
    if program is None:
        raise ProgramNotFoundError(program_id)
    counters: dict[str, int] = {}
    rows: dict[str, Any] = {}
    in_flight = _in_flight(program)
    if in_flight:
        raise OperationsInFlightError(in_flight)
    record(program, source=program.status, by=by, reason=f"deleted: {reason}" if reason else "deleted", now=now)
    for removed in _remove_parts(program, by, now):
        counters.update(removed.counters)
        rows.update(removed.rows)
    kept = DeletionRecord.objects.create(
        program_id=program_id,
        program_name=program.name,
        counters=counters,
        removed=rows,
        actor=by.label,
        actor_user_id=by.user_id,
        reason=reason,
        at=now,
    )
    logger.info("Program %s deleted by %s: %s", program_id, by.label, counters)
    return kept


def _in_flight(program: Program) -> list[int]:
    return sorted({operation_id for part in _parts.values() for operation_id in part.in_flight(program)})


def _remove_parts(program: Program, by: Actor, now: datetime) -> list[Removed]:
    return [
        *(part.remove(program, by, now) for part in reversed(_parts.values())),
        take_out("phases", Phase.objects.filter(program=program)),
        take_out("versions", ProgramVersion.objects.filter(program=program)),
        take_out("programs", Program.objects.filter(pk=program.pk)),
    ]


def _jsonable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Amounts as exact texts, times as ISO 8601."""
    copy: dict[str, Any] = orjson.loads(orjson.dumps(row, default=str))
    return copy
