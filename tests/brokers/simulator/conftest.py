from collections.abc import Iterator

import pytest

from tests.brokers.simulator.process import Simulator


@pytest.fixture(scope="session")
def still_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("still"))
    simulator.control("market", {"running": False})
    yield simulator
    code, errors = simulator.stop()
    assert (code, errors) == (0, "")


@pytest.fixture
def simulator(still_simulator: Simulator) -> Simulator:
    """A simulator whose market stands still and that injects no faults; its accounts are shared by all tests."""
    still_simulator.control("faults", {"rules": []})
    return still_simulator


@pytest.fixture(scope="module")
def busy_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator whose market runs two hundred times as fast as the clock."""
    simulator = Simulator(tmp_path_factory.mktemp("busy"), "--tick-seconds", "0.005", "--seed", "7")
    yield simulator
    code, errors = simulator.stop()
    assert (code, errors) == (0, "")
