"""A cancelled order ends without anything under way, and without an account that anyone could trade on."""

from datetime import datetime

import pytest
from django.db import IntegrityError, transaction

from brokers.models import AccountGroup, AccountOrder, BrokerOperation, TradingAccount
from brokers.services import (
    advance_order,
    cancel_order,
    order_steps,
    request_disable_and_flatten,
    resume_operation,
    resume_order,
    review_of,
    run_due_operations,
)
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import IllegalTransitionError
from tests.brokers.driving import (
    TESTER,
    JumpingClock,
    LateClock,
    drive,
    fault,
    late_effect,
    placed,
    settles_at,
    statuses,
)
from tests.simulator import Simulator

Status = AccountOrder.Status
Operation = BrokerOperation


def cancelled(order: AccountOrder, now: datetime | None = None) -> AccountOrder:
    return cancel_order(order_id=order.pk, reason="The buyer left.", by=TESTER, now=now or utc_now())


def operations(order: AccountOrder) -> list[tuple[str, int]]:
    return list(order.operations.order_by("id").values_list("kind", "status"))


def at_broker(simulator: Simulator, order: AccountOrder) -> list[tuple[bool, float]]:
    stem = order.operations.get(kind="create", generation=1).marker.split(".", 1)[0]
    return [(row["enabled"], row["balance"]) for row in simulator.accounts_of(stem)]


def test_an_order_that_has_not_begun_is_cancelled_at_once(simulator: Simulator, demo_group: AccountGroup):
    order = cancelled(placed(demo_group))
    assert (order.status, order.cancel_reason) == (Status.CANCELLED, "The buyer left.")
    assert advance_order(order_id=order.pk, clock=utc_now).status == Status.CANCELLED
    assert operations(order) == []
    assert statuses(order) == [Status.REQUESTED, Status.CANCELLED]


def test_cancelling_twice_is_cancelling_once(demo_group: AccountGroup):
    order = placed(demo_group)
    assert cancelled(order) == cancelled(order)
    assert statuses(order) == [Status.REQUESTED, Status.CANCELLED]


def test_nothing_is_begun_for_an_order_that_is_cancelled_this_moment(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch
):
    order, honest = placed(demo_group), order_steps._latest

    def overtaken(row: AccountOrder, kind: BrokerOperation.Kind) -> BrokerOperation | None:
        """The worker has asked whether the order is wanted; now it is not any more."""
        cancelled(order)
        return honest(row, kind)

    before = len(simulator.accounts())
    monkeypatch.setattr(order_steps, "_latest", overtaken)
    assert advance_order(order_id=order.pk, clock=utc_now).status == Status.CANCELLED
    assert operations(order) == []
    assert len(simulator.accounts()) == before


def test_an_order_that_is_ready_belongs_to_its_owner(simulator: Simulator, demo_group: AccountGroup):
    order = drive(placed(demo_group))
    with pytest.raises(IllegalTransitionError):
        cancelled(order)
    order.refresh_from_db()
    assert (order.status, order.cancel_asked_at) == (Status.READY, None)
    assert at_broker(simulator, order) == [(True, 100000.0)]


def test_an_order_that_has_failed_stays_so(demo_group: AccountGroup):
    demo_group.broker_group = "no such group"
    demo_group.save()
    order = drive(placed(demo_group))
    assert cancelled(order).status == Status.FAILED


@pytest.mark.parametrize("kind", ["drop_after", "error_before"])
@pytest.mark.parametrize("endpoint", ["create", "deposit", "enable"])
def test_what_was_in_doubt_is_settled_and_the_account_is_taken_out(
    simulator: Simulator, demo_group: AccountGroup, endpoint: str, kind: str
):
    simulator.faults(fault(endpoint, kind))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    assert order.operations.get(kind=endpoint).status == Operation.Status.IN_DOUBT
    assert cancelled(order, clock()).status == Status.OPENING
    order = drive(order, clock)
    run_due_operations(clock=clock)

    assert (order.status, order.account) == (Status.CANCELLED, None)
    assert not order.operations.unfinished().exists()
    assert all(not enabled for enabled, _ in at_broker(simulator, order))
    exists = (endpoint, kind) != ("create", "error_before")
    assert len(at_broker(simulator, order)) == exists
    shut = Operation.objects.filter(subject=f"order:{order.pk}", order=None).order_by("id")
    assert [(each.kind, each.status) for each in shut] == ([("disable", 2), ("close_all", 2)] if exists else [])
    assert not TradingAccount.objects.filter(is_enabled=True).exists()


def test_cancelling_makes_no_further_call_than_it_must(simulator: Simulator, demo_group: AccountGroup):
    simulator.faults(fault("create", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    cancelled(order, clock())
    drive(order, clock)
    assert operations(order) == [("create", Operation.Status.DONE)]


def test_an_order_cancelled_while_it_is_being_enabled_does_not_become_ready(
    simulator: Simulator, demo_group: AccountGroup
):
    order = placed(demo_group)

    def clock_of_a_worker_that_is_overtaken() -> datetime:
        if Operation.objects.filter(order=order, kind="enable", status=Operation.Status.CALLING).exists():
            cancelled(order)
        return utc_now()

    advance_order(order_id=order.pk, clock=clock_of_a_worker_that_is_overtaken)
    order.refresh_from_db()
    assert (order.status, order.account) == (Status.OPENING, None)
    assert at_broker(simulator, order) == [(True, 100000.0)]

    clock = JumpingClock()
    order = drive(order, clock)
    run_due_operations(clock=clock)
    assert order.status == Status.CANCELLED
    assert at_broker(simulator, order) == [(False, 100000.0)]


def test_an_enabling_that_lands_late_is_undone(simulator: Simulator, demo_group: AccountGroup):
    clock = LateClock(simulator)
    simulator.faults(late_effect("enable"))
    order = placed(demo_group)
    advance_order(order_id=order.pk, clock=clock)
    cancelled(order)
    order = drive(order, clock)
    run_due_operations(clock=clock)
    assert order.status == Status.CANCELLED
    assert at_broker(simulator, order) == [(False, 100000.0)]


def test_the_account_of_a_cancelled_order_is_disabled_before_the_quarantine_ends(
    simulator: Simulator, demo_group: AccountGroup
):
    simulator.faults(fault("enable", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    assert at_broker(simulator, order) == [(True, 100000.0)]
    cancelled(order, clock())
    order = advance_order(order_id=order.pk, clock=clock)
    run_due_operations(clock=clock)
    assert order.status == Status.OPENING
    assert at_broker(simulator, order) == [(False, 100000.0)]


def test_an_order_in_review_can_be_cancelled(simulator: Simulator, demo_group: AccountGroup):
    demo_group.connection.api_key = "wrong"
    demo_group.connection.save()
    clock = JumpingClock()
    order = drive(placed(demo_group), clock)
    assert order.status == Status.NEEDS_REVIEW
    cancelled(order, clock())
    order = drive(order, clock)
    assert order.status == Status.CANCELLED
    assert operations(order) == [("create", Operation.Status.CANCELLED)]


def test_an_order_whose_creation_cannot_be_settled_goes_to_review_and_stays_cancelled_at_heart(
    simulator: Simulator, demo_group: AccountGroup
):
    simulator.faults(fault("create", "drop_after"), {"endpoint": "accounts-details", "fault": "truncate_after"})
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    cancelled(order, clock())
    order = drive(order, clock)
    assert order.status == Status.NEEDS_REVIEW
    assert order.review_reason.startswith("create account: Still in doubt: ")

    simulator.faults()
    resume_order(order_id=order.pk, reason="It answers again.", by=TESTER, now=clock())
    order = drive(order, clock)
    run_due_operations(clock=clock)
    assert order.status == Status.CANCELLED
    assert at_broker(simulator, order) == [(False, 0)]


def test_money_in_review_keeps_no_order_from_being_cancelled(simulator: Simulator, demo_group: AccountGroup):
    simulator.faults(fault("deposit", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    login = TradingAccount.objects.get(order=order).login
    by_hand = {"accountNumber": login, "unit": demo_group.unit, "amount": 7.0, "comment": "by hand"}
    simulator.post("accounts/deposit", by_hand)
    order = drive(order, clock)
    assert order.status == Status.NEEDS_REVIEW
    cancelled(order, clock())
    order = drive(order, clock)
    run_due_operations(clock=clock)
    assert order.status == Status.CANCELLED
    assert order.operations.get(kind="deposit").status == Operation.Status.NEEDS_REVIEW
    assert settles_at(order.operations.get(kind="deposit")) < clock()
    assert at_broker(simulator, order) == [(False, 100007.0)]

    deposit = order.operations.get(kind="deposit")
    assert not review_of(deposit).may_resume
    with pytest.raises(ConflictError, match="is cancelled: say how the call ended"):
        resume_operation(operation_id=deposit.pk, reason="again", by=TESTER, now=clock())
    deposit.refresh_from_db()
    assert deposit.status == Operation.Status.NEEDS_REVIEW


def test_the_database_refuses_a_cancelled_order_that_is_ready(simulator: Simulator, demo_group: AccountGroup):
    order = drive(placed(demo_group))
    with pytest.raises(IntegrityError, match="order_ready_is_not_cancelled"), transaction.atomic():
        AccountOrder.objects.filter(pk=order.pk).update(cancel_asked_at=utc_now())


def test_the_owner_takes_the_account_of_a_ready_order_out(simulator: Simulator, demo_group: AccountGroup):
    order = drive(placed(demo_group))
    assert order.account is not None
    request_disable_and_flatten(subject="purchase:1:end", account=order.account, by=TESTER, now=utc_now())
    run_due_operations(clock=utc_now)
    assert at_broker(simulator, order) == [(False, 100000.0)]
