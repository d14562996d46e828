from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountGroup, AccountMode, BrokerConnection
from programs.models import Phase, Program, ProgramEvent
from programs.services import ProgramNotFoundError, StaleProgramError, save_program, set_status
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import InvalidDataError
from tests.programs.conftest import make_group
from tests.programs.programs import EVALUATION, FUNDED, TWO_STEPS, everything, with_step

NOW = datetime(2026, 5, 7, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
BY = Actor("anna", 1)

BOTH_GROUPS = ["steps[0].account_group", "steps[1].account_group"]
FUNDED_FIRST = {**TWO_STEPS, "steps": [{**FUNDED, "phase_index": 1}, {**EVALUATION, "phase_index": 2}]}

pytestmark = pytest.mark.usefixtures("groups")


def save(data: dict[str, Any], **options: Any) -> Program:
    return save_program(data=data, by=BY, **{"now": NOW, **options})


def problems(data: dict[str, Any], **options: Any) -> list[str]:
    """The fields that a save refuses to take, after seeing that it wrote nothing."""
    before = everything()
    with pytest.raises(InvalidDataError) as refusal:
        save(data, **options)
    assert everything() == before
    return [problem.field for problem in refusal.value.problems]


def test_a_program_is_saved_with_its_steps_its_defaults_and_an_event() -> None:
    program = save(TWO_STEPS)

    program.refresh_from_db()
    assert (program.status, program.phases_count, program.demo_group, program.version) == (0, 2, "PROP_DEMO_USD", 1)
    assert (program.day_reset_time, program.day_reset_timezone) == (time(0, 0), "UTC")
    first, second = program.phases.all()
    assert (first.max_daily_loss_pct, first.early_warning_pct) == (Decimal(5), Decimal(80))
    assert (first.daily_loss_base, first.breach_when) == ("day_start_equity", "below")
    assert (first.total_loss_lock_pct, first.max_open_lots, first.weekend_cutoff) == (None, None, time(20, 0))
    assert (second.phase_type, second.profit_split) == (1, Decimal("0.8"))
    event = ProgramEvent.objects.get()
    assert (event.subject_id, event.from_status, event.to_status, event.actor) == (program.pk, None, 0, "anna")


def test_an_update_changes_only_what_it_names() -> None:
    program = save({**TWO_STEPS, "description": "Two phases", "sort_index": 7})
    steps = list(program.phases.values_list("id", flat=True))

    save({"name": "Renamed"}, program_id=program.pk, now=LATER)

    program.refresh_from_db()
    assert (program.name, program.description, program.sort_index) == ("Renamed", "Two phases", 7)
    assert (program.price, program.created_at, program.updated_at) == (Decimal(499), NOW, LATER)
    assert list(program.phases.values_list("id", flat=True)) == steps


def test_given_steps_replace_all_steps() -> None:
    program = save(TWO_STEPS)
    before = set(program.phases.values_list("id", flat=True))

    save({"steps": [EVALUATION]}, program_id=program.pk, now=LATER)

    program.refresh_from_db()
    [step] = program.phases.all()
    assert step.pk not in before
    assert (program.phases_count, step.created_at) == (1, LATER)


def test_a_status_change_is_an_event_and_the_same_status_is_none() -> None:
    program = save(TWO_STEPS)

    save({"status": 1}, program_id=program.pk, now=LATER)
    save({"status": 1}, program_id=program.pk, now=LATER)

    events = ProgramEvent.objects.order_by("id").values_list("from_status", "to_status")
    assert list(events) == [(None, 0), (0, 1)]


def test_staff_archive_with_a_reason() -> None:
    program = save(TWO_STEPS)

    set_status(program_id=program.pk, to=Program.Status.ARCHIVED, by=BY, now=LATER, reason="old")

    event = ProgramEvent.objects.latest("id")
    assert (event.from_status, event.to_status, event.reason) == (0, 2, "old")
    assert Program.objects.get().version == 2


def test_a_stale_save_is_refused() -> None:
    program = save(TWO_STEPS)
    save({"name": "First"}, program_id=program.pk, version=1)
    before = everything()

    with pytest.raises(StaleProgramError, match="you have version 1, it is at 2"):
        save({"name": "Second"}, program_id=program.pk, version=1)

    assert everything() == before


def test_an_unknown_program_is_not_found() -> None:
    with pytest.raises(ProgramNotFoundError):
        save({"name": "X"}, program_id=404)


# --- demo_group ---------------------------------------------------------------------------------------------------


def test_a_step_without_a_group_takes_the_demo_group() -> None:
    program = save({**with_step(0, account_group=...), "demo_group": "PROP_DEMO_USD"})

    assert [phase.account_group.name for phase in program.phases.all()] == ["PROP_DEMO_USD", "PROP_REAL_USD"]


def test_on_update_it_takes_the_programs_own_demo_group() -> None:
    program = save(TWO_STEPS)

    save({"steps": with_step(0, account_group=...)["steps"]}, program_id=program.pk)

    assert program.phases.get(phase_index=1).account_group.name == "PROP_DEMO_USD"


def test_a_demo_group_alone_repoints_every_evaluation_step(connection: BrokerConnection) -> None:
    make_group(connection, "OTHER", AccountMode.DEMO)
    second = {**EVALUATION, "phase_index": 2, "name": "Verification"}
    program = save({**TWO_STEPS, "steps": [EVALUATION, second, {**FUNDED, "phase_index": 3}]})
    ids = list(program.phases.values_list("id", flat=True))

    save({"demo_group": "OTHER"}, program_id=program.pk, now=LATER)

    program.refresh_from_db()
    assert program.demo_group == "OTHER"
    assert [phase.account_group.name for phase in program.phases.all()] == ["OTHER", "OTHER", "PROP_REAL_USD"]
    assert list(program.phases.values_list("id", flat=True)) == ids


def test_a_funded_only_program_has_an_empty_demo_group() -> None:
    program = save({**TWO_STEPS, "steps": [{**FUNDED, "phase_index": 1}], "demo_group": ""})

    assert program.demo_group == ""


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({}, ["brand", "name", "price", "price_currency", "steps"]),
        ({**TWO_STEPS, "name": "  "}, ["name"]),
        ({**TWO_STEPS, "price": Decimal(0)}, ["price"]),
        ({**TWO_STEPS, "price": Decimal(-1)}, ["price"]),
        ({**TWO_STEPS, "price": Decimal("499.001")}, ["price"]),
        ({**TWO_STEPS, "price": Decimal("NaN")}, ["price"]),
        ({**TWO_STEPS, "price": Decimal("Infinity")}, ["price"]),
        ({**TWO_STEPS, "price": Decimal("1e30")}, ["price"]),
        ({**TWO_STEPS, "price_currency": "XXX"}, ["price_currency", *BOTH_GROUPS]),
        ({**TWO_STEPS, "price_currency": "EUR"}, BOTH_GROUPS),
        ({**TWO_STEPS, "day_reset_timezone": "Mars/Olympus"}, ["day_reset_timezone"]),
        ({**TWO_STEPS, "steps": []}, ["steps"]),
        ({**TWO_STEPS, "steps": [EVALUATION] * 21}, ["steps"]),
        ({**TWO_STEPS, "demo_group": "PROP_REAL_USD"}, ["demo_group"]),
        ({**TWO_STEPS, "demo_group": ""}, ["demo_group"]),
        (with_step(0, phase_index=0), ["steps[0].phase_index"]),
        (with_step(1, phase_index=1), ["steps[1].phase_index"]),
        (with_step(1, phase_index=3), ["steps[1].phase_index"]),
        (with_step(0, name=" "), ["steps[0].name"]),
        (with_step(0, phase_type=2), ["steps[0].phase_type"]),
        (with_step(0, phase_type=1, account_group="PROP_REAL_USD"), ["steps[1].phase_type"]),
        (FUNDED_FIRST, ["steps[0].phase_type"]),
        (with_step(0, account_group=...), ["steps[0].account_group"]),
        (with_step(1, account_group=...), ["steps[1].account_group"]),
        (with_step(0, account_group="NOWHERE"), ["steps[0].account_group"]),
        (with_step(0, account_group="PROP_REAL_USD"), ["steps[0].account_group"]),
        (with_step(1, account_group="PROP_DEMO_USD"), ["steps[1].account_group"]),
        (with_step(0, profit_split=Decimal("0.1")), ["steps[0].profit_split"]),
        (with_step(1, profit_split=Decimal("1.01")), ["steps[1].profit_split"]),
        (with_step(1, profit_split=Decimal("-0.1")), ["steps[1].profit_split"]),
        (with_step(1, profit_split=Decimal("NaN")), ["steps[1].profit_split"]),
        (with_step(1, profit_split=Decimal("0.123456789")), ["steps[1].profit_split"]),
        (with_step(0, max_daily_loss_pct=Decimal(-1)), ["steps[0].max_daily_loss_pct"]),
        (with_step(0, max_daily_loss_pct=Decimal("100.01")), ["steps[0].max_daily_loss_pct"]),
        (with_step(0, max_total_loss_pct=Decimal("NaN")), ["steps[0].max_total_loss_pct"]),
        (with_step(0, profit_target_pct=Decimal(501)), ["steps[0].profit_target_pct"]),
        (with_step(0, total_loss_lock_pct=Decimal(-101)), ["steps[0].total_loss_lock_pct"]),
        (with_step(0, duration_days=-1), ["steps[0].duration_days"]),
        (with_step(0, max_positions=2**31), ["steps[0].max_positions"]),
        (with_step(0, breach_when="sometimes"), ["steps[0].breach_when"]),
    ],
)  # fmt: skip
def test_a_wrong_program_is_refused_by_path_and_nothing_is_written(data: dict[str, Any], fields: list[str]) -> None:
    assert problems(data) == fields


@pytest.mark.parametrize(
    "data",
    [
        {**TWO_STEPS, "price": Decimal("0.01")},
        {**TWO_STEPS, "price": Decimal("499.10000")},
        with_step(1, profit_split=Decimal(0)),
        with_step(1, profit_split=Decimal(1)),
        with_step(0, max_daily_loss_pct=Decimal(100), profit_target_pct=Decimal(500)),
        with_step(0, total_loss_lock_pct=Decimal(-100)),
        {**TWO_STEPS, "steps": [{**EVALUATION, "phase_index": index} for index in range(1, 21)]},
    ],
)
def test_values_at_their_bounds_are_taken(data: dict[str, Any]) -> None:
    assert save(data).pk


def test_steps_may_come_in_any_order_their_index_counts() -> None:
    program = save({**TWO_STEPS, "steps": [FUNDED, EVALUATION]})

    assert [phase.name for phase in program.phases.all()] == ["Evaluation", "Funded"]
    assert program.demo_group == "PROP_DEMO_USD"


def test_several_mistakes_are_named_at_once() -> None:
    data = with_step(0, max_daily_loss_pct=Decimal(101), account_group="NOWHERE")

    assert problems({**data, "price": Decimal(0)}) == [
        "price",
        "steps[0].account_group",
        "steps[0].max_daily_loss_pct",
    ]


def test_the_currency_cannot_change_away_from_the_groups() -> None:
    program = save(TWO_STEPS)

    assert problems({"price_currency": "EUR"}, program_id=program.pk) == [
        "steps[0].account_group",
        "steps[1].account_group",
    ]


def test_yen_have_no_decimals(connection: BrokerConnection) -> None:
    make_group(connection, "YEN", AccountMode.DEMO, currency="JPY")
    yen = {**with_step(0, account_group="YEN"), "price_currency": "JPY"}
    yen["steps"] = yen["steps"][:1]

    assert problems({**yen, "price": Decimal("50000.5")}) == ["price"]
    assert save({**yen, "price": Decimal(50000)}).pk


def test_a_disabled_group_takes_no_new_steps_but_leaves_saved_ones_alone(demo_group: AccountGroup) -> None:
    program = save(TWO_STEPS)
    AccountGroup.objects.filter(pk=demo_group.pk).update(is_enabled=False)

    assert problems(TWO_STEPS) == ["steps[0].account_group"]
    assert save({"name": "Renamed"}, program_id=program.pk).name == "Renamed"


def test_a_disabled_group_takes_no_repointed_steps(connection: BrokerConnection) -> None:
    make_group(connection, "CLOSED", AccountMode.DEMO, is_enabled=False)
    program = save(TWO_STEPS)

    assert problems({"demo_group": "CLOSED"}, program_id=program.pk) == ["steps[0].account_group"]


def test_refused_steps_leave_the_old_ones() -> None:
    program = save(TWO_STEPS)

    assert problems({"steps": [], "name": "X", "status": 1}, program_id=program.pk) == ["steps"]
    assert Phase.objects.count() == 2
