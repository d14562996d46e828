"""Each endpoint answers in the vendor's shape."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.brokers.simulator.process import DEMO, GROUPS, KEY, PATIENCE, REAL, Simulator, application

EVER = {"from": "2024-02-10T09:39:47", "to": "2099-02-15T09:44:47"}
LOSING_POSITION = {
    "positionId": 1, "symbol": "XAUUSD", "lots": 0.03, "quantity": 3.0, "usdQuantity": 6887.28, "direction": "Buy",
    "openTime": 1716190356759, "openPrice": 2439.05, "realTimePL": -430.47,
}  # fmt: skip
WINNING_POSITION = {
    "positionId": 2, "symbol": "BTCUSD", "lots": 0.01, "quantity": -0.01, "usdQuantity": -616.043, "direction": "Sell",
    "openTime": 1716190353400, "openPrice": 66779.79, "realTimePL": 51.49,
}  # fmt: skip


def with_two_positions(simulator: Simulator) -> int:
    number = simulator.open_account()
    simulator.control(f"accounts/{number}", {"positions": [LOSING_POSITION, WINNING_POSITION]})
    return number


def test_ping_answers_200(simulator: Simulator) -> None:
    response = simulator.session.get(f"{simulator.url}/cportal/prop/ping")
    assert (response.status_code, response.json()) == (200, {"status": 200})


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_units_are_a_map_of_ids_to_names(simulator: Simulator, body: bytes) -> None:
    answer = simulator.session.post(f"{simulator.url}/cportal/prop/demo/units/get-all", data=body).json()
    assert answer == {"49490520": "PROP_DEMO_USD", "49490521": "PROP_REAL_USD"}


def test_create_gives_a_new_account_number_each_time(simulator: Simulator) -> None:
    first = simulator.ok("accounts/create", **application())
    second = simulator.ok("accounts/create", **application())
    assert first == {"status": "success", "accountNumber": first["accountNumber"]}
    assert second["accountNumber"] == first["accountNumber"] + 1


def test_create_takes_platform_without_the_trailing_space_too(simulator: Simulator) -> None:
    sample = application(platform="ThinkTrader")
    del sample["platform "]
    assert simulator.ok("accounts/create", **sample)["status"] == "success"


def test_account_details_need_no_unit(simulator: Simulator) -> None:
    number = simulator.open_account(enabled=False, funds=1234.5)
    details = simulator.ok("accounts/account-details", accountNumber=number)
    created = details.pop("createdDate")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", created)
    assert details == {
        "accountNumber": number,
        "firstName": "Ada",
        "lastName": "Trader",
        "email": "trader@example.test",
        "group": GROUPS[DEMO],
        "enabled": False,
        "leverage": 100,
        "balance": 1234.5,
    }


def test_accounts_details_are_a_bare_array_of_one_unit(simulator: Simulator) -> None:
    demo, real = simulator.open_account(), simulator.open_account(unit=REAL)
    rows = simulator.ok("accounts/accounts-details", unit=REAL)
    assert real in {row["accountNumber"] for row in rows}
    assert demo not in {row["accountNumber"] for row in rows}
    assert rows[-1] == simulator.ok("accounts/account-details", accountNumber=real)


def test_deposit_and_withdraw_answer_the_new_balance(simulator: Simulator) -> None:
    number = simulator.open_account(funds=0)
    money = {"accountNumber": number, "unit": DEMO, "comment": "x"}
    assert simulator.ok("accounts/deposit", amount=100.1, **money) == {"status": "success", "accountBalance": 100.1}
    assert simulator.ok("accounts/deposit", amount=200.2, **money) == {"status": "success", "accountBalance": 300.3}
    assert simulator.ok("accounts/withdraw", amount=300.3, **money) == {"status": "success", "accountBalance": 0.0}


def test_deposits_reach_disabled_accounts(simulator: Simulator) -> None:
    number = simulator.open_account(enabled=False, funds=50)
    assert simulator.stats(number)["balance"] == 50.0


def test_transfers_are_json_in_a_string_with_eight_decimals(simulator: Simulator) -> None:
    number = simulator.open_account(funds=50)
    simulator.ok("accounts/withdraw", accountNumber=number, unit=DEMO, amount=20.25, comment="fee")
    answer = simulator.ok("accounts/account-transfers", accountNumber=number, unit=DEMO)
    assert set(answer) == {"status", "result"}
    rows = json.loads(answer["result"])
    assert [(row["amount"], row["type"]) for row in rows] == [("50.00000000", "DEPOSIT"), ("20.25000000", "WITHDRAWAL")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{2,3}", row["createdDate"]) for row in rows)


def test_enable_answers_one_text_for_the_whole_batch(simulator: Simulator) -> None:
    numbers = [simulator.open_account(enabled=False), simulator.open_account(enabled=False)]
    answer = simulator.ok("accounts/enable", enable=True, unit=DEMO, accountNumbers=numbers)
    assert answer == {"status": "success", "message": '["Bulk update of trading accounts finished.\\n"]'}
    assert [simulator.state(number)["enabled"] for number in numbers] == [True, True]
    simulator.ok("accounts/enable", enable=False, unit=DEMO, accountNumbers=numbers[:1])
    assert [simulator.state(number)["enabled"] for number in numbers] == [False, True]


def test_stats_of_a_flat_account(simulator: Simulator) -> None:
    number = simulator.open_account()
    assert simulator.stats(number) == {
        "accountNumber": number,
        "balance": 100000.0,
        "equity": 100000.0,
        "margin": 0.0,
        "freeMargin": 100000.0,
        "pnl": 0.0,
    }


def test_stats_of_open_positions_bind_margin(simulator: Simulator) -> None:
    number = with_two_positions(simulator)
    stats = simulator.stats(number)
    assert stats == {
        "accountNumber": number,
        "balance": 100000.0,
        "equity": 99621.02,
        "margin": 75.03,
        "freeMargin": 99545.99,
        "pnl": -378.98,
    }
    assert stats in simulator.ok("accounts/accounts-stats", unit=DEMO)


def test_opened_positions_are_json_in_a_string_and_sold_quantities_negative(simulator: Simulator) -> None:
    number = with_two_positions(simulator)
    answer = simulator.ok("accounts/opened-positions", unit=DEMO)
    assert answer["status"] == "success"
    rows = [row for row in json.loads(answer["result"]) if row["accountId"] == number]
    assert rows == [{"accountId": number, **LOSING_POSITION}, {"accountId": number, **WINNING_POSITION}]


def test_closing_all_positions_makes_the_equity_the_balance(simulator: Simulator) -> None:
    number = with_two_positions(simulator)
    answer = simulator.ok("accounts/close-all-positions", accountNumber=number, unit=DEMO)
    assert answer == {"status": "success", "message": "[]"}
    stats = simulator.stats(number)
    assert (stats["balance"], stats["equity"], stats["margin"], stats["pnl"]) == (99621.02, 99621.02, 0.0, 0.0)


def test_closing_one_position_leaves_the_other(simulator: Simulator) -> None:
    number = with_two_positions(simulator)
    answer = simulator.ok("accounts/close-position", accountNumber=number, unit=DEMO, orderrequestid=1)
    assert answer == {"status": "success", "message": "[]"}
    stats = simulator.stats(number)
    assert (stats["balance"], stats["equity"]) == (99569.53, 99621.02)


def test_closed_positions_by_account_are_one_array_and_by_unit_two(simulator: Simulator) -> None:
    number = with_two_positions(simulator)
    simulator.ok("accounts/close-all-positions", accountNumber=number, unit=DEMO)
    answer = simulator.ok("accounts/account-closed-positions", unit=DEMO, accountNumber=number, **EVER)
    rows = json.loads(answer["message"])
    by_unit = json.loads(simulator.ok("accounts/closed-positions", unit=DEMO, **EVER)["message"])
    assert [row for row in by_unit[0] if row["accountId"] == number] == rows
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", rows[0].pop("closeTimeUTC"))
    assert rows[0] == {
        "accountId": number,
        "tradeId": 1,
        "symbol": "XAUUSD",
        "lots": 0.03,
        "quantity": 3.0,
        "usdQuantity": 6887.28,
        "direction": "buy",
        "openTimeUTC": "2024-05-20 07:32:36",
        "openPrice": 2439.05,
        "closePrice": 2295.56,
        "profitLoss": -430.47,
    }
    assert (rows[1]["direction"], rows[1]["quantity"], rows[1]["profitLoss"]) == ("sell", 0.01, 51.49)


def test_closed_positions_outside_the_period_are_left_out(simulator: Simulator) -> None:
    number = with_two_positions(simulator)
    simulator.ok("accounts/close-all-positions", accountNumber=number, unit=DEMO)
    period = {"from": "2024-02-10T09:39:47", "to": "2024-02-15T09:44:47"}
    assert (
        simulator.ok("accounts/account-closed-positions", unit=DEMO, accountNumber=number, **period)["message"] == "[]"
    )
    assert simulator.ok("accounts/closed-positions", unit=DEMO, **period)["message"] == "[[]]"


def test_password_reset_answers_an_empty_object(simulator: Simulator) -> None:
    number = simulator.open_account()
    assert simulator.ok("accounts/reset-password", accountNumber=number, unit=DEMO, password="Password1!") == {}


@pytest.mark.parametrize("headers", [{"Authorization": KEY}, {"Authorization": f"Bearer {KEY}"}, {"ApiKey": KEY}])
def test_the_key_is_taken_in_three_ways(simulator: Simulator, headers: dict[str, str]) -> None:
    for path in ("cportal/prop/ping", "sim/accounts"):
        assert requests.get(f"{simulator.url}/{path}", headers=headers, timeout=PATIENCE).status_code == 200


def test_concurrent_deposits_all_arrive(simulator: Simulator) -> None:
    number = simulator.open_account(funds=0)

    def deposit(_: int) -> int:
        body = {"accountNumber": number, "unit": DEMO, "amount": 0.1, "comment": ""}
        url = f"{simulator.url}/cportal/prop/demo/accounts/deposit"
        return requests.post(url, json=body, headers={"ApiKey": KEY}, timeout=PATIENCE).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(deposit, range(80))) == {200}
    assert simulator.stats(number)["balance"] == 8.0
    assert len(simulator.state(number)["transfers"]) == 80


def test_latency_delays_broker_calls_and_not_the_control_surface(tmp_path_factory: pytest.TempPathFactory) -> None:
    slow = Simulator(tmp_path_factory.mktemp("slow"), "--latency-ms", "300")
    try:
        started = time.monotonic()
        slow.ok("units/get-all")
        broker = time.monotonic() - started
        control = []
        for _ in range(20):
            started = time.monotonic()
            slow.control("accounts")
            control.append(time.monotonic() - started)
    finally:
        slow.stop()
    assert broker >= 0.3
    # A busy machine delays now and then, a latency always.
    assert min(control) < 0.3
