"""The requests and answers that the seeds print, literally."""

from datetime import UTC, datetime
from typing import Any

import pytest

from programs.models import Phase, Program
from tests.programs.calls import Mng
from tests.programs.conftest import seed

pytestmark = pytest.mark.usefixtures("groups")


def without_times(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if not name.endswith("_time")}


def make_seed_program(mng: Mng) -> dict[str, Any]:
    """The program as it stands before the update that seed 001 prints."""
    steps = seed("update_request")["data"]["steps"][:1]
    created: dict[str, Any] = mng.data(
        "MngCreatePropProgram",
        {
            "brand": "default",
            "name": "Evaluation 100K",
            "description": "Two phase evaluation",
            "price": 499.0,
            "price_currency": "USD",
            "sort_index": 100,
            "steps": steps,
        },
    )
    return created


def test_the_update_of_seed_001_answers_as_printed(mng: Mng) -> None:
    created = make_seed_program(mng)
    request = seed("update_request")
    request["data"]["id"] = created["program"]["id"]

    answer = mng.post(request).json()

    printed = seed("update_response_data")
    program, steps = answer["data"]["program"], answer["data"]["steps"]
    assert (answer["extID"], answer["status"]) == ("1", 200)
    for name, value in without_times(printed["program"]).items():
        assert program[name] == (created["program"]["id"] if name == "id" else value), name
    for given, expected in zip(steps, printed["steps"], strict=True):
        for name, value in without_times(expected).items():
            if name not in {"id", "program_id"}:
                assert given[name] == value, name
        assert given["program_id"] == program["id"]
        assert given["created_time"] == given["updated_time"] == program["updated_time"]


def test_fields_come_in_the_printed_order_with_demo_group_after_description(mng: Mng) -> None:
    answer = make_seed_program(mng)

    printed = seed("update_response_data")
    program_order = list(printed["program"])
    program_order.insert(program_order.index("description") + 1, "demo_group")
    assert list(answer["program"])[: len(program_order)] == program_order
    step_order = list(printed["steps"][0])
    assert list(answer["steps"][0])[: len(step_order)] == step_order


def test_replaced_steps_get_new_ids_and_the_program_keeps_its_creation_time(mng: Mng) -> None:
    created = make_seed_program(mng)
    Program.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
    request = seed("update_request")["data"] | {"id": created["program"]["id"]}

    updated = mng.data("MngUpdatePropProgram", request)

    assert {step["id"] for step in updated["steps"]}.isdisjoint(step["id"] for step in created["steps"])
    assert updated["program"]["created_time"] == 1767225600
    assert updated["program"]["updated_time"] > 1767225600


def test_the_steps_of_seed_000_need_only_the_programs_demo_group(mng: Mng) -> None:
    answer = mng.data(
        "MngCreatePropProgram",
        {
            "brand": "default",
            "name": "V1",
            "demo_group": "PROP_DEMO_USD",
            "price": 499.0,
            "price_currency": "USD",
            **seed("aggregate_steps"),
        },
    )

    assert answer["program"]["demo_group"] == "PROP_DEMO_USD"
    assert answer["program"]["profit_split"] == 0
    [step] = answer["steps"]
    assert step["account_group"] == "PROP_DEMO_USD"
    assert step["phase_type"] == 0
    assert {name: step[name] for name in seed("aggregate_steps")["steps"][0]} == seed("aggregate_steps")["steps"][0]


def test_the_table_of_seed_004_answers_as_printed(mng: Mng, now: datetime) -> None:
    created = make_seed_program(mng)
    changes = {"id": created["program"]["id"], "steps": seed("update_request")["data"]["steps"]}
    mng.data("MngUpdatePropProgram", changes)
    Program.objects.update(created_at=now, updated_at=now)

    answer = mng.post(seed("by_filter_request")).json()

    expected = seed("by_filter_response_data")
    expected["rows"][0][0] = created["program"]["id"]
    assert answer == {"extID": "1", "status": 200, "data": expected}


def test_a_card_is_what_create_answered(mng: Mng) -> None:
    created = make_seed_program(mng)

    assert mng.data("MngGetPropProgram", {"id": created["program"]["id"]}) == created


def test_a_deleted_program_is_gone_with_its_steps(mng: Mng) -> None:
    created = make_seed_program(mng)

    answer = mng.data("MngDeletePropProgram", {"id": created["program"]["id"]})

    assert answer["deleted"] is True
    assert {name: answer["counters"][name] for name in ("phases", "versions", "programs")} == {
        "phases": 1,
        "versions": 1,
        "programs": 1,
    }
    assert not Program.objects.exists()
    assert not Phase.objects.exists()
