"""The control surface sets figures exactly as asked, and a frozen account still obeys the broker's calls."""

import pytest

from tests.brokers.simulator.process import DEMO, GROUPS, Json, Simulator

POSITION = {
    "positionId": 77,
    "symbol": "GBPUSD",
    "lots": 0.5,
    "quantity": -50000.0,
    "usdQuantity": -63500.0,
    "direction": "Sell",
    "openTime": 1716190353400,
    "openPrice": 1.27,
    "realTimePL": -250.5,
}


def test_an_account_shows_everything_about_itself(simulator: Simulator) -> None:
    number = simulator.open_account(funds=50)
    row = simulator.state(number)
    transfer = row["transfers"][0]
    assert row == {
        "accountNumber": number,
        "unit": DEMO,
        "group": GROUPS[DEMO],
        "email": "trader@example.test",
        "enabled": True,
        "balance": 50.0,
        "equity": 50.0,
        "frozen": False,
        "trades": True,
        "positions": [],
        "transfers": [transfer],
    }
    assert {**transfer, "createdDate": ""} == {
        "amount": "50.00000000", "createdDate": "", "type": "DEPOSIT", "comment": "initial",
    }  # fmt: skip


def test_equity_alone_keeps_the_balance_and_opens_the_difference(simulator: Simulator) -> None:
    number = simulator.open_account()
    row = simulator.control(f"accounts/{number}", {"equity": 94999.99})
    assert (row["balance"], row["equity"], row["frozen"]) == (100000.0, 94999.99, True)
    assert [position["realTimePL"] for position in row["positions"]] == [-5000.01]
    assert row == simulator.state(number)
    stats = simulator.stats(number)
    assert (stats["equity"], stats["pnl"]) == (94999.99, -5000.01)
    assert 0 < stats["margin"] < 20


def test_a_new_equity_replaces_the_position_of_the_last_one(simulator: Simulator) -> None:
    number = simulator.open_account()
    simulator.control(f"accounts/{number}", {"equity": 95000})
    row = simulator.control(f"accounts/{number}", {"equity": 110000})
    assert [position["realTimePL"] for position in row["positions"]] == [10000.0]
    assert simulator.control(f"accounts/{number}", {"equity": 100000})["positions"] == []


def test_balance_alone_keeps_the_positions(simulator: Simulator) -> None:
    flat = simulator.control(f"accounts/{simulator.open_account()}", {"balance": 110000})
    assert (flat["balance"], flat["equity"], flat["positions"], flat["frozen"]) == (110000.0, 110000.0, [], True)
    number = simulator.open_account()
    simulator.control(f"accounts/{number}", {"equity": 99000})
    row = simulator.control(f"accounts/{number}", {"balance": 50000})
    assert (row["balance"], row["equity"]) == (50000.0, 49000.0)


def test_balance_and_equity_together(simulator: Simulator) -> None:
    row = simulator.control(f"accounts/{simulator.open_account()}", {"balance": 108000, "equity": 107000.25})
    assert (row["balance"], row["equity"]) == (108000.0, 107000.25)
    assert [position["realTimePL"] for position in row["positions"]] == [-999.75]


def test_given_positions_are_taken_as_they_are(simulator: Simulator) -> None:
    number = simulator.open_account()
    row = simulator.control(f"accounts/{number}", {"positions": [POSITION]})
    assert row["positions"] == [{"accountId": number, **POSITION}]
    assert (row["balance"], row["equity"], row["frozen"]) == (100000.0, 99749.5, True)
    row = simulator.control(f"accounts/{number}", {"positions": []})
    assert (row["equity"], row["positions"]) == (100000.0, [])


def test_a_position_may_leave_everything_out(simulator: Simulator) -> None:
    number = simulator.open_account()
    (position,) = simulator.control(f"accounts/{number}", {"positions": [{"symbol": "NEWCOIN", "quantity": -2}]})[
        "positions"
    ]
    assert (position["symbol"], position["quantity"], position["direction"]) == ("NEWCOIN", -2.0, "Sell")
    assert (position["realTimePL"], position["accountId"]) == (0.0, number)
    assert simulator.stats(number)["margin"] > 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"equity": 95000, "positions": []}, "equity: must be the balance plus"),
        ({"balance": 90000, "equity": 95000, "positions": [POSITION]}, "equity: must be the balance plus"),
        ({"equity": "95000"}, "equity: a number is required."),
        ({"equity": None}, "equity: a number is required."),
        ({"frozen": "yes"}, "frozen: true or false is required."),
        ({"positions": {}}, "positions: an array is required."),
        ({"positions": [5]}, "positions: each must be a JSON object."),
        ({"positions": [{"ticket": 5}]}, "Unknown field 'ticket'."),
        ({"positions": [{**POSITION, "direction": "Buy"}]}, 'direction: "Buy" or "Sell" is required'),
        ({"positions": [{**POSITION, "accountId": 1}]}, "accountId: must be the account's own number."),
        ({"positions": [POSITION, POSITION]}, "positions: each positionId may occur once."),
        ({"positions": [{"openTime": 10**15}]}, "openTime: milliseconds since 1970 are required."),
        ({"margin": 5}, "Unknown field 'margin'."),
    ],
)
def test_a_refused_request_changes_nothing(simulator: Simulator, body: dict[str, Json], message: str) -> None:
    number = simulator.open_account()
    before = simulator.state(number)
    answer = simulator.control(
        f"accounts/{number}", {"balance": 1, **body} if "balance" not in body else body, status=400
    )
    assert answer["status"] == "error"
    assert answer["message"].startswith(message)
    assert simulator.state(number) == before


def test_an_unknown_account_is_not_found(simulator: Simulator) -> None:
    assert simulator.control("accounts/1", {"equity": 5}, status=404) == {
        "status": "error",
        "message": "Unknown account 1.",
    }


def test_a_frozen_account_still_obeys_the_broker(simulator: Simulator) -> None:
    number = simulator.open_account()
    simulator.control(f"accounts/{number}", {"equity": 95000})
    simulator.ok("accounts/deposit", accountNumber=number, unit=DEMO, amount=1000, comment="more")
    row = simulator.state(number)
    assert (row["balance"], row["equity"]) == (101000.0, 96000.0)
    simulator.ok("accounts/withdraw", accountNumber=number, unit=DEMO, amount=500, comment="less")
    simulator.ok("accounts/enable", enable=False, unit=DEMO, accountNumbers=[number])
    simulator.ok("accounts/close-all-positions", accountNumber=number, unit=DEMO)
    row = simulator.state(number)
    assert (row["balance"], row["equity"], row["positions"]) == (95500.0, 95500.0, [])
    assert (row["enabled"], row["frozen"]) == (False, True)


def test_frozen_alone_freezes_and_releases(simulator: Simulator) -> None:
    number = simulator.open_account()
    assert simulator.control(f"accounts/{number}", {"frozen": True})["frozen"] is True
    assert simulator.control(f"accounts/{number}", {"frozen": False})["frozen"] is False
    row = simulator.control(f"accounts/{number}", {"equity": 99000, "frozen": False})
    assert (row["frozen"], row["equity"]) == (False, 99000.0)


def test_the_market_says_whether_it_runs(simulator: Simulator) -> None:
    answer = simulator.control("market", {"running": False})
    assert answer["running"] is False
    assert simulator.control("market") == answer
    assert (
        simulator.control("market", {"running": "no"}, status=400)["message"] == "running: true or false is required."
    )


def test_many_accounts_are_opened_at_once(simulator: Simulator) -> None:
    body = {"unit": DEMO, "count": 3, "email": "load-{}@example.test", "enabled": False, "deposits": [50, 0.25]}
    numbers = simulator.control("accounts", body)["accountNumbers"]
    assert len(set(numbers)) == 3
    assert [simulator.state(number)["email"] for number in numbers] == [f"load-{n}@example.test" for n in (1, 2, 3)]
    row = simulator.state(numbers[2])
    assert (row["balance"], row["enabled"], row["group"]) == (50.25, False, GROUPS[DEMO])
    assert [transfer["amount"] for transfer in row["transfers"]] == ["50.00000000", "0.25000000"]
    assert simulator.calls(numbers[0]) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"count": 0}, "count: 1 to 100000 accounts can be opened at once."),
        ({"unit": 7}, "Unknown unit 7."),
        ({"deposits": [10, 0]}, "deposits: a positive amount is required."),
        ({"deposits": 10}, "deposits: an array of amounts is required."),
    ],
)
def test_many_accounts_are_refused_as_a_whole(simulator: Simulator, change: Json, told: str) -> None:
    before = len(simulator.control("accounts")["accounts"])
    body = {"unit": DEMO, "count": 3, "email": "no-{}@example.test", "enabled": True, "deposits": [], **change}
    assert simulator.control("accounts", body, status=400)["message"] == told
    assert len(simulator.control("accounts")["accounts"]) == before
