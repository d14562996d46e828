"""What the database refuses by itself, whoever writes."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from programs.models import Phase, Program
from programs.rule_fields import phase_parameters
from programs.services import save_program
from programs.terms import Parameter
from propdesk.lib.actors import Actor
from tests.programs.programs import TWO_STEPS

NOW = datetime(2026, 5, 7, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def program(groups: Any) -> Program:
    return save_program(data=TWO_STEPS, by=Actor("anna"), now=NOW)


def refuses(table: str, assignment: str, constraint: str, *, where: str = "true") -> None:
    with pytest.raises(DatabaseError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {assignment} WHERE {where}; SET CONSTRAINTS ALL IMMEDIATE")


def bounded() -> list[Parameter]:
    return [parameter for parameter in phase_parameters() if parameter.maximum is not None]


@pytest.mark.parametrize("parameter", bounded(), ids=lambda parameter: parameter.name)
def test_every_bound_of_a_rule_is_a_constraint(parameter: Parameter) -> None:
    assert parameter.minimum is not None
    assert parameter.maximum is not None
    name = f"phase_{parameter.name}_allowed"
    step = Decimal("0.01") if parameter.decimals else 1

    Phase.objects.update(**{parameter.name: parameter.minimum})
    Phase.objects.update(**{parameter.name: parameter.maximum})
    refuses("programs_phase", f"{parameter.name} = {parameter.minimum - step}", name)
    refuses("programs_phase", f"{parameter.name} = {parameter.maximum + step}", name)
    if parameter.decimals:
        refuses("programs_phase", f"{parameter.name} = 'NaN'", name)


@pytest.mark.parametrize("name", [parameter.name for parameter in phase_parameters() if parameter.choices])
def test_every_choice_of_a_rule_is_a_constraint(name: str) -> None:
    refuses("programs_phase", f"{name} = 'whim'", f"phase_{name}_allowed")


@pytest.mark.parametrize(
    ("assignment", "constraint", "where"),
    [
        ("phase_index = 0", "phase_index_from_one", "phase_index = 1"),
        ("phase_index = 2", "phase_index_once", "phase_index = 1"),
        ("name = ''", "phase_has_name", "true"),
        ("profit_split = 0.5", "phase_split_of_funded_only", "phase_type = 0"),
        ("profit_split = 1.01", "phase_split_of_funded_only", "phase_type = 1"),
        ("profit_split = -0.01", "phase_split_of_funded_only", "phase_type = 1"),
        ("profit_split = 'NaN'", "phase_split_of_funded_only", "phase_type = 1"),
        ("phase_type = 2, profit_split = 0", "phase_split_of_funded_only", "true"),
        ("phase_type = 1", "phase_one_funded_per_program", "phase_type = 0"),
    ],
)
def test_phases(assignment: str, constraint: str, where: str) -> None:
    refuses("programs_phase", assignment, constraint, where=where)


@pytest.mark.parametrize(
    ("assignment", "constraint"),
    [
        ("price = 0", "program_price_positive"),
        ("price = -1", "program_price_positive"),
        ("price = 'NaN'", "program_price_positive"),
        ("price_currency = 'usd'", "program_currency_iso"),
        ("status = 3", "program_status_known"),
        ("name = ''", "program_has_name_and_brand"),
    ],
)
def test_programs(assignment: str, constraint: str) -> None:
    refuses("programs_program", assignment, constraint)


def breaks_at_commit(sql: str, constraint: str) -> None:
    """The rules that span rows are judged when the transaction ends."""
    with pytest.raises(DatabaseError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{sql}; SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize(
    ("sql", "constraint"),
    [
        ("UPDATE programs_phase SET phase_index = 3 WHERE phase_index = 2", "program_phase_indexes_without_gaps"),
        ("DELETE FROM programs_phase WHERE phase_index = 1", "program_phase_indexes_without_gaps"),
        ("UPDATE programs_phase SET phase_index = 3 - phase_index", "program_funded_phase_last"),
        (
            "UPDATE programs_phase SET account_group_id = (SELECT max(id) FROM brokers_accountgroup WHERE mode = 1)",
            "phase_group_of_its_mode",
        ),
        ("UPDATE brokers_accountgroup SET mode = 1 - mode", "phase_group_of_its_mode"),
        ("UPDATE brokers_accountgroup SET currency = 'EUR'", "phase_group_of_program_currency"),
        ("UPDATE programs_program SET price_currency = 'EUR'", "phase_group_of_program_currency"),
    ],
)
def test_rules_that_span_rows(sql: str, constraint: str) -> None:
    breaks_at_commit(sql, constraint)


@pytest.mark.parametrize(
    "assignment",
    ["price = 499.001", "price_currency = 'JPY', price = 1.5", "price_currency = 'KWD', price = 1.0001",
     "price_currency = 'XXX'"],
)  # fmt: skip
def test_a_price_fits_its_known_currency(assignment: str) -> None:
    refuses("programs_program", assignment, "program_price_in_its_currency")


def test_the_last_phase_may_go_first() -> None:
    """Phases are replaced one by one: only the end of the transaction counts."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE programs_phase SET phase_index = 3 WHERE phase_index = 2")
        cursor.execute("UPDATE programs_phase SET phase_index = 2 WHERE phase_index = 3")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert list(Phase.objects.values_list("phase_index", flat=True)) == [1, 2]
