"""A mix of faults: at what share of the calls, which ones, and the same again for the same seed."""

from pathlib import Path

import pytest
import requests

from brokers.simulator.faults import GROUPS, Faults, Rule, open_faults
from brokers.simulator.injections import FAULTS
from brokers.simulator.store import Store
from tests.brokers.simulator.process import DEMO, REAL, Json, Simulator, options, wait_until


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state.sqlite3")


def injected(store: Store, *rules: Rule, endpoint: str, seed: int = 1, times: int = 400) -> list[str | None]:
    faults = Faults(store=store, seed=seed)
    faults.replace(rules)
    orders = [faults.choose(endpoint) for _ in range(times)]
    return [order.fault if order else None for order in orders]


def test_a_mix_holds_every_fault_that_makes_sense_at_the_endpoint(store: Store) -> None:
    always = Rule("*", "mix")
    everywhere = {
        "error_before", "too_many_requests", "delay_before", "delay_after", "error_after", "drop_after",
        "truncate_after", "drip_after", "late_effect", "string_json",
    }  # fmt: skip
    balance = {"numbers_as_strings", "null_balance", "nan_balance"}
    rows = {"printed_form", "duplicate_rows", "conflicting_rows", "missing_rows", "stale_read"}
    assert set(injected(store, always, endpoint="create")) == everywhere | {"numbers_as_strings"}
    assert set(injected(store, always, endpoint="deposit")) == everywhere | balance | {"wrong_balance"}
    assert set(injected(store, always, endpoint="enable")) == everywhere | {"partial_enable"}
    assert set(injected(store, always, endpoint="close-position")) == everywhere
    assert set(injected(store, always, endpoint="account-stats")) == everywhere | balance | {"stale_read"}
    assert set(injected(store, always, endpoint="accounts-details")) == everywhere | balance | rows


def test_every_fault_makes_sense_somewhere() -> None:
    assert {name for name, fault in FAULTS.items() if not fault.endpoints & GROUPS["*"]} == set()
    assert GROUPS["writes"] | GROUPS["reads"] == GROUPS["*"]
    assert (len(GROUPS["writes"]), len(GROUPS["reads"])) == (7, 9)


def test_a_mix_is_injected_at_its_share_of_the_calls(store: Store) -> None:
    hits = [fault for fault in injected(store, Rule("writes", "mix", 0.3), endpoint="deposit", times=2000) if fault]
    assert 0.26 < len(hits) / 2000 < 0.34
    assert set(injected(store, Rule("writes", "mix"), endpoint="account-stats")) == {None}
    assert set(injected(store, Rule("reads", "mix"), endpoint="deposit")) == {None}


def test_one_seed_injects_one_sequence(store: Store) -> None:
    rule = Rule("writes", "mix", 0.5)
    first = injected(store, rule, endpoint="deposit", seed=4)
    assert injected(store, rule, endpoint="deposit", seed=4) == first
    assert injected(store, rule, endpoint="deposit", seed=5) != first


def test_the_command_line_orders_a_mix_which_the_control_surface_ends(tmp_path: Path) -> None:
    mix = ("--fault-rate", "1", "--read-fault-rate", "0.25", "--fault-seconds", "0.5", "--fault-seed", "9")
    simulator = Simulator(tmp_path, *mix)
    try:
        assert simulator.control("faults")["rules"] == [
            {"endpoint": "writes", "fault": "mix", "probability": 1.0, "times": None, "seconds": 0.5, "injected": 0},
            {"endpoint": "reads", "fault": "mix", "probability": 0.25, "times": None, "seconds": 0.5, "injected": 0},
        ]
        # The dice of this seed start with the same fault in every process.
        first = fault_seen(simulator)
        simulator.faults()
        assert simulator.open_account(unit=REAL)
        assert simulator.oracle()["calls"][-1]["fault"] is None
    finally:
        simulator.stop()
    again = Simulator(tmp_path, *mix)
    try:
        assert fault_seen(again) == first
    finally:
        again.stop()


def fault_seen(simulator: Simulator) -> str:
    """The fault that one withdrawal from an unknown account meets."""
    body = {"accountNumber": 1, "unit": DEMO, "amount": 1, "comment": ""}
    before = len(simulator.oracle()["calls"])
    try:
        simulator.post("accounts/withdraw", body, seconds=0.2)
    except requests.RequestException:
        simulator.session.close()
    # We may have given up before the simulator so much as looked at it.
    wait_until(lambda: len(simulator.oracle()["calls"]) > before)
    return str(simulator.oracle()["calls"][before]["fault"])


def test_without_fault_options_the_rules_of_the_last_run_stay(store: Store) -> None:
    def probabilities(*arguments: str) -> list[float]:
        report: Json = open_faults(options(*arguments), store).report()
        return [rule["probability"] for rule in report["rules"]]

    assert probabilities("--fault-rate", "0.5") == [0.5]
    assert probabilities() == [0.5]
    assert probabilities("--read-fault-rate", "0.1") == [0.1]
    assert probabilities("--fault-rate", "0") == []


def test_the_faults_have_the_seed_of_the_prices_unless_they_get_their_own(store: Store) -> None:
    def first_faults(*arguments: str) -> list[str]:
        faults = open_faults(options("--fault-rate", "1", *arguments), store)
        return [order.fault for order in map(faults.choose, ["deposit"] * 20) if order]

    assert first_faults("--seed", "3") == first_faults("--fault-seed", "3")
    assert first_faults("--seed", "3") != first_faults("--seed", "3", "--fault-seed", "4")
