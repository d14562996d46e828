"""The two phases. Django must be set up before this is imported."""

import logging
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection

from brokers.models import AccountOrder, BrokerOperation
from challenges.services.invariants import find_violations
from propdesk.lib.times import utc_now
from purchases.models import Purchase
from tests.chaos.crew import Crew
from tests.chaos.load import OPEN, Load, found
from tests.chaos.plan import DEADLINE, SHORT, Plan
from tests.chaos.verdict import WRONGS, judge
from tests.chaos.world import World

logger = logging.getLogger(__name__)

UNDER_WAY = (Purchase.Status.PENDING, Purchase.Status.PAID, Purchase.Status.ACCOUNT_CREATED)
SERVER_BLOWS = ("postgres", "valkey restart", "valkey flush")


def fight(world: World, plan: Plan, crew: Crew) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The numbers of the table, and details of what is wrong."""
    load = Load(found(world, plan), plan)
    world.simulator("POST", "/sim/faults", {"rules": plan.rules()})
    crew.start()
    begun = time.monotonic()
    load.start()
    struck = _safety_phase(world, plan, crew, load)
    under_fire = time.monotonic() - begun
    world.simulator("POST", "/sim/faults", {"rules": []})
    crew.disarm()
    converged = _liveness_phase(plan, crew, load)
    # What is late may still land, and then nobody may be surprised.
    time.sleep(SHORT + DEADLINE)
    world.simulator("POST", "/sim/late-effects", {})
    crew.stop()

    verdict = judge(load, world.simulator("GET", "/sim/oracle"))
    for each in find_violations(now=utc_now(), grace=timedelta(0)):
        verdict.find("invariants broken", f"{each.invariant} row {each.row_id}: {each.detail}")
    numbers = {
        "orders": f"{plan.orders} ({len(load.bought)} of them purchases)",
        "seconds under fire": round(under_fire),
        "faults injected": verdict.faults,
        "kills": f"{crew.kills} at random, {len(crew.died_at)} at {len(set(crew.died_at))} named places",
        "server blows": ", ".join(f"{struck.count(blow)} {blow}" for blow in SERVER_BLOWS),
        **{name: verdict.count(name) for name in WRONGS},
        "orphans recorded": f"{verdict.orphans - verdict.count('orphans unrecorded')} of {verdict.orphans}",
        "invariants broken": verdict.count("invariants broken"),
        "seconds to converge": f"more than {plan.converge_seconds:g}" if converged is None else round(converged, 1),
    }
    return numbers, verdict.wrong


def _safety_phase(world: World, plan: Plan, crew: Crew, load: Load) -> list[str]:
    """Until the last order is in: the blows fall as the load goes on, and those that are left when it is over."""
    struck: list[str] = []
    blows = plan.blows()
    told = 0.0
    while not load.is_done() or blows[len(struck) :]:
        is_time = load.is_done() or load.placed >= (len(struck) + 1) * plan.orders / (len(blows) + 1)
        if is_time and blows[len(struck) :]:
            blow = blows[len(struck)]
            struck.append(blow)
            world.strike(blow) if blow in SERVER_BLOWS else crew.strike(blow)
        crew.tend()
        _quietly(load.close_some)
        if time.monotonic() - told > 10:
            told = time.monotonic()
            sys.stdout.write(f"{load.placed} of {plan.orders} placed, {_left()} under way, {len(struck)} blows\n")
            sys.stdout.flush()
        time.sleep(0.2)
    return struck


def _liveness_phase(plan: Plan, crew: Crew, load: Load) -> float | None:
    """Seconds until nothing is under way any more; None when that takes too long."""
    begun = time.monotonic()
    while time.monotonic() - begun < plan.converge_seconds:
        crew.tend()
        _quietly(load.close_some)
        if _left() == 0:
            return time.monotonic() - begun
        time.sleep(0.5)
    return None


def _left() -> int | None:
    """How many rows a machine still works on; None while the database is away."""
    left: int | None = _quietly(
        lambda: (
            AccountOrder.objects.filter(status__in=OPEN).count()
            + BrokerOperation.objects.open().count()
            + Purchase.objects.filter(status__in=UNDER_WAY, review_reason="").count()
        )
    )
    return left


def _quietly(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except DatabaseError as error:
        logger.info("The database is away: %s", error)
        connection.close()
        return None
