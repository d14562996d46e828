"""Two editors at once, on two real connections."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from programs.models import Program
from programs.services import StaleProgramError, delete_program, save_program
from programs.services.errors import ProgramNotFoundError
from propdesk.lib.actors import Actor
from tests.programs.programs import TWO_STEPS
from tests.waiting import wait_until_somebody_waits_for_us

NOW = datetime(2026, 5, 7, 12, 0, tzinfo=UTC)
BY = Actor("anna", 1)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("groups")]


def while_saving(program: Program, second: Callable[[], object]) -> BaseException | None:
    """Save the program, run `second` on another connection until it waits for us, commit; what `second` raised."""

    def run() -> None:
        try:
            second()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            save_program(program_id=program.pk, version=1, data={"name": "First"}, by=BY, now=NOW)
            other = pool.submit(run)
            wait_until_somebody_waits_for_us()
        return other.exception(timeout=60)


def test_the_second_of_two_editors_is_stale() -> None:
    program = save_program(data=TWO_STEPS, by=BY, now=NOW)

    raised = while_saving(
        program, lambda: save_program(program_id=program.pk, version=1, data={"name": "Second"}, by=BY, now=NOW)
    )

    assert isinstance(raised, StaleProgramError)
    program.refresh_from_db()
    assert (program.name, program.version) == ("First", 2)


def test_edits_of_different_fields_are_both_kept() -> None:
    program = save_program(data=TWO_STEPS, by=BY, now=NOW)

    raised = while_saving(
        program, lambda: save_program(program_id=program.pk, data={"description": "New"}, by=BY, now=NOW)
    )

    assert raised is None
    program.refresh_from_db()
    assert (program.name, program.description, program.version) == ("First", "New", 3)
    assert program.versions.count() == 3


def test_a_deletion_waits_for_the_save_and_removes_its_version_too() -> None:
    program = save_program(data=TWO_STEPS, by=BY, now=NOW)

    raised = while_saving(program, lambda: delete_program(program_id=program.pk, by=BY, now=NOW))

    assert raised is None
    assert not Program.objects.exists()
    with pytest.raises(ProgramNotFoundError):
        save_program(program_id=program.pk, data={"name": "Third"}, by=BY, now=NOW)
