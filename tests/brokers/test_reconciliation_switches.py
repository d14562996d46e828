"""Whose accounts a comparison judges: not a customer's own that only others switch, and one that we have disabled also
while it waits to be disabled once more."""

from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from brokers.models import AccountGroup, BrokerConnection, BrokerOperation, Difference, TradingAccount
from brokers.services import (
    late_enabling_until,
    mend_difference,
    request_disable_and_flatten,
    request_enable,
    run_due_operations,
    run_operation,
    way_to_mend,
)
from brokers.services.reconciliation.findings import Judged
from brokers.services.reconciliation.writing import write_down
from propdesk.lib.mng.errors import ConflictError
from tests.brokers.driving import TESTER, JumpingClock, adopted, drive, fault, placed, run
from tests.brokers.test_reconciliation import compare, of, only, switch
from tests.propdesk.admin.rows import make_difference
from tests.simulator import Simulator

Kind, Status = Difference.Kind, Difference.Status
Operation = BrokerOperation.Status
SWITCHED = (Kind.ENABLED, Kind.DISABLED, Kind.OPEN_POSITIONS)


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def account(demo_group: AccountGroup, clock: JumpingClock) -> TradingAccount:
    """An account that our order has opened, funded with 100,000 and enabled."""
    return adopted(drive(placed(demo_group), clock))


def is_enabled(account: TradingAccount) -> bool:
    """What our row says."""
    return TradingAccount.objects.values_list("is_enabled", flat=True).get(pk=account.pk)


def put(operation: BrokerOperation, **values: object) -> None:
    BrokerOperation.objects.filter(pk=operation.pk).update(**values)


def to_be_disabled_again(account: TradingAccount, simulator: Simulator, clock: JumpingClock) -> BrokerOperation:
    """The disabling that is due in twenty minutes, when a lost enabling can land no more; the first one is done."""
    BrokerConnection.objects.update(quarantine_seconds=1200)
    account.connection.refresh_from_db()
    simulator.faults(fault("enable", "error_before"))
    lost = request_enable(subject="lift", account=account, by=TESTER, now=clock())
    assert run_operation(operation_id=lost.pk, clock=clock).status == Operation.IN_DOUBT
    request_disable_and_flatten(subject="end", account=account, by=TESTER, now=clock())
    run_due_operations(clock=clock)
    again = BrokerOperation.objects.get(account=account, kind="disable", generation=2)
    assert again.next_at == late_enabling_until(account)
    assert list(account.operations.filter(subject="end", status=Operation.DONE).values_list("kind", "generation")) == [
        ("close_all", 1),
        ("disable", 1),
    ]
    return again


def let_land(account: TradingAccount, simulator: Simulator) -> None:
    """What the lost call asked for happens after all, and somebody trades."""
    switch(simulator, account, enabled=True)
    simulator.set(account.login, equity=9_000)


@pytest.mark.parametrize("enabled", [True, False])
def test_a_customers_own_account_that_others_switch_is_no_difference(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock, *, enabled: bool
) -> None:
    TradingAccount.objects.update(is_enabled=not enabled)
    switch(simulator, payer, enabled=enabled)
    simulator.set(payer.login, equity=9_000)  # opens a position whose loss is the difference
    compare(payer.group, clock)
    assert of(payer.login) == []
    assert is_enabled(payer) is enabled


def test_a_customers_own_account_that_we_have_disabled_is_judged(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    for operation in request_disable_and_flatten(subject="end", account=payer, by=TESTER, now=clock()):
        run(operation, clock)
    switch(simulator, payer, enabled=True)
    compare(payer.group, clock)
    difference = only(payer.login)
    assert (difference.kind, difference.ours, difference.theirs) == (Kind.ENABLED, "disabled", "enabled")
    assert way_to_mend(difference) == "The account is disabled and its positions are closed, both read back."
    assert is_enabled(payer) is False


def test_a_switch_that_was_dropped_does_not_make_a_customers_account_ours(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    for operation in request_disable_and_flatten(subject="end", account=payer, by=TESTER, now=clock()):
        put(operation, status=Operation.CANCELLED)
    TradingAccount.objects.update(is_enabled=False)
    compare(payer.group, clock)
    assert of(payer.login) == []
    assert is_enabled(payer) is True


@pytest.mark.parametrize("kind", SWITCHED)
def test_what_was_recorded_of_a_customers_own_account_cannot_be_mended_and_goes(
    payer: TradingAccount, clock: JumpingClock, kind: Difference.Kind
) -> None:
    difference = make_difference(payer, payer.group.unit, kind=kind)
    assert way_to_mend(difference) == ""
    with pytest.raises(ValueError, match="No operation can mend"):
        mend_difference(difference_id=difference.pk, reason="It differs.", by=TESTER, now=clock())
    assert not BrokerOperation.objects.exists()
    compare(payer.group, clock)
    assert only(payer.login).status == Status.GONE


def test_customers_own_accounts_are_taken_over_in_as_many_statements_as_one(
    real_group: AccountGroup, simulator: Simulator, clock: JumpingClock
) -> None:
    body = {"unit": real_group.unit, "count": 301, "email": "own-{}@example.com", "enabled": True, "deposits": []}
    logins = simulator.open_many(body)
    compare(real_group, clock)  # tells of all of them as strangers, of which the last one stays one
    statements = []
    for some in (logins[:1], logins[1:300]):
        TradingAccount.objects.bulk_create(
            TradingAccount(connection=real_group.connection, group=real_group, login=login) for login in some
        )
        compare(real_group, clock)  # they are strangers no more
        TradingAccount.objects.update(is_enabled=False)
        with CaptureQueriesContext(database) as queries:
            compare(real_group, clock)
        statements.append(len(queries))
    assert statements[0] == statements[1]
    assert TradingAccount.objects.filter(is_enabled=True).count() == 300


def test_what_was_read_before_we_began_to_switch_is_not_taken_over(payer: TradingAccount, clock: JumpingClock) -> None:
    TradingAccount.objects.update(is_enabled=False)
    request_disable_and_flatten(subject="end", account=payer, by=TESTER, now=clock())
    judged = Judged(switched_by_others={True: [payer.pk]})
    write_down(connection=payer.connection, unit=payer.group.unit, judged=judged, seen_at=clock(), now=clock())
    assert is_enabled(payer) is False


def test_an_account_that_is_to_be_disabled_once_more_is_judged_and_mended_until_then(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    again = to_be_disabled_again(payer, simulator, clock)
    let_land(payer, simulator)
    compare(payer.group, clock)
    enabled, positions = of(payer.login)
    assert (enabled.kind, enabled.ours, enabled.theirs) == (Kind.ENABLED, "disabled", "enabled")
    assert (positions.kind, positions.ours) == (Kind.OPEN_POSITIONS, "flat")
    assert enabled.cause == (
        f"Disabling it for end (operation {again.pk}) is to be done once more at {again.next_at:%Y-%m-%d %H:%M} UTC; "
        "it was switched at the broker since."
    )

    mend_difference(difference_id=enabled.pk, reason="Not in twenty minutes.", by=TESTER, now=clock())
    run_due_operations(clock=clock)
    at_broker = simulator.account(payer.login)
    assert (at_broker["enabled"], at_broker["positions"]) == (False, [])
    again.refresh_from_db()
    assert again.status == Operation.INTENDED
    compare(payer.group, clock)
    assert [each.status for each in of(payer.login)] == [Status.GONE, Status.GONE]


def test_open_positions_are_closed_before_the_second_disabling(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    to_be_disabled_again(payer, simulator, clock)
    simulator.set(payer.login, equity=9_000)
    compare(payer.group, clock)
    difference = only(payer.login)
    assert difference.kind == Kind.OPEN_POSITIONS
    mend_difference(difference_id=difference.pk, reason="Left open.", by=TESTER, now=clock())
    run_due_operations(clock=clock)
    assert simulator.account(payer.login)["positions"] == []


def test_it_should_be_disabled_also_when_the_first_disabling_was_dropped(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    to_be_disabled_again(payer, simulator, clock)
    put(BrokerOperation.objects.get(kind="disable", generation=1), status=Operation.CANCELLED)
    let_land(payer, simulator)
    compare(payer.group, clock)
    assert [(each.kind, each.ours) for each in of(payer.login)] == [
        (Kind.ENABLED, "disabled"),
        (Kind.OPEN_POSITIONS, "flat"),
    ]


def test_a_second_disabling_that_is_due_is_waited_for(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    again = to_be_disabled_again(payer, simulator, clock)
    let_land(payer, simulator)
    clock.jump_to(again.next_at)
    compare(payer.group, clock)
    assert of(payer.login) == []


def test_a_second_disabling_that_the_broker_has_put_off_is_waited_for(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    """The call was not made, and does not count as an attempt; it is to be made shortly."""
    again = to_be_disabled_again(payer, simulator, clock)
    let_land(payer, simulator)
    put(again, started_at=clock())
    compare(payer.group, clock)
    assert of(payer.login) == []


def test_an_enabling_that_waits_for_the_second_closing_keeps_the_account_from_being_judged(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    again = to_be_disabled_again(payer, simulator, clock)
    closing = again.followers.get()
    request_enable(subject="lift:2", account=payer, by=TESTER, now=clock(), after=closing)
    let_land(payer, simulator)
    compare(payer.group, clock)
    assert of(payer.login) == []


def test_the_money_of_an_account_that_is_to_be_disabled_once_more_is_examined(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    to_be_disabled_again(account, simulator, clock)
    row = compare(account.group, clock)
    assert (row.examined, row.left_over) == (1, 0)


@pytest.mark.parametrize("kind", [Kind.ENABLED, Kind.OPEN_POSITIONS])
def test_mending_leaves_to_a_second_disabling_what_is_due_or_has_begun(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock, kind: Difference.Kind
) -> None:
    again = to_be_disabled_again(payer, simulator, clock)
    clock.offset += timedelta(seconds=1)
    difference = make_difference(payer, payer.group.unit, kind=kind, last_seen_at=clock())
    will = f"Operation {again.followers.get()} has switched the account since, or will"
    with pytest.raises(ConflictError, match=will):
        mend_difference(difference_id=difference.pk, reason="It differs.", by=TESTER, now=again.next_at)
    put(again, status=Operation.CALLING, started_at=clock())
    with pytest.raises(ConflictError, match=will):
        mend_difference(difference_id=difference.pk, reason="It differs.", by=TESTER, now=clock())
    assert not BrokerOperation.objects.filter(subject__startswith="difference:").exists()


def test_mending_does_not_enable_an_account_that_is_to_be_disabled_once_more(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    to_be_disabled_again(payer, simulator, clock)
    clock.offset += timedelta(seconds=1)
    difference = make_difference(payer, payer.group.unit, kind=Kind.DISABLED, last_seen_at=clock())
    with pytest.raises(ConflictError, match="Operation close all positions for end has switched the account since, or"):
        mend_difference(difference_id=difference.pk, reason="It differs.", by=TESTER, now=clock())
    assert BrokerOperation.objects.filter(kind="enable").count() == 1
