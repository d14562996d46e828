"""What the contract is held against: every adapter of `Broker`, each before something that behaves like its broker.

A second platform joins by one more entry in `ADAPTERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from brokers.client.base import Broker, NewAccount
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.client.transport import Transport
from tests.simulator import DEMO_UNIT, PASSWORD, Simulator


@dataclass(frozen=True)
class Bench:
    """An adapter, the unit it works in, and a hand at the broker itself to arrange things with."""

    broker: Broker
    unit: int
    group: str
    hand: Simulator

    def new(self, email: str = "p-1@accounts.example", *, is_enabled: bool = False) -> NewAccount:
        return NewAccount(
            unit=self.unit, group=self.group, email=email, first_name="Tilda", last_name="Trader", currency="USD",
            password=PASSWORD, is_enabled=is_enabled,
        )  # fmt: skip

    def opened(self, email: str = "p-1@accounts.example", *, is_enabled: bool = False) -> int:
        return self.broker.create_account(self.new(email, is_enabled=is_enabled))


def thinkmarkets(simulator: Simulator) -> Bench:
    transport = Transport(base_url=simulator.base_url, key_header="Authorization", key=simulator.api_key, deadline=20)
    return Bench(ThinkMarkets(transport), DEMO_UNIT, f"{DEMO_UNIT}:{simulator.units[DEMO_UNIT]}", simulator)


ADAPTERS: dict[str, Callable[[Simulator], Bench]] = {"thinkmarkets": thinkmarkets}


@pytest.fixture(params=ADAPTERS.values(), ids=list(ADAPTERS))
def bench(request: pytest.FixtureRequest, simulator: Simulator) -> Bench:
    made: Bench = request.param(simulator)
    return made
