"""Our books against the broker's list: what differs is found, mended or acknowledged, and closed when it is gone."""

from datetime import timedelta

import pytest

from brokers.models import (
    AccountGroup,
    AccountOrder,
    BrokerConnection,
    BrokerOperation,
    Difference,
    TradingAccount,
    UnitReconciliation,
)
from brokers.services import (
    acknowledge_difference,
    mend_difference,
    reconcile_due_units,
    reconcile_unit,
    request_disable_and_flatten,
    way_to_mend,
)
from propdesk.lib.transitions import IllegalTransitionError
from tests.brokers.driving import TESTER, JumpingClock, adopted, drive, fault, placed, run, statuses
from tests.simulator import Simulator

Kind, Status = Difference.Kind, Difference.Status
# Past the settle time of the connection: what was just done counts as settled.
SETTLED = timedelta(seconds=5)
LISTED_NOWHERE = range(7_000_001, 7_000_021)


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def account(demo_group: AccountGroup, clock: JumpingClock) -> TradingAccount:
    """An account that our order has opened, funded with 100,000 and enabled."""
    return adopted(drive(placed(demo_group), clock))


def compare(group: AccountGroup, clock: JumpingClock) -> UnitReconciliation:
    """One comparison of the group's unit, once everything has settled."""
    clock.offset += SETTLED
    row, _ = UnitReconciliation.objects.get_or_create(
        connection=group.connection, unit=group.unit, defaults={"next_at": clock()}
    )
    UnitReconciliation.objects.filter(pk=row.pk).update(next_at=clock())
    return reconcile_unit(reconciliation_id=row.pk, clock=clock)


def of(login: int) -> list[Difference]:
    return list(Difference.objects.filter(login=login).order_by("id"))


def only(login: int) -> Difference:
    (difference,) = of(login)
    return difference


def never_ordered(account: TradingAccount) -> None:
    """Like a payer's: no challenge has to run on it for it to be enabled."""
    TradingAccount.objects.filter(pk=account.pk).update(order=None)


def switch(simulator: Simulator, account: TradingAccount, *, enabled: bool) -> None:
    """Someone at the broker switches the account."""
    body = {"enable": enabled, "unit": account.group.unit, "accountNumbers": [account.login]}
    simulator.post("accounts/enable", body)


def open_marked(simulator: Simulator, group: AccountGroup, marker: str) -> int:
    """An enabled account that carries an address of ours."""
    body = {
        "email": marker, "firstName": "Tilda", "lastName": "Trader", "unit": group.unit, "group": group.broker_group,
        "enabled": True, "currency": "USD", "platform ": "ThinkTrader", "country": "ER", "password": "Passw0rd!",
    }  # fmt: skip
    return int(simulator.post("accounts/create", body)["accountNumber"])


def keep_known(simulator: Simulator, group: AccountGroup, count: int) -> None:
    """So many accounts of the unit that we know, disabled and empty on both sides."""
    logins = [simulator.open_account(unit=group.unit, enabled=False) for _ in range(count)]
    rows = [TradingAccount(connection=group.connection, group=group, login=login) for login in logins]
    TradingAccount.objects.bulk_create(rows)


def test_an_account_that_is_as_we_know_it_makes_no_difference(account: TradingAccount, clock: JumpingClock) -> None:
    row = compare(account.group, clock)
    assert (row.failure, row.money_failure, row.accounts_known, row.examined) == ("", "", 1, 1)
    assert row.accounts_at_broker >= 1
    assert of(account.login) == []


def test_an_account_enabled_behind_our_back_is_found_mended_and_gone(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    disable, close_all = request_disable_and_flatten(
        subject="enrollment:1:close", account=account, by=TESTER, now=clock()
    )
    run(disable, clock)
    run(close_all, clock)
    switch(simulator, account, enabled=True)
    compare(account.group, clock)
    difference = only(account.login)
    assert (difference.kind, difference.ours, difference.theirs) == (Kind.ENABLED, "disabled", "enabled")
    assert f"Disabling it for enrollment:1:close (operation {disable.pk}) was read back" in difference.cause
    assert difference.cause.endswith("it was switched at the broker since.")

    operation = mend_difference(difference_id=difference.pk, reason="It failed.", by=TESTER, now=clock())
    assert (operation.subject, operation.kind) == (f"difference:{difference.pk}:1", BrokerOperation.Kind.DISABLE)
    run(operation, clock)
    assert simulator.account(account.login)["enabled"] is False
    compare(account.group, clock)
    difference.refresh_from_db()
    assert difference.status == Status.GONE
    assert difference.resolved_at is not None
    assert statuses(difference) == [Status.OPEN, Status.MENDING, Status.GONE]


def test_an_account_disabled_behind_our_back_is_enabled_again(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    never_ordered(account)
    switch(simulator, account, enabled=False)
    compare(account.group, clock)
    difference = only(account.login)
    assert (difference.kind, difference.ours, difference.theirs) == (Kind.DISABLED, "enabled", "disabled")
    operation = mend_difference(difference_id=difference.pk, reason="Asked the broker.", by=TESTER, now=clock())
    assert run(operation, clock).status == BrokerOperation.Status.DONE
    assert simulator.account(account.login)["enabled"] is True
    compare(account.group, clock)
    assert only(account.login).status == Status.GONE


def test_the_account_of_a_failed_order_should_be_disabled(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    AccountOrder.objects.filter(account=account).update(status=AccountOrder.Status.FAILED, failure_reason="refused")
    compare(account.group, clock)
    assert only(account.login).cause == "Its order purchase:1 is failed; it was switched at the broker since."


def test_positions_of_an_account_that_is_out_of_trading_are_found_and_closed(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    disable, close_all = request_disable_and_flatten(
        subject="enrollment:1:close", account=account, by=TESTER, now=clock()
    )
    run(disable, clock)
    run(close_all, clock)
    simulator.set(account.login, equity=99_000)  # opens a position whose loss is the difference
    compare(account.group, clock)
    difference = only(account.login)
    assert difference.kind == Kind.OPEN_POSITIONS
    assert difference.theirs.startswith("1 open: ")
    closing = mend_difference(difference_id=difference.pk, reason="Left open.", by=TESTER, now=clock())
    assert closing.kind == BrokerOperation.Kind.CLOSE_ALL
    assert closing.after is not None
    run(closing.after, clock)
    assert simulator.account(account.login)["positions"] == []
    compare(account.group, clock)
    assert only(account.login).status == Status.GONE  # and the loss is explained by the trade that was closed


def test_an_account_under_way_is_not_judged(account: TradingAccount, simulator: Simulator, clock: JumpingClock) -> None:
    request_disable_and_flatten(subject="enrollment:1:close", account=account, by=TESTER, now=clock())
    switch(simulator, account, enabled=False)
    compare(account.group, clock)
    assert of(account.login) == []


def test_a_stranger_in_our_unit_is_found_and_can_only_be_acknowledged(
    demo_group: AccountGroup, account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    login = simulator.open_account(unit=demo_group.unit)
    compare(demo_group, clock)
    difference = only(login)
    assert (difference.kind, difference.account) == (Kind.UNKNOWN_ACCOUNT, None)
    assert (
        difference.cause == "Opened at the broker by someone else: by hand, or by another system that shares the unit."
    )
    assert way_to_mend(difference) == ""
    with pytest.raises(ValueError, match="No operation can mend"):
        mend_difference(difference_id=difference.pk, reason="x", by=TESTER, now=clock())
    acknowledge_difference(difference_id=difference.pk, reason="The old system's.", by=TESTER, now=clock())
    compare(demo_group, clock)
    difference.refresh_from_db()
    assert difference.status == Status.ACKNOWLEDGED
    with pytest.raises(IllegalTransitionError):
        mend_difference(difference_id=difference.pk, reason="x", by=TESTER, now=clock())


def test_an_extra_account_with_our_marker_is_adopted_as_an_orphan_and_taken_out(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    marker, group = account.marker, account.group
    extra = open_marked(simulator, group, marker)
    compare(group, clock)
    difference = only(extra)
    creation = BrokerOperation.objects.get(kind="create")
    assert difference.order_id == account.order_id
    assert difference.cause == (
        f"It carries the marker of operation {creation.pk} for order purchase:1: a lost reply left it behind."
    )
    disable = mend_difference(difference_id=difference.pk, reason="Late effect.", by=TESTER, now=clock())
    orphan = TradingAccount.objects.get(login=extra)
    assert (orphan.is_orphan, orphan.marker, orphan.order) == (True, marker, None)
    run(disable, clock)
    assert simulator.account(extra)["enabled"] is False
    compare(group, clock)
    assert only(extra).status == Status.GONE


def test_an_account_that_an_order_is_about_to_find_is_no_difference(
    demo_group: AccountGroup, account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    order = placed(demo_group, "purchase:2")
    BrokerOperation.objects.create(
        subject=f"order:{order.pk}", kind="create", connection=demo_group.connection, order=order,
        marker="p-lost.1@accounts.propdesk.example", status=BrokerOperation.Status.IN_DOUBT, was_in_doubt=True,
        next_at=clock(), created_at=clock(), updated_at=clock(),
    )  # fmt: skip
    login = open_marked(simulator, demo_group, "p-lost.1@accounts.propdesk.example")
    compare(demo_group, clock)
    assert of(login) == []


def test_an_account_that_is_gone_at_the_broker_is_missing(
    demo_group: AccountGroup, simulator: Simulator, clock: JumpingClock
) -> None:
    TradingAccount.objects.create(connection=demo_group.connection, group=demo_group, login=LISTED_NOWHERE[0])
    keep_known(simulator, demo_group, 20)
    compare(demo_group, clock)
    difference = only(LISTED_NOWHERE[0])
    assert (difference.kind, difference.ours, difference.theirs) == (
        Kind.MISSING_ACCOUNT, "disabled", "no such account",
    )  # fmt: skip
    assert way_to_mend(difference) == ""


def test_a_list_that_misses_too_many_of_ours_is_no_data(
    demo_group: AccountGroup, account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    switch(simulator, account, enabled=False)
    compare(demo_group, clock)
    before = UnitReconciliation.objects.get().compared_at
    TradingAccount.objects.bulk_create(
        TradingAccount(connection=demo_group.connection, group=demo_group, login=login) for login in LISTED_NOWHERE
    )
    switch(simulator, account, enabled=True)
    row = compare(demo_group, clock)
    assert row.failure.endswith("accounts and misses too many of the 21 that we know.")
    assert row.compared_at == before
    assert [(each.login, each.status) for each in Difference.objects.exclude(kind=Kind.UNKNOWN_ACCOUNT)] == [
        (account.login, Status.OPEN)
    ]


@pytest.mark.parametrize("kind", ["error_before", "truncate_after"])
def test_a_list_that_cannot_be_read_changes_nothing(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock, kind: str
) -> None:
    simulator.faults(fault("accounts-details", kind))
    row = compare(account.group, clock)
    assert row.failure != ""
    assert row.compared_at is None
    assert not Difference.objects.exists()


def test_units_are_remembered_and_compared_every_five_minutes(
    demo_group: AccountGroup, real_group: AccountGroup, clock: JumpingClock
) -> None:
    assert reconcile_due_units(clock=clock) == 2
    assert reconcile_due_units(clock=clock) == 0
    clock.offset += timedelta(minutes=5)
    assert reconcile_due_units(clock=clock) == 2


def test_a_connection_that_is_switched_off_is_left_alone(demo_group: AccountGroup, clock: JumpingClock) -> None:
    BrokerConnection.objects.update(is_enabled=False)
    assert reconcile_due_units(clock=clock) == 0
    assert UnitReconciliation.objects.get().tried_at is None


def test_a_unit_that_someone_else_compares_is_not_compared_twice(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    compare(account.group, clock)
    switch(simulator, account, enabled=False)
    held = clock() + timedelta(minutes=4)
    UnitReconciliation.objects.update(next_at=clock(), leased_until=held)
    row = reconcile_unit(reconciliation_id=UnitReconciliation.objects.get().pk, clock=clock)
    assert row.leased_until == held
    assert of(account.login) == []


def test_a_difference_that_its_operation_did_not_mend_is_open_again(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    never_ordered(account)
    switch(simulator, account, enabled=False)
    compare(account.group, clock)
    difference = only(account.login)
    operation = mend_difference(difference_id=difference.pk, reason="Again.", by=TESTER, now=clock())
    run(operation, clock)
    switch(simulator, account, enabled=False)
    compare(account.group, clock)
    difference.refresh_from_db()
    assert difference.status == Status.OPEN
    again = mend_difference(difference_id=difference.pk, reason="Once more.", by=TESTER, now=clock())
    assert again.subject == f"difference:{difference.pk}:2"
