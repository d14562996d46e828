"""Giving money back, closing one position, resetting a password, and closing that nothing holds back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from brokers.client.errors import NotSentError
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.models import AccountGroup, AccountOrder, BrokerConnection, BrokerOperation, TradingAccount
from brokers.services import (
    ResetUnderWayError,
    SubjectReusedError,
    advance_due_orders,
    request_close_position,
    request_disable_and_flatten,
    request_refund,
    reset_password,
    resume_operation,
    run_due_operations,
    run_operation,
)
from brokers.services.outcomes import PATIENCE
from propdesk.lib.times import utc_now
from tests.brokers.driving import OPEN, TESTER, JumpingClock, fault, placed, run, settles_at
from tests.simulator import Simulator

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


def refund(account: TradingAccount, amount: str = "499") -> BrokerOperation:
    return request_refund(
        subject="purchase:1:refund", account=account, amount=Decimal(amount), comment="Refund", by=TESTER, now=utc_now()
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["none", "drop_after", "truncate_after", "error_after", "error_before"])
def test_a_refund_is_paid_once(simulator: Simulator, payer: TradingAccount, kind: str):
    simulator.faults(*([] if kind == "none" else [fault("deposit", kind)]))
    operation = run(refund(payer))
    assert (operation.status, operation.attempts) == (Status.DONE, 2 if kind == "error_before" else 1)
    at_broker = simulator.account(payer.login)
    assert at_broker["balance"] == 10499.0
    assert at_broker["transfers"][-1]["comment"] == "Refund"
    assert len(at_broker["transfers"]) == 2


def test_the_same_subject_is_the_same_refund(payer: TradingAccount):
    assert refund(payer).pk == refund(payer).pk
    with pytest.raises(SubjectReusedError):
        refund(payer, "500")
    assert BrokerOperation.objects.count() == 1


def with_positions(simulator: Simulator, payer: TradingAccount) -> list[int]:
    """Two open positions that lose 100 and win 30."""
    rows = simulator.set(payer.login, positions=[{"realTimePL": -100.0}, {"realTimePL": 30.0}])["positions"]
    return [row["positionId"] for row in rows]


def closing(account: TradingAccount, position_id: int) -> BrokerOperation:
    return request_close_position(
        subject=f"position:{position_id}", account=account, position_id=position_id, by=TESTER, now=utc_now()
    )


def test_one_position_is_closed_and_the_others_stay(simulator: Simulator, payer: TradingAccount):
    first, second = with_positions(simulator, payer)
    operation = run(closing(payer, first))
    assert (operation.status, operation.attempts) == (Status.DONE, 1)
    assert operation.evidence == {"position": first, "open": False, "others_open": 1}
    at_broker = simulator.account(payer.login)
    assert [row["positionId"] for row in at_broker["positions"]] == [second]
    assert at_broker["balance"] == 9900.0


@pytest.mark.parametrize("endpoint", ["close-position", "opened-positions"])
@pytest.mark.parametrize("kind", ["error_before", "drop_after", "truncate_after", "too_many_requests"])
def test_closing_goes_on_until_the_position_is_gone(
    simulator: Simulator, payer: TradingAccount, endpoint: str, kind: str
):
    first, second = with_positions(simulator, payer)
    simulator.faults({"endpoint": endpoint, "fault": kind, "times": 2})
    assert run(closing(payer, first)).status == Status.DONE
    assert [row["positionId"] for row in simulator.account(payer.login)["positions"]] == [second]


def test_a_position_that_the_market_has_closed_meanwhile_is_closed(simulator: Simulator, payer: TradingAccount):
    first, _ = with_positions(simulator, payer)
    body = {"accountNumber": payer.login, "unit": payer.group.unit, "orderrequestid": first}
    simulator.post("accounts/close-position", body)
    operation = run_operation(operation_id=closing(payer, first).pk, clock=utc_now)
    assert (operation.status, operation.attempts) == (Status.DONE, 1)
    assert simulator.account(payer.login)["balance"] == 9900.0


def test_the_same_subject_never_closes_another_position(simulator: Simulator, payer: TradingAccount):
    first, second = with_positions(simulator, payer)
    closing(payer, first)
    with pytest.raises(SubjectReusedError):
        request_close_position(
            subject=f"position:{first}", account=payer, position_id=second, by=TESTER, now=utc_now()
        )  # fmt: skip


def in_the_database(text: str) -> list[str]:
    """The tables of brokers in which the text occurs."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.startswith("brokers_"):
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE strpos(t::text, %s) > 0', [text])
                found += [table] if cursor.fetchone() != (0,) else []
    return found


def test_a_new_password_is_shown_once_and_kept_nowhere(simulator: Simulator, payer: TradingAccount):
    outcome = reset_password(account=payer, by=TESTER, clock=utc_now)
    assert outcome.password is not None
    assert len(outcome.password) == 24
    assert (outcome.operation.status, outcome.operation.evidence) == (Status.DONE, {"from": "reply"})
    assert outcome.password not in repr(outcome)
    assert in_the_database(outcome.password) == []
    assert in_the_database("reset_password") == ["brokers_brokeroperation"]


def test_every_reset_has_a_password_and_a_generation_of_its_own(payer: TradingAccount):
    outcomes = [reset_password(account=payer, by=TESTER, clock=utc_now) for _ in range(3)]
    assert len({each.password for each in outcomes}) == 3
    assert [each.operation.generation for each in outcomes] == [1, 2, 3]


def test_a_refused_reset_gives_no_password(simulator: Simulator, payer: TradingAccount):
    payer.login += 100_000
    payer.save()
    outcome = reset_password(account=payer, by=TESTER, clock=utc_now)
    assert (outcome.password, outcome.operation.status) == (None, Status.REFUSED)


def test_a_reset_that_was_not_sent_is_over(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("reset-password", "too_many_requests"))
    outcome = reset_password(account=payer, by=TESTER, clock=utc_now)
    assert (outcome.password, outcome.operation.status) == (None, Status.CANCELLED)
    assert run_due_operations(clock=utc_now) == 0
    assert reset_password(account=payer, by=TESTER, clock=utc_now).password is not None


def test_a_reset_in_doubt_is_over_once_its_effect_can_no_longer_appear(simulator: Simulator, payer: TradingAccount):
    simulator.faults(fault("reset-password", "drop_after"))
    clock = JumpingClock()
    outcome = reset_password(account=payer, by=TESTER, clock=clock)
    assert (outcome.password, outcome.operation.status) == (None, Status.IN_DOUBT)
    # A new password now could be undone by the old call.
    with pytest.raises(ResetUnderWayError):
        reset_password(account=payer, by=TESTER, clock=clock)

    clock.jump_to(settles_at(outcome.operation))
    operation = run(outcome.operation, clock)
    assert (operation.status, operation.attempts) == (Status.CANCELLED, 1)
    assert reset_password(account=payer, by=TESTER, clock=clock).password is not None


def test_a_reset_whose_caller_died_is_never_sent_by_anyone_else(simulator: Simulator, payer: TradingAccount):
    now = utc_now()
    abandoned = BrokerOperation.objects.create(
        subject="account:1", kind=Kind.RESET_PASSWORD, connection=payer.connection, account=payer, next_at=now,
        created_at=now, updated_at=now,
    )  # fmt: skip
    before = len(simulator._call("GET", "/sim/oracle")["calls"])
    run_due_operations(clock=utc_now)
    abandoned.refresh_from_db()
    assert (abandoned.status, abandoned.attempts) == (Status.CANCELLED, 0)
    assert len(simulator._call("GET", "/sim/oracle")["calls"]) == before


def test_a_connection_that_is_switched_off_resets_nothing(payer: TradingAccount):
    payer.connection.is_enabled = False
    payer.connection.save()
    with pytest.raises(NotSentError):
        reset_password(account=payer, by=TESTER, clock=utc_now)
    assert not BrokerOperation.objects.exists()


def taken_out(account: TradingAccount) -> tuple[BrokerOperation, BrokerOperation]:
    return request_disable_and_flatten(subject="enrollment:1:close", account=account, by=TESTER, now=utc_now())


def test_a_disabling_in_review_does_not_hold_the_closing_back(simulator: Simulator, payer: TradingAccount):
    simulator.set(payer.login, equity=9000)
    simulator.faults({"endpoint": "enable", "fault": "error_before"})
    disable, close_all = taken_out(payer)
    clock = JumpingClock()
    assert run(disable, clock).status == Status.NEEDS_REVIEW
    assert run(close_all, clock).status == Status.DONE
    at_broker = simulator.account(payer.login)
    assert (at_broker["enabled"], at_broker["positions"], at_broker["balance"]) == (True, [], 9000.0)


def test_a_closing_that_had_to_wait_is_not_given_up_at_its_first_trouble(simulator: Simulator, payer: TradingAccount):
    simulator.set(payer.login, equity=9000)
    simulator.faults({"endpoint": "enable", "fault": "error_before"}, fault("close-all-positions", "error_before"))
    disable, close_all = taken_out(payer)
    clock = JumpingClock()
    assert run(disable, clock).status == Status.NEEDS_REVIEW
    clock.jump_to(close_all.created_at + PATIENCE + timedelta(minutes=1))
    assert (run(close_all, clock).status, simulator.account(payer.login)["balance"]) == (Status.DONE, 9000.0)


def test_what_was_closed_before_a_late_disabling_is_closed_again_after_it(simulator: Simulator, payer: TradingAccount):
    simulator.faults({"endpoint": "enable", "fault": "error_before"})
    disable, close_all = taken_out(payer)
    clock = JumpingClock()
    run(disable, clock)
    run(close_all, clock)
    simulator.set(payer.login, equity=8000)
    simulator.faults()
    resume_operation(operation_id=disable.pk, reason="The broker is well again.", by=TESTER, now=clock())
    assert run(disable, clock).status == Status.DONE
    again = disable.followers.get(generation=2)
    assert (again.kind, run(again, clock).status) == (Kind.CLOSE_ALL, Status.DONE)
    at_broker = simulator.account(payer.login)
    assert (at_broker["enabled"], at_broker["positions"], at_broker["balance"]) == (False, [], 8000.0)


def test_the_orders_of_a_round_share_one_list_of_accounts(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch
):
    BrokerConnection.objects.update(quarantine_seconds=600)
    simulator.faults({"endpoint": "create", "fault": "drop_after"})
    orders = [placed(demo_group, f"purchase:{number}") for number in range(8)]
    clock = JumpingClock()
    advance_due_orders(clock=clock)
    simulator.faults()
    clock.jump_to(max(settles_at(order.operations.get()) for order in orders))

    readings: list[Any] = []
    honest = ThinkMarkets.accounts_details

    def counted(client: ThinkMarkets, *, unit: int) -> Any:
        readings.append(unit)
        return honest(client, unit=unit)

    monkeypatch.setattr(ThinkMarkets, "accounts_details", counted)
    AccountOrder.objects.update(next_at=clock())
    assert advance_due_orders(clock=clock) == 8
    assert readings == [demo_group.unit]
    for order in orders:
        assert order.operations.get(kind="create").status == Status.DONE
    assert AccountOrder.objects.filter(status__in=OPEN).count() == 8
