"""The dry run tells what the save does, and writes nothing."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountGroup
from programs.models import Program
from programs.services import (
    TEMPLATES,
    ProgramTemplate,
    Rehearsal,
    StaleProgramError,
    rehearse_program,
    save_program,
)
from programs.terms import Change
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import InvalidDataError
from tests.programs.programs import TWO_STEPS, everything, with_step

NOW = datetime(2026, 5, 7, 12, 0, tzinfo=UTC)
BY = Actor("anna", 1)

pytestmark = pytest.mark.usefixtures("groups")


def save(data: dict[str, Any], **options: Any) -> Program:
    return save_program(data=data, by=BY, now=NOW, **options)


def rehearse(data: dict[str, Any], **options: Any) -> Rehearsal:
    """The dry run, after seeing that it wrote nothing."""
    before = everything()
    rehearsal = rehearse_program(data=data, by=BY, now=NOW, **options)
    assert everything() == before
    return rehearsal


def test_it_shows_the_terms_that_the_save_then_freezes() -> None:
    program = save(TWO_STEPS)

    data = {**with_step(0, profit_target_pct=Decimal(6)), "price": Decimal(549), "status": 1, "sort_index": 3}
    rehearsal = rehearse(data, program_id=program.pk)

    save(data, program_id=program.pk)
    assert rehearsal.after == program.versions.latest("number").terms
    assert rehearsal.before == program.versions.earliest("number").terms
    assert [section.title for section in rehearsal.sections] == ["General", "1. Evaluation"]
    assert rehearsal.beside == (Change("Status", "active", "disabled"), Change("Sort index", "0", "3"))
    assert not rehearsal.changes_nothing


def test_a_new_program_has_no_before() -> None:
    rehearsal = rehearse(TWO_STEPS)

    assert rehearsal.before is None
    assert rehearsal.beside[0] == Change("Status", "-", "active")
    assert not rehearsal.changes_nothing


def test_the_same_values_change_nothing() -> None:
    program = save(TWO_STEPS)

    assert rehearse(TWO_STEPS, program_id=program.pk).changes_nothing


def test_it_refuses_what_the_save_refuses() -> None:
    program = save(TWO_STEPS)
    before = everything()

    with pytest.raises(InvalidDataError, match=r"steps\[1\].account_group"):
        rehearse_program(data=with_step(1, account_group="NOWHERE"), by=BY, now=NOW)
    with pytest.raises(StaleProgramError):
        rehearse_program(data=TWO_STEPS, by=BY, now=NOW, program_id=program.pk, version=9)

    assert everything() == before


def test_a_fingerprint_stands_for_one_change_of_one_saved_program(demo_group: AccountGroup) -> None:
    program = save(TWO_STEPS)
    first = rehearse({"price": Decimal(1)}, program_id=program.pk).fingerprint

    assert rehearse({"price": Decimal(1)}, program_id=program.pk).fingerprint == first
    assert rehearse({"price": Decimal(2)}, program_id=program.pk).fingerprint != first
    AccountGroup.objects.filter(pk=demo_group.pk).update(default_deposit=Decimal(50_000))
    second = rehearse({"price": Decimal(1)}, program_id=program.pk).fingerprint
    assert second != first
    save({"sort_index": 1}, program_id=program.pk)
    assert rehearse({"price": Decimal(1)}, program_id=program.pk).fingerprint not in {first, second}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=lambda template: template.key)
def test_every_template_makes_a_program(template: ProgramTemplate) -> None:
    groups = {0: "PROP_DEMO_USD", 1: "PROP_REAL_USD"}
    steps = [{**step, "account_group": groups[step["phase_type"]]} for step in template.steps]

    program = save({**TWO_STEPS, "steps": steps})

    assert program.phases_count == len(template.terms())
    assert program.phases.get(phase_type=1).profit_split > 0
