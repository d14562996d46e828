"""A unit of many accounts: few calls, few statements, and nothing believed that a single list leaves out."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from brokers.client.base import AccountDetails
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.client.transport import Reply, Transport
from brokers.models import (
    AccountGroup,
    AccountOrder,
    BalanceCheck,
    BrokerOperation,
    Difference,
    DifferenceEvent,
    TradingAccount,
)
from brokers.services import acknowledge_difference
from brokers.services.reconciliation import reading
from tests.brokers.driving import TESTER, JumpingClock
from tests.brokers.test_reconciliation import compare, of, only
from tests.simulator import Simulator

Kind, Status = Difference.Kind, Difference.Status


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


def keep_opened(simulator: Simulator, group: AccountGroup, count: int, clock: JumpingClock) -> list[int]:
    """So many accounts that orders of ours have opened an hour ago, with nothing in them."""
    body = {"unit": group.unit, "count": count, "email": "bulk-{}@accounts.example", "enabled": True, "deposits": []}
    logins: list[int] = simulator.open_many(body)
    hour_ago = clock() - timedelta(hours=1)
    orders = AccountOrder.objects.bulk_create(
        AccountOrder(
            reference=f"bulk:{login}", group=group, deposit=0, first_name="Bulk", last_name="Account",
            status=AccountOrder.Status.NEEDS_REVIEW, next_at=hour_ago, created_at=hour_ago, updated_at=hour_ago,
        )
        for login in logins
    )  # fmt: skip
    rows = [
        TradingAccount(
            connection=group.connection, group=group, login=login, order=order, marker=f"bulk-{i}@accounts.example",
            is_enabled=True,
        )
        for i, (login, order) in enumerate(zip(logins, orders, strict=True), start=1)
    ]  # fmt: skip
    TradingAccount.objects.bulk_create(rows)
    BrokerOperation.objects.bulk_create(
        BrokerOperation(
            subject=f"order:{row.order_id}", kind="create", connection=group.connection, order=row.order, account=row,
            marker=row.marker, status=BrokerOperation.Status.DONE, next_at=hour_ago, created_at=hour_ago,
            updated_at=hour_ago, finished_at=hour_ago,
        )
        for row in rows
    )  # fmt: skip
    return logins


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the calls that we make, as they are made."""
    made: list[str] = []
    send = Transport.send

    def noted(self: Transport, method: str, path: str, *args: Any, **more: Any) -> Reply:
        made.append(path.rsplit("/", 1)[-1])
        return send(self, method, path, *args, **more)

    monkeypatch.setattr(Transport, "send", noted)
    return made


WHOLE_UNIT = ["accounts-details", "opened-positions", "closed-positions"]
ONE_BY_ONE = ["account-details", "account-transfers", "account-closed-positions", "account-details"]


def test_a_large_unit_is_compared_by_three_calls_and_five_accounts_in_rotation(
    demo_group: AccountGroup, simulator: Simulator, clock: JumpingClock, calls: list[str]
) -> None:
    keep_opened(simulator, demo_group, 300, clock)
    row = compare(demo_group, clock)
    assert calls == WHOLE_UNIT + ONE_BY_ONE * 5
    assert (row.accounts_known, row.examined, row.left_over, row.money_failure) == (300, 5, 0, "")
    compare(demo_group, clock)
    assert len(set(BalanceCheck.objects.order_by("-examined_at")[:10].values_list("examined_at", flat=True))) == 10
    assert not Difference.objects.exclude(kind=Kind.UNKNOWN_ACCOUNT).exists()


def test_balances_that_nothing_explains_are_read_one_by_one_in_turn(
    demo_group: AccountGroup,
    simulator: Simulator,
    clock: JumpingClock,
    calls: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "MOST_SUSPECTS", 4)
    monkeypatch.setattr(reading, "ROUTINE", 0)
    logins = keep_opened(simulator, demo_group, 10, clock)
    for login in logins:
        simulator.set(login, balance=7, equity=7)
    found = []
    for left in (6, 2, 0):
        calls.clear()
        row = compare(demo_group, clock)
        found.append(Difference.objects.filter(kind=Kind.BALANCE).count())
        assert row.left_over == left
        assert len(calls) == 3 + 4 * row.examined
    assert found == [4, 8, 10]


def test_hundreds_of_differences_are_written_and_closed_in_a_few_statements(
    demo_group: AccountGroup, simulator: Simulator, clock: JumpingClock, calls: list[str],
    django_assert_max_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(reading, "ROUTINE", 0)
    logins = keep_opened(simulator, demo_group, 500, clock)
    of_switches = Difference.objects.filter(kind=Kind.DISABLED)
    for enabled in (False, True):
        body = {"enable": enabled, "unit": demo_group.unit, "accountNumbers": logins}
        simulator.post("accounts/enable", body)
        with django_assert_max_num_queries(60):
            compare(demo_group, clock)
        expected = Status.GONE if enabled else Status.OPEN
        assert list(of_switches.values_list("status", flat=True)) == [expected] * 500
        assert calls.count("accounts-details") == 2  # read twice when many look wrong, and once when all is well again
        calls.remove("accounts-details")
    assert DifferenceEvent.objects.filter(subject_id__in=of_switches.values("pk")).count() == 1000


def leave_out(monkeypatch: pytest.MonkeyPatch, *each: list[int]) -> None:
    """What the next lists of accounts leave out, one after the other."""
    whole, left_out = ThinkMarkets.accounts_details, iter(each)

    def cut(self: ThinkMarkets, *, unit: int) -> dict[int, AccountDetails]:
        lost = next(left_out)
        return {login: row for login, row in whole(self, unit=unit).items() if login not in lost}

    monkeypatch.setattr(ThinkMarkets, "accounts_details", cut)


def test_an_account_that_one_list_leaves_out_is_not_missing(
    demo_group: AccountGroup, simulator: Simulator, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins = keep_opened(simulator, demo_group, 40, clock)
    leave_out(monkeypatch, logins[:1], [], logins[1:2], logins[:1], logins[:1], logins[:1])
    compare(demo_group, clock)  # left out of the first list, and in the second
    compare(demo_group, clock)  # each list leaves out another one
    compare(demo_group, clock)  # left out of both lists, and the broker still shows it in the unit
    assert not Difference.objects.filter(kind=Kind.MISSING_ACCOUNT).exists()


def test_a_second_list_that_has_lost_most_rows_says_nothing(
    demo_group: AccountGroup, simulator: Simulator, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins = keep_opened(simulator, demo_group, 40, clock)
    leave_out(monkeypatch, logins[:1], logins)
    row = compare(demo_group, clock)
    assert row.failure.endswith("misses too many of the 40 that we know.")
    assert not Difference.objects.filter(kind=Kind.MISSING_ACCOUNT).exists()


def test_a_stranger_that_one_list_leaves_out_stays_acknowledged(
    demo_group: AccountGroup, simulator: Simulator, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = simulator.open_account(unit=demo_group.unit)
    compare(demo_group, clock)
    acknowledge_difference(difference_id=only(login).pk, reason="The old system's.", by=TESTER, now=clock())
    leave_out(monkeypatch, [login], [], [], [login], [login])
    compare(demo_group, clock)
    compare(demo_group, clock)
    assert only(login).status == Status.ACKNOWLEDGED
    compare(demo_group, clock)
    assert only(login).status == Status.GONE


def test_an_account_that_its_order_is_still_opening_is_not_judged(
    demo_group: AccountGroup, simulator: Simulator, clock: JumpingClock
) -> None:
    (login,) = keep_opened(simulator, demo_group, 1, clock)
    simulator.post("accounts/enable", {"enable": False, "unit": demo_group.unit, "accountNumbers": [login]})
    AccountOrder.objects.update(status=AccountOrder.Status.OPENING)
    compare(demo_group, clock)
    assert of(login) == []
