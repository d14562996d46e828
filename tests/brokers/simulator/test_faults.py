"""Each fault does what its name says: "before" leaves the account alone, "after" has changed it."""

import time

import pytest
import requests

from brokers.simulator.past_answers import PastAnswers
from tests.brokers.simulator.process import DEMO, PATIENCE, Json, Simulator, wait_until


def order(simulator: Simulator, **rule: Json) -> None:
    simulator.faults(rule)


def deposit(simulator: Simulator, number: int, seconds: float = PATIENCE) -> requests.Response:
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
    wait_until(lambda: balance(simulator, number) == 10.0)
    # By the simulator's own clock: we may have been too slow to see that nothing had happened yet.
    assert simulator.seconds_until_applied(number) >= 0.39


def test_delay_after_lets_a_caller_time_out_after_the_effect(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="delay_after", seconds=600)
    with pytest.raises(requests.Timeout):
        deposit(simulator, number, seconds=0.1)
    # Ten minutes before its answer.
    wait_until(lambda: balance(simulator, number) == 10.0)


def test_a_delayed_answer_is_the_ordinary_one(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="delay_after", seconds=0.2)
    started = time.monotonic()
    assert deposit(simulator, number).json() == {"status": "success", "accountBalance": 10.0}
    assert time.monotonic() - started >= 0.2


def test_late_effect_answers_504_and_acts_later(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="late_effect", seconds=0.4)
    assert deposit(simulator, number).status_code == 504
    wait_until(lambda: balance(simulator, number) == 10.0)
    assert simulator.seconds_until_applied(number) >= 0.39


def test_late_effects_land_on_demand_in_the_order_of_their_calls(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="late_effect", seconds=600)
    order_of_amounts = [30, 20, 10]
    for amount in order_of_amounts:
        body = {"accountNumber": number, "unit": DEMO, "amount": amount, "comment": "x"}
        assert simulator.post("accounts/deposit", body).status_code == 504
    assert balance(simulator, number) == 0.0

    assert simulator.control("late-effects", {}) == {"landed": 3}

    assert balance(simulator, number) == 60.0
    assert [float(each["amount"]) for each in simulator.state(number)["transfers"]] == order_of_amounts
    assert simulator.control("late-effects", {}) == {"landed": 0}
    simulator.control("late-effects", {"seconds": 1}, status=400)


def test_a_delayed_call_lands_on_demand_when_its_caller_has_left(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="delay_before", seconds=600)
    with pytest.raises(requests.Timeout):
        deposit(simulator, number, seconds=1)
    assert balance(simulator, number) == 0.0
    assert simulator.control("late-effects", {}) == {"landed": 1}
    assert balance(simulator, number) == 10.0


def test_drip_after_sends_a_byte_now_and_then_for_longer_than_any_deadline(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="deposit", fault="drip_after", seconds=0.02)
    body = {"accountNumber": number, "unit": DEMO, "amount": 10, "comment": "x"}
    url = f"{simulator.url}/cportal/prop/demo/accounts/deposit"
    started = time.monotonic()
    with simulator.session.post(url, json=body, timeout=PATIENCE, stream=True) as response:
        assert balance(simulator, number) == 10.0
        # One byte every 20 ms for ten minutes.
        assert (response.status_code, response.headers["Content-Length"]) == (200, "30000")
        assert response.raw.read(15) == b" " * 15
        assert 0.28 <= time.monotonic() - started < 60


def test_what_drips_is_the_ordinary_answer(simulator: Simulator, number: int) -> None:
    # The longest pause makes a single byte last for ten minutes, so that nothing is left to fill up.
    order(simulator, endpoint="reset-password", fault="drip_after", seconds=600)
    body = {"accountNumber": number, "unit": DEMO, "password": "Password1!"}
    url = f"{simulator.url}/cportal/prop/demo/accounts/reset-password"
    with simulator.session.post(url, json=body, timeout=PATIENCE, stream=True) as response:
        assert (response.headers["Content-Length"], response.raw.read(1)) == ("2", b"{")


def test_partial_enable_reaches_half_of_the_accounts_and_says_the_same(simulator: Simulator) -> None:
    numbers = [simulator.open_account(enabled=False, funds=0) for _ in range(3)]
    body = {"enable": True, "unit": DEMO, "accountNumbers": numbers}
    order(simulator, endpoint="enable", fault="partial_enable", times=1)
    finished = {"status": "success", "message": '["Bulk update of trading accounts finished.\\n"]'}
    assert simulator.ok("accounts/enable", **body) == finished
    assert [simulator.state(number)["enabled"] for number in numbers] == [True, False, False]
    assert simulator.ok("accounts/enable", **body) == finished
    assert [simulator.state(number)["enabled"] for number in numbers] == [True, True, True]


def test_partial_enable_of_one_account_reaches_none(simulator: Simulator, number: int) -> None:
    order(simulator, endpoint="enable", fault="partial_enable")
    assert simulator.ok("accounts/enable", enable=False, unit=DEMO, accountNumbers=[number])["status"] == "success"
    assert simulator.state(number)["enabled"] is True


def test_a_stale_read_repeats_an_answer_of_so_many_seconds_ago(simulator: Simulator) -> None:
    order(simulator, endpoint="account-stats", fault="stale_read", seconds=1)
    number, seen = looked_again_within_two_seconds(simulator)
    assert seen == 0.0
    assert balance(simulator, number) == 10.0
    wait_until(lambda: simulator.stats(number)["balance"] == 10.0)


def looked_again_within_two_seconds(simulator: Simulator) -> tuple[int, float]:
    """An account that got 10 USD after it was read, and the balance that is read when the first one is a second old.

    An answer of one to two seconds ago is repeated: whoever looks later than that has to begin anew.
    """
    for _ in range(10):
        number = simulator.open_account(funds=0)
        begun = time.monotonic()
        assert simulator.stats(number)["balance"] == 0.0
        answered = time.monotonic()
        deposit(simulator, number)
        time.sleep(max(0, answered + 1 - time.monotonic()))
        seen = float(simulator.stats(number)["balance"])
        if time.monotonic() < begun + 2:
            return number, seen
    raise AssertionError("this machine is never quick enough")


def test_without_an_answer_to_the_same_request_a_read_is_not_stale(simulator: Simulator, number: int) -> None:
    other = simulator.open_account(funds=50)
    order(simulator, endpoint="account-stats", fault="stale_read", seconds=0.05)
    assert simulator.stats(other)["balance"] == 50.0
    time.sleep(0.06)
    assert simulator.stats(number)["balance"] == 0.0


def test_no_answer_is_repeated_after_twice_the_seconds() -> None:
    past = PastAnswers()
    key = ("account-stats", b"{}")
    past.keep(key, b"first", age=5, now=100)
    past.keep(key, b"second", age=5, now=103)
    assert [past.recall(key, age=5, now=now) for now in (104, 105, 107, 108, 113, 114)] == [
        None, b"first", b"first", b"second", b"second", None,
    ]  # fmt: skip


def test_past_answers_are_bounded() -> None:
    past = PastAnswers(largest=10)
    for number in range(3):
        past.keep(("account-stats", bytes([number])), b"12345", age=5, now=100)
    assert [past.recall(("account-stats", bytes([number])), age=5, now=105) for number in range(3)] == [
        None, b"12345", b"12345",
    ]  # fmt: skip


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
    assert requests.post(url, json={}, headers={"ApiKey": "wrong"}, timeout=PATIENCE).status_code == 401
    assert simulator.control("faults")["injected"] == 0


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"endpoint": "invent", "fault": "error_before"}, "endpoint:"),
        ({"endpoint": "ping", "fault": "error_before"}, "endpoint:"),
        ({"endpoint": "*", "fault": "explode"}, "fault: one of error_before,"),
        ({"endpoint": "create", "fault": "stale_read"}, "fault: stale_read cannot happen at create."),
        ({"endpoint": "reads", "fault": "partial_enable"}, "fault: partial_enable cannot happen at reads."),
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
