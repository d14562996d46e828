"""A worker is killed at every named place of a refund's way; another one finishes it, and the money goes back once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from challenges.services.invariants import find_violations
from propdesk.lib import crash
from propdesk.lib.times import utc_now
from purchases.models import Purchase
from purchases.services import advance_purchase
from tests.brokers.driving import fault
from tests.chaos.crashing import killed_at, places
from tests.purchases.refunds import REFUNDED, bought_at_broker, created, failed, has_status, opening, refund
from tests.purchases.rooms import Later, Shop, advance_until
from tests.simulator import Simulator

__all__ = ["places"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """From where a refund sets out, and what the broker does to it."""

    name: str
    stand: Callable[[Shop, Simulator], Purchase]
    faults: tuple[dict[str, Any], ...] = ()
    # The least that must have been passed, lest a scenario quietly becomes a shorter one.
    passes: tuple[str, ...] = ()


SCENARIOS = (
    Scenario(
        "no account was opened",
        failed,
        passes=("before purchase failed", "after brokeroperation deposit done", "after purchase refunded"),
    ),
    Scenario(
        "the account is ready",
        created,
        passes=("after brokeroperation disable done", "before call close-all-positions"),
    ),
    Scenario(
        "the account is being enabled",
        opening,
        passes=("after accountorder opening", "before accountorder cancelled", "after brokeroperation disable done"),
    ),
    Scenario(
        "the answer to the deposit is lost",
        failed,
        (fault("deposit", "error_after"),),
        passes=("before brokeroperation deposit in doubt",),
    ),
    Scenario(
        "the deposit comes to nothing at first",
        failed,
        (fault("deposit", "error_before"),),
        passes=("after brokeroperation deposit intended", "after call deposit"),
    ),
)


@pytest.fixture
def shop(shop: Shop, simulator: Simulator) -> Shop:
    """The shop's customer pays for many purchases here."""
    unit, login = shop.payer.account.group.unit, shop.payer.account.login
    simulator.post("accounts/deposit", {"accountNumber": login, "unit": unit, "amount": 90_000, "comment": "more"})
    return shop


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_whoever_dies_wherever_the_money_goes_back_once(
    scenario: Scenario, shop: Shop, simulator: Simulator, places: list[str], monkeypatch: pytest.MonkeyPatch
):
    known: set[str] = set()
    for shorter in SCENARIOS[: SCENARIOS.index(scenario)]:
        known |= set(passed(shorter, shop, simulator, places))
    passes = passed(scenario, shop, simulator, places)
    assert set(scenario.passes) <= set(passes)
    # A way is cut at the places that no scenario before it passes; a troubled one at the troubled call as well.
    names = [name for name in passes if name not in known or (scenario.faults and name.endswith("call deposit"))]
    monkeypatch.undo()
    crash.arm("")

    for name in names:
        purchase = begun(scenario, shop, simulator)
        assert killed_at(name, partial(journey, purchase, Later())), name
        later = Later()
        later.ahead = timedelta(minutes=3)
        journey(purchase, later)
        assert_refunded_once(purchase, shop, simulator, name)
    assert find_violations(now=utc_now() + timedelta(hours=1), grace=timedelta(0)) == []
    assert simulator.account(shop.payer.account.login)["balance"] == 100_000.0


def passed(scenario: Scenario, shop: Shop, simulator: Simulator, places: list[str]) -> list[str]:
    """The places of one journey from there, each once."""
    purchase = begun(scenario, shop, simulator)
    places.clear()
    journey(purchase, Later())
    return list(dict.fromkeys(places))


def begun(scenario: Scenario, shop: Shop, simulator: Simulator) -> Purchase:
    purchase = scenario.stand(shop, simulator)
    simulator.faults(*scenario.faults)
    return purchase


def journey(purchase: Purchase, clock: Later) -> None:
    """Ask, unless that is done, and go on from wherever an earlier worker left off until the money is back."""
    refund(purchase, now=clock())
    advance_until(purchase, has_status(REFUNDED), clock=clock, most=300)


def assert_refunded_once(purchase: Purchase, shop: Shop, simulator: Simulator, place: str) -> None:
    transfers = simulator.account(shop.payer.account.login)["transfers"]
    ours = [each["comment"] for each in transfers if each["comment"] == f"Refund of purchase {purchase.pk}"]
    assert len(ours) == 1, place
    assert all(state == (False, 0) for state in bought_at_broker(simulator, purchase)), place
    again = advance_purchase(purchase_id=purchase.pk, clock=utc_now)
    assert (again.status, again.payment_status, again.review_reason) == (REFUNDED, "refunded", ""), place
