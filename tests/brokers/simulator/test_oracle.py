"""The oracle tells what really happened, whatever the caller was told."""

import json
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from brokers.simulator.accounts import DEFAULT_UNITS, Account
from brokers.simulator.calls import Call
from brokers.simulator.fields import Fields
from brokers.simulator.store import Store
from tests.brokers.simulator.process import DEMO, PATIENCE, REAL, Simulator, application

MONEY = {"unit": DEMO, "amount": 10.5, "comment": "op-7"}
TOLD = {
    "endpoint": "deposit", "fault": None, "unit": DEMO, "email": None, "amount": 10.5, "comment": "op-7",
    "enable": None, "position": None,
}  # fmt: skip


@pytest.fixture
def number(simulator: Simulator) -> int:
    return simulator.open_account(funds=0)


def test_a_creation_is_told_with_its_email_and_the_new_account(simulator: Simulator) -> None:
    simulator.faults({"endpoint": "create", "fault": "error_after", "times": 1})
    email = "p-1.0@accounts.example"
    assert simulator.post("accounts/create", application(email=email)).status_code == 500
    second = simulator.ok("accounts/create", **application(email=email))["accountNumber"]
    oracle = simulator.oracle()
    assert oracle["created"][email] == [second - 1, second]
    told = oracle["calls"][-2:]
    assert [(call["endpoint"], call["email"], call["fault"], call["appliedTo"]) for call in told] == [
        ("create", email, "error_after", [second - 1]),
        ("create", email, None, [second]),
    ]
    assert "Password1!" not in json.dumps(oracle)


def test_money_is_told_with_amount_and_comment(simulator: Simulator, number: int) -> None:
    simulator.faults({"endpoint": "deposit", "fault": "drop_after", "times": 1})
    with pytest.raises(requests.ConnectionError):
        simulator.post("accounts/deposit", {"accountNumber": number, **MONEY})
    simulator.ok("accounts/withdraw", accountNumber=number, **{**MONEY, "amount": 4})
    simulator.refused("accounts/withdraw", accountNumber=number, **MONEY)
    told = {**TOLD, "accounts": [number]}
    told_calls = simulator.calls(number)
    for call in told_calls:
        del call["id"], call["receivedAt"], call["appliedAt"]
    assert told_calls == [
        {**told, "fault": "drop_after", "applied": True, "appliedTo": [number]},
        {**told, "endpoint": "withdraw", "amount": 4.0, "applied": True, "appliedTo": [number]},
        {**told, "endpoint": "withdraw", "applied": False, "appliedTo": []},
    ]
    assert simulator.oracle()["accounts"][-1] == {
        "accountNumber": number, "unit": DEMO, "email": "trader@example.test", "enabled": True, "balance": 6.5,
        "deposits": 10.5, "withdrawals": 4.0, "positions": 0,
    }  # fmt: skip


def test_a_call_that_never_took_effect_is_told_so(simulator: Simulator, number: int) -> None:
    simulator.faults({"endpoint": "deposit", "fault": "error_before"})
    assert simulator.post("accounts/deposit", {"accountNumber": number, **MONEY}).status_code == 500
    (call,) = simulator.calls(number)
    assert (call["fault"], call["applied"], call["appliedAt"]) == ("error_before", False, None)


def test_a_late_effect_is_told_once_it_is_there(simulator: Simulator, number: int) -> None:
    simulator.faults({"endpoint": "deposit", "fault": "late_effect", "seconds": 600})
    assert simulator.post("accounts/deposit", {"accountNumber": number, **MONEY}).status_code == 504
    assert [call["applied"] for call in simulator.calls(number)] == [False]
    simulator.control("late-effects", {})
    (call,) = simulator.calls(number)
    assert call["applied"] is True
    assert call["receivedAt"] < call["appliedAt"]


def test_a_partial_enable_is_told_with_the_accounts_it_reached(simulator: Simulator, number: int) -> None:
    other = simulator.open_account(funds=0)
    simulator.faults({"endpoint": "enable", "fault": "partial_enable"})
    simulator.ok("accounts/enable", enable=False, unit=DEMO, accountNumbers=[number, other])
    (call,) = simulator.calls(other)
    assert (call["accounts"], call["enable"]) == ([number, other], False)
    assert (call["applied"], call["appliedTo"]) == (True, [number])


def test_closings_and_password_resets_are_told_and_reads_are_not(simulator: Simulator, number: int) -> None:
    simulator.control(f"accounts/{number}", {"positions": [{"positionId": 5}, {"positionId": 6}, {"positionId": 7}]})
    assert simulator.oracle()["accounts"][-1]["positions"] == 3
    account = {"accountNumber": number, "unit": DEMO}
    simulator.ok("accounts/close-position", **account, orderrequestid=5)
    simulator.ok("accounts/close-all-positions", **account)
    simulator.ok("accounts/reset-password", **account, password="Password1!")
    simulator.stats(number)
    assert [(call["endpoint"], call["position"], call["appliedTo"]) for call in simulator.calls(number)] == [
        ("close-position", 5, [number]),
        ("close-all-positions", None, [number]),
        ("reset-password", None, [number]),
    ]
    assert simulator.oracle()["accounts"][-1]["positions"] == 0


def test_requests_of_any_kind_are_taken_down(simulator: Simulator) -> None:
    url = f"{simulator.url}/cportal/prop/demo/accounts/deposit"
    before = simulator.oracle()["calls"]
    for wrong in (b"", b"nonsense", b"[]", b'{"accountNumber":"5","comment":"\\ud800","amount":null}'):
        assert simulator.session.post(url, data=wrong).status_code == 400
    told = simulator.oracle()["calls"][len(before) :]
    assert [(call["endpoint"], call["accounts"], call["comment"]) for call in told] == [
        ("deposit", [], ""), ("deposit", [], ""), ("deposit", [], ""), ("deposit", [], None),
    ]  # fmt: skip
    assert [call["applied"] for call in told] == [False] * 4


def test_a_wrong_path_method_or_key_is_no_call(simulator: Simulator) -> None:
    before = simulator.oracle()
    url = f"{simulator.url}/cportal/prop/demo"
    assert simulator.post("units/deposit").status_code == 404
    assert simulator.session.get(f"{url}/accounts/deposit").status_code == 405
    assert requests.post(f"{url}/accounts/deposit", headers={"ApiKey": "wrong"}, timeout=PATIENCE).status_code == 401
    assert simulator.oracle() == before


def test_injected_faults_are_counted_for_good(simulator: Simulator, number: int) -> None:
    def count(fault: str) -> int:
        return int(simulator.oracle()["faults"].get(fault, 0))

    before = count("null_balance"), count("error_before")
    simulator.faults({"endpoint": "account-stats", "fault": "null_balance"})
    simulator.stats(number)
    simulator.stats(number)
    simulator.faults()
    assert simulator.control("faults") == {"rules": [], "injected": 0}
    assert (count("null_balance"), count("error_before")) == (before[0] + 2, before[1])


def test_an_effect_and_its_note_are_saved_together_or_not_at_all(tmp_path: Path) -> None:
    store, now = Store(tmp_path / "state.sqlite3"), datetime.now(UTC)
    account = Account(1, DEFAULT_UNITS[0], "a@b.example", "Ada", "Trader", "ER", "ThinkTrader", now, enabled=True)
    call = Call.read(1, "create", Fields({}), fault=None, now=now)
    call.accounts.append(object())  # type: ignore[arg-type]  # what no file can hold
    with pytest.raises(TypeError):
        store.save([account], calls=[call])
    assert store.accounts(DEFAULT_UNITS) == []
    call.accounts.clear()
    store.save([account], calls=[call])
    assert ([saved.number for saved in store.accounts(DEFAULT_UNITS)], store.last_call_id()) == ([1], 1)


def test_the_oracle_survives_sigkill(tmp_path: Path) -> None:
    first = Simulator(tmp_path)
    number = first.open_account(unit=REAL, funds=10)
    first.faults({"endpoint": "deposit", "fault": "late_effect", "seconds": 60})
    first.post("accounts/deposit", {"accountNumber": number, "unit": REAL, "amount": 5, "comment": "lost"})
    before = first.oracle()
    first.stop(signal.SIGKILL)

    second = Simulator(tmp_path)
    try:
        assert second.oracle() == before
        assert [(call["id"], call["applied"]) for call in before["calls"]] == [(1, True), (2, True), (3, False)]
        second.faults()
        second.open_account(funds=0)
        assert [call["id"] for call in second.oracle()["calls"]] == [1, 2, 3, 4]
    finally:
        second.stop()
