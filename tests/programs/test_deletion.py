from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DatabaseError, transaction

from brokers.models import BrokerConnection, BrokerOperation
from programs.models import DeletionRecord, Phase, Program, ProgramEvent, ProgramVersion
from programs.services import (
    OperationsInFlightError,
    ProgramNotFoundError,
    Removed,
    delete_program,
    preview_deletion,
    register_deletion,
    save_program,
    take_out,
)
from programs.services import deletion as registry
from propdesk.lib.actors import Actor
from tests.programs.programs import TWO_STEPS

NOW = datetime(2026, 5, 7, 12, 0, tzinfo=UTC)
BY = Actor("anna", 1)

pytestmark = pytest.mark.usefixtures("groups")


@pytest.fixture(autouse=True)
def no_upper_apps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test registers its own upper apps."""
    monkeypatch.setattr(registry, "_parts", {})
    return iter(())


def make() -> Program:
    return save_program(data=TWO_STEPS, by=BY, now=NOW)


def delete(program: Program) -> DeletionRecord:
    return delete_program(program_id=program.pk, by=BY, now=NOW)


def test_the_record_keeps_counters_and_a_full_copy() -> None:
    program = make()

    record = delete(program)

    record.refresh_from_db()
    assert (record.program_id, record.program_name, record.actor, record.actor_user_id) == (
        program.pk,
        "Evaluation 100K",
        "anna",
        1,
    )
    assert record.counters == {"phases": 2, "versions": 1, "programs": 1}
    assert record.removed["programs"][0]["price"] == "499.00000000"
    assert [phase["name"] for phase in record.removed["phases"]] == ["Evaluation", "Funded"]
    assert record.removed["versions"][0]["terms"]["program"]["name"] == "Evaluation 100K"
    assert not any(model.objects.exists() for model in (Program, Phase, ProgramVersion))


def test_events_outlive_the_program() -> None:
    program = make()

    delete(program)

    reasons = ProgramEvent.objects.filter(subject_id=program.pk).order_by("id").values_list("reason", flat=True)
    assert list(reasons) == ["created", "deleted"]


def test_apps_above_go_first_the_top_one_before_all() -> None:
    program, order = make(), []

    def part(name: str) -> Any:
        def remove(given: Program, by: Actor, now: datetime) -> Removed:
            assert (given, by, now) == (program, BY, NOW)
            order.append((name, Program.objects.exists()))
            return Removed({name: 3}, {name: [{"id": 1}]})

        return remove

    register_deletion("purchases", part("purchases"))
    register_deletion("challenges", part("challenges"))
    record = delete(program)

    assert order == [("challenges", True), ("purchases", True)]
    assert record.counters == {"challenges": 3, "purchases": 3, "phases": 2, "versions": 1, "programs": 1}
    assert record.removed["challenges"] == [{"id": 1}]


def test_operations_in_flight_anywhere_forbid_it_and_all_are_listed() -> None:
    program = make()

    def remove(*_: object) -> Removed:
        raise AssertionError("nothing may be removed")

    register_deletion("purchases", remove, in_flight=lambda _: [7, 3])
    register_deletion("challenges", remove, in_flight=lambda _: [3, 12])
    with pytest.raises(OperationsInFlightError) as refusal:
        delete(program)

    assert (refusal.value.status, refusal.value.code) == (409, "OPERATIONS_IN_FLIGHT")
    assert refusal.value.details() == {"operations": [3, 7, 12]}
    assert Program.objects.exists()
    assert not DeletionRecord.objects.exists()


def test_a_failure_in_an_upper_app_leaves_everything_as_it_was() -> None:
    program = make()

    def remove(*_: object) -> Removed:
        Phase.objects.all().delete()
        raise OperationsInFlightError([5])

    register_deletion("purchases", remove)
    with pytest.raises(OperationsInFlightError):
        delete(program)

    assert Phase.objects.count() == 2
    assert list(ProgramEvent.objects.values_list("reason", flat=True)) == ["created"]


def test_an_unknown_program_is_not_found() -> None:
    with pytest.raises(ProgramNotFoundError):
        delete_program(program_id=404, by=BY, now=NOW)


def test_rows_that_point_at_each_other_are_taken_out_together(connection: BrokerConnection) -> None:
    values: dict[str, Any] = {"connection": connection, "next_at": NOW, "created_at": NOW, "updated_at": NOW}
    first = BrokerOperation.objects.create(subject="a", kind=BrokerOperation.Kind.DISABLE, **values)
    BrokerOperation.objects.create(subject="b", kind=BrokerOperation.Kind.CLOSE_ALL, after=first, **values)

    removed = take_out("operations", BrokerOperation.objects.order_by("id"))

    assert removed.counters == {"operations": 2}
    assert [row["subject"] for row in removed.rows["operations"]] == ["a", "b"]
    assert not BrokerOperation.objects.exists()


@pytest.mark.parametrize("model", [DeletionRecord, ProgramEvent])
def test_records_can_be_neither_changed_nor_removed(model: Any) -> None:
    delete(make())

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        model.objects.update(actor="nobody")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        model.objects.all().delete()


def test_a_preview_counts_what_would_go_and_removes_nothing() -> None:
    program = make()
    register_deletion("purchases", lambda *_: Removed(), in_flight=lambda _: [9], count=lambda _: {"purchases": 4})
    register_deletion("challenges", lambda *_: Removed(), count=lambda _: {"challenges": 3, "enrollments": 5})

    preview = preview_deletion(program_id=program.pk)

    counters = {"challenges": 3, "enrollments": 5, "purchases": 4, "phases": 2, "versions": 1, "programs": 1}
    assert list(preview.counters.items()) == list(counters.items())
    assert preview.in_flight == [9]
    assert Program.objects.exists()


def test_the_reason_stays_with_the_record_and_the_event() -> None:
    program = make()

    record = delete_program(program_id=program.pk, by=BY, now=NOW, reason="Sold by mistake.")

    assert record.reason == "Sold by mistake."
    assert ProgramEvent.objects.filter(subject_id=program.pk).latest("id").reason == "deleted: Sold by mistake."
