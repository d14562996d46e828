"""Each fault does what its name says: "before" leaves the account alone, "after" has changed it."""

import time

import pytest
import requests

from tests.brokers.simulator.process import DEMO, Json, Simulator, wait_until


def order(simulator: Simulator, **rule: Json) -> None:
    simulator.control("faults", {"rules": [rule]})


def deposit(simulator: Simulator, number: int, seconds: float = 10) -> requests.Response:
    return simulator.post(
        "accounts/deposit", {"accountNumber": number, "unit": DEMO, "amount": 10, "comment": "x"}, seconds=seconds
    )


def balance(simulator: Simulator, number: int) -> float:
    return float(simulator.state(number)["balance"])


@pytest.fixture
def number(simulator: Simulator) -> int:
    return simulator.open_account(funds=0)


def test_error_before_answers_500_without_an_effect(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="error_before")
    response = deposit(simulator, number)
    assert (response.status_code, response.json()["status"]) == (500, "error")
    assert balance(simulator, number) == 0.0


def test_too_many_requests_says_when_to_come_back(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="too_many_requests", seconds=2.5)
    response = deposit(simulator, number)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")
    assert balance(simulator, number) == 0.0


def test_error_after_answers_500_with_the_effect(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="error_after")
    assert deposit(simulator, number).status_code == 500
    assert balance(simulator, number) == 10.0


def test_drop_after_hangs_up_with_the_effect(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="drop_after")
    with pytest.raises(requests.ConnectionError):
        deposit(simulator, number)
    assert balance(simulator, number) == 10.0


def test_truncate_after_sends_half_a_body_with_the_effect(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="truncate_after")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        deposit(simulator, number)
    assert balance(simulator, number) == 10.0


def test_delay_before_lets_a_caller_time_out_before_the_effect(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="delay_before", seconds=0.4)
    with pytest.raises(requests.Timeout):
        deposit(simulator, number, seconds=0.1)
    assert balance(simulator, number) == 0.0
    wait_until(lambda: balance(simulator, number) == 10.0)


def test_delay_after_lets_a_caller_time_out_after_the_effect(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="delay_after", seconds=0.4)
    with pytest.raises(requests.Timeout):
        deposit(simulator, number, seconds=0.1)
    assert balance(simulator, number) == 10.0


def test_a_delayed_answer_is_the_ordinary_one(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="delay_after", seconds=0.2)
    started = time.monotonic()
    assert deposit(simulator, number).json() == {"status": "success", "accountBalance": 10.0}
    assert time.monotonic() - started >= 0.2


def test_late_effect_answers_504_and_acts_later(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="late_effect", seconds=0.4)
    assert deposit(simulator, number).status_code == 504
    assert balance(simulator, number) == 0.0
    wait_until(lambda: balance(simulator, number) == 10.0)


def test_a_rule_holds_for_its_endpoint_as_often_as_it_says(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="error_before", times=2)
    assert simulator.post("accounts/account-details", {"accountNumber": number}).status_code == 200
    assert [deposit(simulator, number).status_code for _ in range(4)] == [500, 500, 200, 200]
    assert simulator.control("faults") == {
        "rules": [
            {
                "endpoint": "deposit",
                "fault": "error_before",
                "probability": 1.0,
                "times": 2,
                "seconds": 1.0,
                "injected": 2,
            }
        ],
        "injected": 2,
    }


def test_the_dice_repeat_themselves_when_the_same_rules_are_set_again(simulator: Simulator, number: int) -> None:
    def throws() -> list[int]:
        order(simulator, endpoint="deposit", fault="error_before", probability=0.5)
        return [deposit(simulator, number).status_code for _ in range(20)]

    first = throws()
    assert set(first) == {200, 500}
    assert throws() == first


def test_a_star_spares_the_ping_and_the_control_surface(simulator: Simulator) -> None:
    order(simulator, endpoint="*", fault="error_before")
    assert simulator.post("units/get-all").status_code == 500
    assert simulator.session.get(f"{simulator.url}/cportal/prop/ping").status_code == 200
    assert simulator.control("faults")["injected"] == 1


def test_a_wrong_key_is_refused_before_any_fault(simulator: Simulator) -> None:
    order(simulator, endpoint="*", fault="error_after")
    url = f"{simulator.url}/cportal/prop/demo/units/get-all"
    assert requests.post(url, json={}, headers={"ApiKey": "wrong"}, timeout=5).status_code == 401
    assert simulator.control("faults")["injected"] == 0


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"endpoint": "invent", "fault": "error_before"}, "endpoint:"),
        ({"endpoint": "ping", "fault": "error_before"}, "endpoint:"),
        ({"endpoint": "*", "fault": "explode"}, "fault: one of error_before,"),
        ({"endpoint": "*"}, "fault: this field is required."),
        (
            {"endpoint": "*", "fault": "error_before", "probability": 1.1},
            "probability: a number from 0 to 1 is required.",
        ),
        ({"endpoint": "*", "fault": "error_before", "times": -1}, "times:"),
        ({"endpoint": "*", "fault": "error_before", "times": 1.5}, "times:"),
        ({"endpoint": "*", "fault": "delay_after", "seconds": 601}, "seconds: a number from 0 to 600 is required."),
        ({"endpoint": "*", "fault": "error_before", "when": 5}, "Unknown field 'when'."),
    ],
)
def test_wrong_rules_leave_the_present_ones(simulator: Simulator, rule: dict[str, Json], message: str) -> None:
    order(simulator, endpoint="create", fault="error_before")
    before = simulator.control("faults")
    assert simulator.control("faults", {"rules": [rule]}, status=400)["message"].startswith(message)
    assert simulator.control("faults") == before
