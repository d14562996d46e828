"""A worker is killed at every named place there is; another one finishes the work, once and exactly."""

from datetime import timedelta
from functools import partial

import pytest

from brokers.models import AccountGroup, AccountOrder
from challenges.services.invariants import Violation, find_violations
from propdesk.lib.times import utc_now
from purchases.models import Purchase
from tests.challenges.firm import Clock, Firm
from tests.chaos import scenes_firm, scenes_operations, scenes_orders
from tests.chaos.crashing import Scene, Stage, assert_exactly_once, killed_at
from tests.chaos.places import HIT_IN, NAMERS, UNREACHABLE, every_place, modules_that_name_places
from tests.chaos.plan import PLACES
from tests.chaos.world import ROOT
from tests.purchases.rooms import Shop
from tests.simulator import Simulator

SCENES = (*scenes_orders.SCENES, *scenes_operations.SCENES, *scenes_firm.SCENES)
HIT = {cut.partition(":")[0] for scene in SCENES for cut in scene.cuts}


@pytest.fixture
def stage(simulator: Simulator, demo_group: AccountGroup, real_group: AccountGroup, shop: Shop) -> Stage:
    """The shop's customer pays for many purchases here."""
    unit, login = shop.payer.account.group.unit, shop.payer.account.login
    simulator.post("accounts/deposit", {"accountNumber": login, "unit": unit, "amount": 990_000, "comment": "more"})
    firm = Firm(simulator=simulator, demo=demo_group, real=real_group, clock=Clock(utc_now()))
    return Stage(simulator=simulator, demo=demo_group, real=real_group, shop=shop, firm=firm)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_whoever_dies_wherever_another_finishes_exactly_once(scene: Scene, stage: Stage):
    for number, place in enumerate(scene.cuts):
        subject = scene.prepare(stage, f"{scene.name} {number}")
        assert killed_at(place, partial(scene.act, stage, subject)), f"{place}: nobody passed it"
        scene.act(stage, subject)
        stage.simulator.faults()
        try:
            scene.check(stage, subject)
            assert_exactly_once(stage)
        except AssertionError as error:
            raise AssertionError(f"killed {place}: {error}") from error
    found = find_violations(now=utc_now() + timedelta(hours=2), grace=timedelta(0))
    assert [each for each in found if not _is_made_up(each)] == []


def _is_made_up(violation: Violation) -> bool:
    """The challenges of a `Firm` begin with orders and purchases that are written as if they were over."""
    return violation.invariant in {"I4", "I10"} and (
        AccountOrder.objects.filter(pk=violation.row_id, reference__startswith="test:").exists()
        or Purchase.objects.filter(pk=violation.row_id, kind=Purchase.Kind.GRANT).exists()
    )


def test_a_process_dies_at_its_place_at_the_time_it_was_told(shop: Shop):
    assert killed_at("after purchase pending:2", lambda: (shop.buy(key="a"), shop.buy(key="b"), shop.buy(key="c")))
    assert list(Purchase.objects.order_by("id").values_list("idempotency_key", flat=True)) == ["a", "b"]


def test_every_place_is_hit_or_known_to_be_out_of_reach():
    ours = every_place() - set(UNREACHABLE) - set(HIT_IN)
    both_sides = {f"{side} {place}" for place in ours for side in ("before", "after")}
    assert sorted(both_sides - HIT) == []
    assert sorted(HIT - both_sides) == []


def test_what_is_out_of_reach_is_a_place():
    assert set(UNREACHABLE) <= every_place()


def test_what_others_hit_they_name():
    for place, test in HIT_IN.items():
        assert f"after {place}" in (ROOT / test).read_text()


def test_the_chaos_run_kills_at_places_that_exist():
    assert set(PLACES) <= HIT


def test_nobody_else_names_places():
    assert modules_that_name_places() == NAMERS
