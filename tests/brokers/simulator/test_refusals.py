"""What the simulated broker refuses, and that nothing has happened then."""

import socket

import pytest
import requests

from tests.brokers.simulator.process import DEMO, KEY, PATIENCE, REAL, Json, Simulator, application

POST_PATHS = [
    "accounts/create", "accounts/deposit", "accounts/withdraw", "accounts/enable", "accounts/close-all-positions",
    "accounts/close-position", "accounts/closed-positions", "accounts/account-closed-positions",
    "accounts/accounts-details", "accounts/account-details", "accounts/accounts-stats", "accounts/account-stats",
    "accounts/opened-positions", "accounts/account-transfers", "accounts/reset-password", "units/get-all",
]  # fmt: skip
UNKNOWN = 1


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": ""}, {"ApiKey": "wrong"}])
def test_a_wrong_or_missing_key_is_refused_everywhere(simulator: Simulator, headers: dict[str, str]) -> None:
    paths = [f"/cportal/prop/demo/{path}" for path in POST_PATHS] + ["/sim/accounts/1", "/sim/market", "/sim/faults"]
    for path in paths:
        response = requests.post(simulator.url + path, headers=headers, json={}, timeout=PATIENCE)
        assert (response.status_code, response.json()["status"]) == (401, "error"), path
    for path in ("/cportal/prop/ping", "/sim/accounts", "/sim/faults"):
        assert requests.get(simulator.url + path, headers=headers, timeout=PATIENCE).status_code == 401


@pytest.mark.parametrize("path", POST_PATHS)
@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"unit": NaN}', b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(simulator: Simulator, path: str, body: bytes) -> None:
    response = simulator.session.post(f"{simulator.url}/cportal/prop/demo/{path}", data=body)
    assert (response.status_code, response.json()["status"]) == (400, "error")


@pytest.mark.parametrize("path", [path for path in POST_PATHS if path != "units/get-all"])
def test_missing_fields_are_named(simulator: Simulator, path: str) -> None:
    assert "this field is required" in simulator.refused(path)


@pytest.mark.parametrize(
    "password", ["Pass1!x", "password1!", "PASSWORD1!", "Password!!", "Password11", "P1!" + "a" * 28]
)
def test_a_weak_password_is_refused(simulator: Simulator, password: str) -> None:
    before = len(simulator.control("accounts")["accounts"])
    assert simulator.refused("accounts/create", **application(password=password)).startswith("password:")
    assert len(simulator.control("accounts")["accounts"]) == before
    number = simulator.open_account()
    message = simulator.refused("accounts/reset-password", accountNumber=number, unit=DEMO, password=password)
    assert message.startswith("password:")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unit": UNKNOWN}, "Unknown unit 1."),
        ({"group": "49490520:OTHER"}, "Unknown group '49490520:OTHER' in unit 49490520."),
        ({"unit": REAL}, "Unknown group '49490520:PROP_DEMO_USD' in unit 49490521."),
        ({"currency": "EUR"}, "Group '49490520:PROP_DEMO_USD' has currency USD."),
        ({"email": "nobody"}, "email: an e-mail address is required."),
        ({"email": ""}, "email: a non-empty string is required."),
        ({"firstName": "\ud800"}, "firstName: the text is too long or not valid Unicode."),
        ({"enabled": 1}, "enabled: true or false is required."),
        ({"unit": "49490520"}, "unit: an integer is required."),
        ({"platform ": None}, "platform : a non-empty string is required."),
    ],
)
def test_a_wrong_application_opens_nothing(simulator: Simulator, changes: dict[str, Json], message: str) -> None:
    before = len(simulator.control("accounts")["accounts"])
    assert simulator.refused("accounts/create", **application(**changes)) == message
    assert len(simulator.control("accounts")["accounts"]) == before


@pytest.mark.parametrize("amount", [0, -5, 0.004, 1e300, "50", True, None])
@pytest.mark.parametrize("path", ["accounts/deposit", "accounts/withdraw"])
def test_a_wrong_amount_moves_no_money(simulator: Simulator, path: str, amount: Json) -> None:
    number = simulator.open_account(funds=100)
    message = simulator.refused(path, accountNumber=number, unit=DEMO, amount=amount, comment="x")
    assert message.startswith("amount:")
    assert simulator.stats(number)["balance"] == 100.0
    assert len(simulator.state(number)["transfers"]) == 1


def test_a_cent_more_than_the_balance_cannot_be_withdrawn(simulator: Simulator) -> None:
    number = simulator.open_account(unit=REAL, funds=100)
    message = simulator.refused("accounts/withdraw", accountNumber=number, unit=REAL, amount=100.01, comment="x")
    assert message == "Insufficient funds: 100.00 may be withdrawn."
    assert simulator.stats(number, REAL)["balance"] == 100.0


def test_a_floating_loss_and_margin_cannot_be_withdrawn(simulator: Simulator) -> None:
    number = simulator.open_account(funds=1000)
    simulator.control(f"accounts/{number}", {"equity": 700})
    free = simulator.stats(number)["freeMargin"]
    assert 600 < free < 700
    simulator.refused("accounts/withdraw", accountNumber=number, unit=DEMO, amount=free + 0.01, comment="x")
    simulator.ok("accounts/withdraw", accountNumber=number, unit=DEMO, amount=free, comment="x")


def test_a_floating_profit_cannot_be_withdrawn(simulator: Simulator) -> None:
    number = simulator.open_account(funds=1000)
    simulator.control(f"accounts/{number}", {"equity": 2000})
    simulator.refused("accounts/withdraw", accountNumber=number, unit=DEMO, amount=1000.01, comment="x")


@pytest.mark.parametrize("path", POST_PATHS[1:])
def test_unknown_units_and_accounts_are_refused(simulator: Simulator, path: str) -> None:
    if path == "units/get-all":
        return
    body = {
        "amount": 5, "comment": "", "enable": True, "orderrequestid": 1, "password": "Password1!",
        "from": "2024-02-10T09:39:47", "to": "2024-02-11T09:39:47",
    }  # fmt: skip
    number = simulator.open_account()
    strangers = {"accountNumber": UNKNOWN, "accountNumbers": [number, UNKNOWN]}
    if path not in {
        "accounts/closed-positions",
        "accounts/accounts-details",
        "accounts/accounts-stats",
        "accounts/opened-positions",
    }:
        assert simulator.refused(path, unit=DEMO, **strangers, **body) == "Unknown account 1."
    if path != "accounts/account-details":
        known = {"accountNumber": number, "accountNumbers": [number]}
        assert simulator.refused(path, unit=UNKNOWN, **known, **body) == "Unknown unit 1."


def test_an_account_is_unknown_in_another_unit(simulator: Simulator) -> None:
    number = simulator.open_account()
    body = {"accountNumber": number, "unit": REAL}
    assert simulator.refused("accounts/account-stats", **body) == f"Unknown account {number}."
    assert simulator.refused("accounts/deposit", amount=5, comment="", **body) == f"Unknown account {number}."
    assert simulator.stats(number)["balance"] == 100000.0


def test_a_batch_with_an_unknown_account_enables_nobody(simulator: Simulator) -> None:
    number = simulator.open_account(enabled=False)
    simulator.refused("accounts/enable", enable=True, unit=DEMO, accountNumbers=[number, UNKNOWN])
    assert simulator.state(number)["enabled"] is False


def test_an_unknown_position_is_refused(simulator: Simulator) -> None:
    number = simulator.open_account()
    message = simulator.refused("accounts/close-position", accountNumber=number, unit=DEMO, orderrequestid=5)
    assert message == f"Unknown position 5 in account {number}."


@pytest.mark.parametrize(
    ("since", "until"), [("yesterday", "2024-02-10T09:39:47"), ("2024-02-11T00:00:00", "2024-02-10T00:00:00")]
)
def test_a_wrong_period_is_refused(simulator: Simulator, since: str, until: str) -> None:
    assert simulator.refused("accounts/closed-positions", unit=DEMO, **{"from": since, "to": until}).startswith("from:")


def test_unknown_paths_and_methods_answer_in_the_error_shape(simulator: Simulator) -> None:
    unknown = simulator.post("accounts/invent")
    assert (unknown.status_code, unknown.json()) == (404, {"status": "error", "message": "Not Found"})
    wrong = simulator.session.get(f"{simulator.url}/cportal/prop/demo/accounts/create")
    assert (wrong.status_code, wrong.json()) == (405, {"status": "error", "message": "Method Not Allowed"})


def test_a_caller_who_hangs_up_within_the_body_changes_nothing_and_leaves_no_traceback(simulator: Simulator) -> None:
    head = b"POST /cportal/prop/demo/accounts/deposit HTTP/1.1\r\nHost: x\r\nApiKey: %b\r\nContent-Length: 500\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=PATIENCE) as connection:
        connection.sendall(head % KEY.encode())
    assert simulator.ok("units/get-all")


def test_a_huge_body_is_refused(simulator: Simulator) -> None:
    response = simulator.session.post(f"{simulator.url}/cportal/prop/demo/units/get-all", data=b" " * 9_000_000)
    assert (response.status_code, response.json()["status"]) == (413, "error")
