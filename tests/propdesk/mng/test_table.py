"""The table engine, over the programs' table."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from programs.api.commands import PROGRAMS
from programs.models import Program
from propdesk.lib.mng.errors import InvalidDataError
from propdesk.lib.mng.table import TableInput

NOW = datetime(2026, 5, 7, 13, 20, tzinfo=UTC)
INT64_MAX = 2**63 - 1

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def programs() -> None:
    """Five programs, named by their place; two share a sort index."""
    rows = [
        ("Alpha 50%", "default", "99.5", 0, 10),
        ("beta_1", "default", "199", 1, 20),
        ("Gamma", "other", "299", 0, 20),
        ("delta", "other", "399", 2, 5),
        ("alphabet", "", "499", 0, 1),
    ]
    for index, (name, brand, price, status, sort_index) in enumerate(rows):
        Program.objects.create(
            name=name,
            brand=brand or "blank",
            price=Decimal(price),
            status=status,
            sort_index=sort_index,
            created_at=NOW.replace(second=index, microsecond=999_999),
            updated_at=NOW,
        )


def read(**request: Any) -> dict[str, Any]:
    given = TableInput(data={"limit": 50, "offset": 0, **request})
    given.is_valid(raise_exception=True)
    return PROGRAMS.read(Program.objects.all(), given.validated_data)


def names(**request: Any) -> list[str]:
    return [row[2] for row in read(**request)["rows"]]


def problems(**request: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidDataError) as refusal:
        read(**request)
    return [(problem.field, problem.message) for problem in refusal.value.problems]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"where": [["price", "=", Decimal("99.5")]]}, ["Alpha 50%"]),
        ({"where": [["price", "<", 199]]}, ["Alpha 50%"]),
        ({"where": [["price", "<=", 199]]}, ["Alpha 50%", "beta_1"]),
        ({"where": [["price", ">", Decimal("299.00")]]}, ["delta", "alphabet"]),
        ({"where": [["price", ">=", 299]]}, ["Gamma", "delta", "alphabet"]),
        ({"where": [["brand", "!=", "default"]]}, ["Gamma", "delta", "alphabet"]),
        ({"where": [["status", "=", 0], ["brand", "=", "other"]]}, ["Gamma"]),
        ({"where": [["name", "like", "ALPHA"]]}, ["Alpha 50%", "alphabet"]),
        ({"where": [["name", "like", "%"]]}, ["Alpha 50%"]),
        ({"where": [["name", "like", "_"]]}, ["beta_1"]),
        ({"where": [["name", "like", "\\"]]}, []),
        ({"where": [["name", "=", "alpha 50%"]]}, []),
        ({"where": [["name", "=", "' OR 1=1 --"]]}, []),
        ({"whereNot": [["status", 0]]}, ["beta_1", "delta"]),
        ({"whereNot": [["price", ">", 199]]}, ["Alpha 50%", "beta_1"]),
        ({"whereNot": [["status", "!=", 0]]}, ["Alpha 50%", "Gamma", "alphabet"]),
        ({"whereIn": [["status", [1, 2]]]}, ["beta_1", "delta"]),
        ({"whereIn": [["status", []]]}, []),
        ({"whereIn": [["id", [INT64_MAX, -INT64_MAX - 1]]]}, []),
        ({"whereNotIn": [["brand", ["default", "other"]]]}, ["alphabet"]),
        ({"whereNotIn": [["status", []]]}, ["Alpha 50%", "beta_1", "Gamma", "delta", "alphabet"]),
        ({"whereBetween": [["price", [199, 399]]]}, ["beta_1", "Gamma", "delta"]),
        ({"whereBetween": [["status", [INT64_MAX, INT64_MAX]]]}, []),
        ({"whereNotBetween": [["sort_index", [2, 10]]]}, ["beta_1", "Gamma", "alphabet"]),
        ({"where": [["status", "<", INT64_MAX]], "whereNot": [["status", INT64_MAX]]}, ["Alpha 50%", "beta_1", "Gamma",
                                                                                      "delta", "alphabet"]),
        ({"where": [["created_time", "=", 1778160003]]}, ["delta"]),
        ({"whereBetween": [["created_time", [1778160001, 1778160002]]]}, ["beta_1", "Gamma"]),
    ],
)  # fmt: skip
def test_conditions(conditions: dict[str, Any], expected: list[str]) -> None:
    assert names(**conditions, orderBy=[["created_time", "asc"]]) == expected
    assert read(**conditions)["count"] == len(expected)


def test_ties_of_the_order_are_broken_by_id() -> None:
    expected = ["alphabet", "delta", "Alpha 50%", "beta_1", "Gamma"]

    assert names(orderBy=[["sort_index", "asc"]]) == expected
    assert names(orderBy=[["sort_index", "desc"]]) == ["beta_1", "Gamma", "Alpha 50%", "delta", "alphabet"]
    assert names(orderBy=[["brand", "desc"], ["price", "desc"]]) == [
        "delta",
        "Gamma",
        "beta_1",
        "Alpha 50%",
        "alphabet",
    ]


def test_without_an_order_rows_come_by_id() -> None:
    assert names() == ["Alpha 50%", "beta_1", "Gamma", "delta", "alphabet"]


def test_count_is_the_total_before_paging() -> None:
    page = read(limit=2, offset=3, where=[["price", ">", 0]])

    assert (page["count"], [row[2] for row in page["rows"]]) == (5, ["delta", "alphabet"])


@pytest.mark.parametrize("offset", [5, 6, INT64_MAX])
def test_an_offset_beyond_the_end_gives_no_rows(offset: int) -> None:
    assert (read(offset=offset)["rows"], read(offset=offset)["count"]) == ([], 5)


def test_rows_print_doubles_and_unix_seconds() -> None:
    [row] = read(where=[["name", "=", "Alpha 50%"]])["rows"]

    assert row[1:] == ("default", "Alpha 50%", "", "", 99.5, "USD", 0, 10, 0, 1778160000, 1778160000)
    assert isinstance(row[5], float)


def test_a_full_page_costs_two_queries_and_another_one(django_assert_num_queries: Any) -> None:
    conditions: dict[str, Any] = {
        "where": [["name", "like", "a"], ["created_time", ">", 0]],
        "orderBy": [["id", "desc"]],
    }
    with django_assert_num_queries(2):
        assert read(limit=2, **conditions)["count"] == 5
    with django_assert_num_queries(1):
        assert read(limit=6, **conditions)["count"] == 5


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ({"where": [["nope", "=", 1]]}, "where[0]"),
        ({"where": [["phases_count", "=", 1]]}, "where[0]"),
        ({"where": [["created_at", "=", 1]]}, "where[0]"),
        ({"where": [["id__gt", "=", 1]]}, "where[0]"),
        ({"where": [["phases__account_group__connection__api_key", "like", "a"]]}, "where[0]"),
        ({"where": [["status", "=", 0], ["id", "~", 1]]}, "where[1]"),
        ({"where": [["id", "=", "1"]]}, "where[0]"),
        ({"where": [["id", "=", True]]}, "where[0]"),
        ({"where": [["id", "=", None]]}, "where[0]"),
        ({"where": [["id", "=", Decimal("1.0")]]}, "where[0]"),
        ({"where": [["id", "=", 2**63]]}, "where[0]"),
        ({"where": [["id", "=", [1]]]}, "where[0]"),
        ({"where": [["price", "=", "499"]]}, "where[0]"),
        ({"where": [["price", "=", True]]}, "where[0]"),
        ({"where": [["name", "=", 5]]}, "where[0]"),
        ({"where": [["status", "like", "0"]]}, "where[0]"),
        ({"where": [["status", "="]]}, "where[0]"),
        ({"where": [["status", "=", 0, 0]]}, "where[0]"),
        ({"where": [[]]}, "where[0]"),
        ({"where": ["status"]}, "where[0]"),
        ({"where": [{"field": "status"}]}, "where[0]"),
        ({"where": [None]}, "where[0]"),
        ({"where": [[["status"], "=", 0]]}, "where[0]"),
        ({"where": [["status", ["="], 0]]}, "where[0]"),
        ({"whereNot": [["status"]]}, "whereNot[0]"),
        ({"whereNot": [[{}, 1]]}, "whereNot[0]"),
        ({"whereIn": [["status", 1]]}, "whereIn[0]"),
        ({"whereIn": [["status", ["1"]]]}, "whereIn[0]"),
        ({"whereNotIn": [["status", [1], 2]]}, "whereNotIn[0]"),
        ({"whereIn": [["id", [1] * 10_001]]}, "whereIn[0]"),
        ({"whereBetween": [["status", [1]]]}, "whereBetween[0]"),
        ({"whereBetween": [["status", [1, 2, 3]]]}, "whereBetween[0]"),
        ({"whereNotBetween": [["status", ["a", "b"]]]}, "whereNotBetween[0]"),
        ({"where": [["id", "=", 1]] * 101}, "where"),
        ({"orderBy": [["?", "asc"]]}, "orderBy[0]"),
        ({"orderBy": [["-id", "asc"]]}, "orderBy[0]"),
        ({"orderBy": [["phases__name", "asc"]]}, "orderBy[0]"),
        ({"orderBy": [["id", "up"]]}, "orderBy[0]"),
        ({"orderBy": [["id"]]}, "orderBy[0]"),
        ({"orderBy": ["id"]}, "orderBy[0]"),
        ({"orderBy": [["id", "asc"]] * 13}, "orderBy"),
    ],
)
def test_a_wrong_condition_is_named(conditions: dict[str, Any], field: str) -> None:
    assert [name for name, _ in problems(**conditions)] == [field]


def test_all_wrong_conditions_are_named_at_once() -> None:
    found = problems(where=[["nope", "=", 1], ["id", "=", "x"]], whereIn=[["status", 0]])

    assert [name for name, _ in found] == ["where[0]", "where[1]", "whereIn[0]"]
    assert found[0][1].startswith("Unknown field 'nope'; there are id, brand, name")
    assert found[1][1] == "id is of type int; x is not."
