"""Faults in what is answered: each test compares the answer with the true one."""

import json
import math

import pytest

from brokers.simulator.distortions import (
    conflicting_rows,
    duplicate_rows,
    missing_rows,
    null_balance,
    numbers_as_strings,
)
from tests.brokers.simulator.process import DEMO, REAL, Json, Simulator

EVER = {"from": "2024-02-10T09:39:47", "to": "2099-02-15T09:44:47"}
POSITIONS = [
    {"positionId": 1, "symbol": "XAUUSD", "quantity": 3.0, "realTimePL": -430.47},
    {"positionId": 2, "symbol": "BTCUSD", "quantity": -0.01, "realTimePL": 51.49},
]


def body(simulator: Simulator, path: str, **fields: Json) -> str:
    response = simulator.post(path, fields)
    assert response.status_code == 200
    return response.text


@pytest.fixture
def number(simulator: Simulator) -> int:
    return simulator.open_account(funds=50)


def test_string_json_wraps_the_whole_answer(simulator: Simulator, number: int) -> None:
    simulator.faults({"endpoint": "*", "fault": "string_json"})
    money = {"accountNumber": number, "unit": DEMO, "amount": 10, "comment": "x"}
    assert json.loads(simulator.ok("accounts/deposit", **money)) == {"status": "success", "accountBalance": 60.0}
    stats = json.loads(simulator.stats(number))
    assert (stats["accountNumber"], stats["balance"]) == (number, 60.0)


def test_numbers_as_strings_quote_every_number(simulator: Simulator, number: int) -> None:
    simulator.faults({"endpoint": "*", "fault": "numbers_as_strings"})
    assert simulator.stats(number) == {
        "accountNumber": str(number), "balance": "50.0", "equity": "50.0", "margin": "0.0", "freeMargin": "50.0",
        "pnl": "0.0",
    }  # fmt: skip
    details = simulator.ok("accounts/account-details", accountNumber=number)
    assert (details["balance"], details["enabled"]) == ("50.0", True)


def test_numbers_as_strings_reach_into_json_in_a_string(simulator: Simulator, number: int) -> None:
    simulator.control(f"accounts/{number}", {"positions": POSITIONS})
    simulator.ok("accounts/close-all-positions", accountNumber=number, unit=DEMO)
    simulator.faults({"endpoint": "*", "fault": "numbers_as_strings"})
    mine = simulator.ok("accounts/account-closed-positions", accountNumber=number, unit=DEMO, **EVER)
    assert [type(row["profitLoss"]) for row in json.loads(mine["message"])].count(str) == 1
    (rows,) = json.loads(simulator.ok("accounts/closed-positions", unit=DEMO, **EVER)["message"])
    assert [type(row["tradeId"]) for row in rows].count(str) == 1


@pytest.mark.parametrize(("fault", "balance"), [("null_balance", "null"), ("nan_balance", "NaN")])
def test_the_balance_of_one_account_is_no_number(simulator: Simulator, number: int, fault: str, balance: str) -> None:
    true_rows = simulator.ok("accounts/accounts-stats", unit=DEMO)
    simulator.faults({"endpoint": "*", "fault": fault})
    assert f'"accountNumber":{number},"balance":{balance},"equity":50.0' in body(
        simulator, "accounts/account-stats", accountNumber=number, unit=DEMO
    )
    rows = json.loads(body(simulator, "accounts/accounts-stats", unit=DEMO))
    wrong = [row for row in rows if row["balance"] is None or math.isnan(row["balance"])]
    assert len(wrong) == 1
    assert [row for row in rows if row not in wrong] == [
        row for row in true_rows if row["accountNumber"] != wrong[0]["accountNumber"]
    ]
    money = {"accountNumber": number, "unit": DEMO, "amount": 10, "comment": "x"}
    assert body(simulator, "accounts/deposit", **money) == f'{{"status":"success","accountBalance":{balance}}}'
    assert simulator.state(number)["balance"] == 60.0


def test_wrong_balance_is_the_one_before_the_transfer(simulator: Simulator, number: int) -> None:
    simulator.faults({"endpoint": "*", "fault": "wrong_balance"})
    money = {"accountNumber": number, "unit": DEMO, "comment": "x"}
    assert simulator.ok("accounts/deposit", amount=10.1, **money) == {"status": "success", "accountBalance": 50.0}
    assert simulator.ok("accounts/withdraw", amount=20.2, **money) == {"status": "success", "accountBalance": 60.1}
    assert simulator.state(number)["balance"] == 39.9


@pytest.mark.parametrize("path", ["accounts/accounts-details", "accounts/accounts-stats"])
def test_duplicate_rows_hold_one_row_twice(simulator: Simulator, number: int, path: str) -> None:
    true_rows = simulator.ok(path, unit=DEMO)
    simulator.faults({"endpoint": "*", "fault": "duplicate_rows"})
    rows = simulator.ok(path, unit=DEMO)
    (twice,) = [row for at, row in enumerate(rows[1:]) if row == rows[at]]
    rows.remove(twice)
    assert (rows, number in {row["accountNumber"] for row in rows}) == (true_rows, True)


@pytest.mark.parametrize("path", ["accounts/accounts-details", "accounts/accounts-stats"])
def test_conflicting_rows_hold_one_account_twice_with_two_balances(
    simulator: Simulator, number: int, path: str
) -> None:
    true_rows = simulator.ok(path, unit=DEMO)
    simulator.faults({"endpoint": "*", "fault": "conflicting_rows"})
    rows = simulator.ok(path, unit=DEMO)
    (other,) = [row for row in rows if row not in true_rows]
    at = rows.index(other)
    assert other == {**rows[at - 1], "balance": rows[at - 1]["balance"] + 1}
    assert rows[:at] + rows[at + 1 :] == true_rows


@pytest.mark.parametrize("path", ["accounts/accounts-details", "accounts/accounts-stats"])
def test_missing_rows_are_the_last_ones(simulator: Simulator, path: str) -> None:
    # Enough for five throws of the dice to tell them apart, whatever other tests have left.
    body = {"unit": DEMO, "count": 50, "email": "row-{}@example.test", "enabled": False, "deposits": []}
    numbers = simulator.control("accounts", body)["accountNumbers"]
    true_rows = simulator.ok(path, unit=DEMO)
    assert true_rows[-1]["accountNumber"] == numbers[-1]
    simulator.faults({"endpoint": "*", "fault": "missing_rows"})
    lengths = set()
    for _ in range(5):
        rows = simulator.ok(path, unit=DEMO)
        assert rows == true_rows[: len(rows)]
        lengths.add(len(rows))
    assert max(lengths) < len(true_rows)
    assert len(lengths) > 1


@pytest.mark.parametrize(("luck", "left"), [(0.0, b"[]"), (0.5, b"[1]"), (0.999999, b"[1,2]")])
def test_missing_rows_are_at_least_one_and_at_most_all(luck: float, left: bytes) -> None:
    assert missing_rows(b"[1,2,3]", luck) == left


def test_missing_rows_are_missing_from_a_list_in_a_string_too() -> None:
    assert missing_rows(b'{"status":"success","result":"[1,2,3]"}', 0.5) == b'{"status":"success","result":"[1]"}'


@pytest.mark.parametrize("luck", [0.0, 0.999999])
def test_an_empty_list_has_nothing_to_distort(luck: float) -> None:
    for distortion in (missing_rows, duplicate_rows, conflicting_rows, null_balance, numbers_as_strings):
        assert distortion(b"[]", luck) == b"[]"


def test_a_refusal_goes_out_as_it_is(simulator: Simulator) -> None:
    simulator.faults({"endpoint": "*", "fault": "string_json"})
    assert simulator.refused("accounts/account-stats", accountNumber=1, unit=DEMO) == "Unknown account 1."
    assert simulator.control("faults")["injected"] == 1


# The forms that the vendor's page prints.


def test_details_are_printed_as_an_array_in_braces(simulator: Simulator) -> None:
    simulator.open_account(unit=REAL)
    true_rows = simulator.ok("accounts/accounts-details", unit=REAL)
    simulator.faults({"endpoint": "*", "fault": "printed_form"})
    text = body(simulator, "accounts/accounts-details", unit=REAL)
    assert text == "{ \n  [\n" + ",\n".join(f"  {compact(row)}" for row in true_rows) + "\n  ]\n}"


def test_stats_are_printed_with_a_comma_too_many_as_well(simulator: Simulator) -> None:
    simulator.open_account(unit=REAL)
    true_rows = simulator.ok("accounts/accounts-stats", unit=REAL)
    simulator.faults({"endpoint": "*", "fault": "printed_form"})
    text = body(simulator, "accounts/accounts-stats", unit=REAL)
    assert text == "{ \n  [\n" + ",\n".join(f"  {compact(row)}" for row in true_rows) + ",\n  ]\n}"


def test_open_positions_are_printed_with_bare_quotes_in_a_string(simulator: Simulator, number: int) -> None:
    simulator.control(f"accounts/{number}", {"positions": POSITIONS})
    rows = simulator.ok("accounts/opened-positions", unit=DEMO)["result"]
    simulator.faults({"endpoint": "*", "fault": "printed_form"})
    text = body(simulator, "accounts/opened-positions", unit=DEMO)
    assert text == '{\n    "status": "success",\n    "result": "' + rows[:-1] + '\n    ]"\n}'


def test_closed_positions_are_printed_in_a_string_that_never_ends(simulator: Simulator, number: int) -> None:
    simulator.control(f"accounts/{number}", {"positions": POSITIONS})
    simulator.ok("accounts/close-all-positions", accountNumber=number, unit=DEMO)
    mine = {"accountNumber": number, "unit": DEMO, **EVER}
    first, second = json.loads(simulator.ok("accounts/account-closed-positions", **mine)["message"])
    simulator.faults({"endpoint": "*", "fault": "printed_form"})
    by_account = body(simulator, "accounts/account-closed-positions", **mine)
    rows = f"  {compact(first)},\n  {compact(second)},"
    assert by_account == '{ \n  "status": "success", \n  "message": "\n  [\n' + rows + "\n]\n}"
    by_unit = body(simulator, "accounts/closed-positions", unit=DEMO, **EVER)
    assert by_unit.startswith('{ \n  "status": "success", \n  "message": "\n  [[\n  {"accountId":')
    assert by_unit.endswith(f"{rows}\n]]\n}}")


def compact(row: Json) -> str:
    return json.dumps(row, separators=(",", ":"))
