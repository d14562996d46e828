"""Late effects, workers that die, workers that race: nobody gets two accounts, or twice the money."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from brokers.models import AccountGroup, AccountOrder, BrokerConnection, BrokerOperation, TradingAccount
from brokers.services import advance_due_orders, advance_order, order_steps, procedures, run_due_operations
from brokers.services.leases import claim_order
from brokers.services.orders import work_on_order
from propdesk.lib.times import utc_now
from tests.brokers.driving import OPEN, JumpingClock, LateClock, adopted, drive, drive_until, fault, late_effect, placed
from tests.simulator import Simulator

Status = AccountOrder.Status
Operation = BrokerOperation
ADVANCE = (
    "import django; django.setup(); from brokers.services import advance_order; "
    "from propdesk.lib.times import utc_now as clock; advance_order(order_id={}, clock=clock)"
)


def stem(order: AccountOrder) -> str:
    marker: str = order.operations.get(kind="create", generation=1).marker
    return marker.split(".", 1)[0]


def wait_for(condition: Callable[[], Any], seconds: float = 60) -> Any:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("It did not happen in time.")


def test_an_account_that_appears_late_is_recorded_and_disabled(simulator: Simulator, demo_group: AccountGroup):
    # Called absent before it lands, found within the quarantine.
    clock = LateClock(simulator)
    simulator.faults(late_effect("create"))
    order = drive(placed(demo_group), clock)
    run_due_operations(clock=clock)

    assert order.status == Status.READY
    late, good = sorted(simulator.accounts_of(stem(order)), key=lambda row: row["email"])
    assert (late["enabled"], late["balance"], late["transfers"]) == (False, 0, [])
    assert (good["enabled"], good["balance"]) == (True, 100000.0)
    assert adopted(order).login == good["accountNumber"]
    orphan = TradingAccount.objects.get(login=late["accountNumber"])
    assert (orphan.is_orphan, orphan.is_enabled, orphan.is_funded) == (True, False, False)
    assert Operation.objects.get(account=orphan, kind="disable").status == Operation.Status.DONE


def test_a_deposit_that_lands_late_is_taken_out_before_the_account_is_enabled(
    simulator: Simulator, demo_group: AccountGroup
):
    clock = LateClock(simulator)
    simulator.faults(late_effect("deposit"))
    order = drive(placed(demo_group), clock)

    assert order.status == Status.READY
    (row,) = simulator.accounts_of(stem(order))
    assert (row["enabled"], row["balance"]) == (True, 100000.0)
    assert [each["type"] for each in row["transfers"]] == ["DEPOSIT", "DEPOSIT", "WITHDRAWAL"]


def test_a_late_deposit_that_lands_together_with_its_repetition_is_taken_out_again(
    simulator: Simulator, demo_group: AccountGroup
):
    # The second call, when the first counts as absent, is in doubt as well; when it is looked for, both have landed.
    clock = LateClock(simulator)
    simulator.faults(late_effect("deposit"), fault("deposit", "error_after"))
    deposits = Operation.objects.filter(kind="deposit", attempts=2)
    order = drive_until(placed(demo_group), lambda order: deposits.exists(), clock)
    assert simulator.land_late_effects() == 1
    order = drive(order, clock)

    assert order.status == Status.READY
    deposit = order.operations.get(kind="deposit")
    assert (deposit.attempts, deposit.evidence["before"]["count"], deposit.evidence["after"]["count"]) == (2, 0, 2)
    (row,) = simulator.accounts_of(stem(order))
    assert (row["enabled"], row["balance"]) == (True, 100000.0)
    assert [each["type"] for each in row["transfers"]] == ["DEPOSIT", "DEPOSIT", "WITHDRAWAL"]


def test_an_order_that_fails_leaves_no_late_account_unrecorded(simulator: Simulator, demo_group: AccountGroup):
    clock = LateClock(simulator)
    simulator.faults(late_effect("create"))
    order = placed(demo_group)
    advance_order(order_id=order.pk, clock=clock)
    # The group is gone by the time of the second try.
    AccountGroup.objects.update(broker_group="gone")
    order = drive(order, clock)

    assert order.status == Status.FAILED
    (late,) = simulator.accounts_of(stem(order))
    assert TradingAccount.objects.get(login=late["accountNumber"]).is_orphan


def test_two_workers_at_once_open_one_account_each_order(simulator: Simulator, demo_group: AccountGroup):
    orders = [placed(demo_group, f"purchase:{number}") for number in range(10)]
    barrier = threading.Barrier(2, timeout=60)

    def work() -> None:
        try:
            for order in orders:
                barrier.wait()
                advance_order(order_id=order.pk, clock=utc_now)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for order in orders:
        assert drive(order).status == Status.READY
        (row,) = simulator.accounts_of(stem(order))
        assert [each["type"] for each in row["transfers"]] == ["DEPOSIT"]
    assert Operation.objects.filter(attempts__gt=1).count() == 0


def test_a_worker_that_lost_its_lease_makes_no_call(simulator: Simulator, demo_group: AccountGroup):
    order = placed(demo_group)
    lease = claim_order(clock=utc_now, order_id=order.pk)
    assert lease is not None
    taken_over_until = utc_now() + timedelta(minutes=1)
    AccountOrder.objects.update(leased_until=taken_over_until)
    clock = JumpingClock()
    clock.jump_to(lease.until)
    lease.clock = clock
    work_on_order(lease, clock=clock)

    assert not order.operations.exists()
    order.refresh_from_db()
    assert order.leased_until == taken_over_until


def advance_in_a_process(order: AccountOrder) -> subprocess.Popen[bytes]:
    """A worker in its own process, on the test's database."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environment = {
        **os.environ, "DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        "FIELD_KEYS": ",".join(settings.FIELD_KEYS),
    }  # fmt: skip
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen([sys.executable, "-c", ADVANCE.format(order.pk)], cwd=root, env=environment)


@pytest.mark.parametrize("endpoint", ["create", "deposit", "enable"])
@pytest.mark.parametrize("kind", ["delay_before", "delay_after"])
def test_a_worker_killed_in_the_middle_of_a_call_is_recovered_from(
    simulator: Simulator, demo_group: AccountGroup, endpoint: str, kind: str
):
    # The call hangs for as long as it takes to see the one who makes it, and to kill it.
    BrokerConnection.objects.update(deadline_seconds=120)
    simulator.faults(fault(endpoint, kind, seconds=600))
    order = placed(demo_group)
    process = advance_in_a_process(order)
    try:
        wait_for(simulator.injected)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    operation = order.operations.get(kind=endpoint)
    assert operation.status == Operation.Status.CALLING
    assert (advance_order(order_id=order.pk, clock=utc_now).status, operation.attempts) == (Status.OPENING, 1)
    # A delayed call goes on without its caller; time must not be jumped over before it has had its effect.
    assert simulator.land_late_effects() == (kind == "delay_before")

    order = drive(order)
    assert order.status == Status.READY, order.review_reason
    rows = simulator.accounts_of(stem(order))
    assert [row["enabled"] for row in rows] == [True]
    assert [each["type"] for each in rows[0]["transfers"]] == ["DEPOSIT"]


@pytest.mark.timeout(240)
def test_faults_at_random_leave_one_good_account_per_order(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch
):
    # Five calls in a row that come to nothing would be for staff, and happen once in a while: threads share the dice.
    monkeypatch.setattr(order_steps, "MOST_GENERATIONS", 50)
    monkeypatch.setattr(procedures.OrderDeposit, "most_attempts", 50)
    rules = [
        {"endpoint": endpoint, "fault": kind, "probability": 0.1}
        for endpoint in ("create", "deposit", "enable")
        for kind in ("drop_after", "error_before", "truncate_after", "too_many_requests")
    ]
    simulator.faults(*rules, {"endpoint": "*", "fault": "error_before", "probability": 0.05})
    orders = [placed(demo_group, f"purchase:{number}") for number in range(30)]
    clock = JumpingClock()
    for _ in range(1000):
        advance_due_orders(clock=clock)
        waiting = AccountOrder.objects.filter(status__in=OPEN).order_by("next_at").first()
        if waiting is None:
            break
        clock.jump_to(waiting.leased_until or waiting.next_at)

    assert simulator.injected() > 20
    for order in orders:
        order.refresh_from_db()
        assert order.status == Status.READY, order.review_reason
        (row,) = simulator.accounts_of(stem(order))
        assert (row["enabled"], row["balance"], len(row["transfers"])) == (True, 100000.0, 1)
