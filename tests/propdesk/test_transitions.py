"""A status changes along a legal edge, once, with its event or not at all."""

from typing import Any

import pytest
from django.db import IntegrityError

from programs.models import Program, ProgramEvent
from propdesk.lib.actors import system
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import IllegalTransitionError, transition

TESTER = system("test")
Status = Program.Status


@pytest.fixture
def program(transactional_db: None) -> Program:
    now = utc_now()
    return Program.objects.create(
        name="Evaluation", price=499, price_currency="USD", phases_count=0, created_at=now, updated_at=now
    )


def move(program: Program, to: Status, **changes: Any) -> bool:
    return transition(program, to=to, by=TESTER, now=utc_now(), reason="It rained.", **changes)


def history(program: Program) -> list[tuple[int | None, int, str, str]]:
    events = ProgramEvent.objects.filter(subject_id=program.pk).order_by("id")
    return list(events.values_list("from_status", "to_status", "actor", "reason"))


def test_a_change_is_written_with_its_event(program: Program):
    assert move(program, Status.DISABLED, name="Over") is True
    program.refresh_from_db()
    assert (program.status, program.name) == (Status.DISABLED, "Over")
    assert history(program) == [(Status.ACTIVE, Status.DISABLED, TESTER.label, "It rained.")]


def test_being_there_already_changes_nothing(program: Program):
    assert move(program, Status.ACTIVE, name="Other") is False
    program.refresh_from_db()
    assert (program.name, history(program)) == ("Evaluation", [])


def test_whoever_saw_an_older_status_is_told_and_writes_nothing(program: Program):
    older = Program.objects.get(pk=program.pk)
    move(program, Status.ARCHIVED)
    with pytest.raises(IllegalTransitionError):
        move(older, Status.DISABLED, name="Other")
    program.refresh_from_db()
    assert (program.status, program.name, len(history(program))) == (Status.ARCHIVED, "Evaluation", 1)


def test_an_edge_that_is_not_legal_writes_nothing(program: Program, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Program, "EDGES", {Status.ACTIVE: frozenset({Status.ARCHIVED})})
    with pytest.raises(IllegalTransitionError, match="is active and cannot become disabled"):
        move(program, Status.DISABLED)
    program.refresh_from_db()
    assert (program.status, history(program)) == (Status.ACTIVE, [])


def test_without_its_event_a_change_does_not_happen(program: Program):
    nothing: Any = None
    with pytest.raises(IntegrityError, match="reason"):
        transition(program, to=Status.DISABLED, by=TESTER, now=utc_now(), reason=nothing)
    program.refresh_from_db()
    assert (program.status, history(program)) == (Status.ACTIVE, [])
