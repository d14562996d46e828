"""Account orders against the real simulator: whatever the broker does to us, one enabled account with one deposit."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from celery import current_app
from django.db import connection, transaction

import brokers.tasks  # noqa: F401  (registers the tasks)
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.client.transport import Reply, Transport
from brokers.models import AccountGroup, AccountOrder, BrokerConnection, BrokerOperation, TradingAccount
from brokers.services import advance_order, resume_order, run_due_operations
from propdesk.lib.times import utc_now
from tests.brokers.driving import TESTER, JumpingClock, adopted, drive, fault, placed, settles_at, statuses
from tests.simulator import Simulator

Status = AccountOrder.Status
Operation = BrokerOperation


def accounts_at_broker(simulator: Simulator, order: AccountOrder) -> list[dict[str, Any]]:
    creation = order.operations.get(kind="create", generation=1)
    return simulator.accounts_of(creation.marker.split(".", 1)[0])


def assert_one_good_account(simulator: Simulator, order: AccountOrder) -> None:
    assert order.status == Status.READY, (order.failure_reason, order.review_reason)
    (at_broker,) = [row for row in accounts_at_broker(simulator, order) if row["enabled"]]
    account = adopted(order)
    assert at_broker["accountNumber"] == account.login
    assert at_broker["balance"] == 100000.0
    assert (account.is_enabled, account.is_funded, account.is_orphan) == (True, True, False)


def test_an_order_ends_with_one_enabled_account_that_holds_its_deposit(simulator: Simulator, demo_group: AccountGroup):
    order = advance_order(order_id=placed(demo_group).pk, clock=utc_now)

    assert_one_good_account(simulator, order)
    (at_broker,) = accounts_at_broker(simulator, order)
    assert at_broker["email"] == adopted(order).marker
    assert at_broker["email"].endswith(".1@accounts.propdesk.example")
    assert [(each["amount"], each["type"]) for each in at_broker["transfers"]] == [("100000.00000000", "DEPOSIT")]
    assert not order.was_in_doubt
    assert statuses(order) == [Status.REQUESTED, Status.OPENING, Status.READY]
    done = Operation.objects.filter(order=order).order_by("id").values_list("kind", "status", "attempts")
    assert list(done) == [("create", 2, 1), ("deposit", 2, 1), ("enable", 2, 1)]


def test_the_same_reference_is_the_same_order(demo_group: AccountGroup):
    assert placed(demo_group).pk == placed(demo_group).pk
    assert AccountOrder.objects.count() == 1
    assert statuses(AccountOrder.objects.get()) == [Status.REQUESTED]


def test_an_order_rolls_back_with_its_owner(demo_group: AccountGroup):
    with transaction.atomic():
        placed(demo_group)
        transaction.set_rollback(True)
    assert not AccountOrder.objects.exists()


def test_a_group_without_deposit_gives_an_empty_account(simulator: Simulator, demo_group: AccountGroup):
    demo_group.default_deposit = Decimal(0)
    demo_group.save()
    order = drive(placed(demo_group))
    assert order.status == Status.READY
    assert accounts_at_broker(simulator, order)[0]["transfers"] == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make calls of an endpoint that wait for their answer a second only."""
    patient = Transport.send

    def make(endpoint: str) -> None:
        def send(self: Transport, method: str, path: str, *args: Any, **more: Any) -> Reply:
            hurried = replace(self, deadline=1.0) if path.endswith(f"/{endpoint}") else self
            return patient(hurried, method, path, *args, **more)

        monkeypatch.setattr(Transport, "send", send)

    return make


@pytest.mark.parametrize("kind", ["drop_after", "truncate_after", "error_after", "delay_after"])
@pytest.mark.parametrize("endpoint", ["create", "deposit", "enable"])
def test_a_lost_reply_changes_nothing(
    simulator: Simulator, demo_group: AccountGroup, impatient: Callable[[str], None], endpoint: str, kind: str
):
    if kind == "delay_after":
        impatient(endpoint)
    simulator.faults(fault(endpoint, kind, seconds=600))
    order = drive(placed(demo_group))

    assert simulator.injected() == 1
    assert_one_good_account(simulator, order)
    assert len(accounts_at_broker(simulator, order)) == 1
    assert len(accounts_at_broker(simulator, order)[0]["transfers"]) == 1
    # Enabling once more does no harm, so only the other two put the order into quarantine.
    assert order.was_in_doubt == (endpoint != "enable")


@pytest.mark.parametrize("endpoint", ["create", "deposit", "enable"])
def test_a_call_that_failed_before_it_had_an_effect_is_made_again(
    simulator: Simulator, demo_group: AccountGroup, endpoint: str
):
    simulator.faults(fault(endpoint, "error_before"))
    order = drive(placed(demo_group))

    assert_one_good_account(simulator, order)
    assert len(accounts_at_broker(simulator, order)) == 1
    assert len(accounts_at_broker(simulator, order)[0]["transfers"]) == 1


def test_a_creation_without_effect_is_followed_by_one_under_another_address(
    simulator: Simulator, demo_group: AccountGroup
):
    simulator.faults(fault("create", "error_before"))
    order = drive(placed(demo_group))

    first, second = order.operations.filter(kind="create").order_by("generation")
    assert (first.status, second.status) == (Operation.Status.CANCELLED, Operation.Status.DONE)
    assert first.marker.replace(".1@", ".2@") == second.marker


def test_absence_is_concluded_only_from_a_reading_begun_after_the_settle_time(
    simulator: Simulator, demo_group: AccountGroup
):
    # Long beside the time that the calls take.
    BrokerConnection.objects.update(settle_seconds=600)
    simulator.faults(fault("create", "error_before"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    creation = order.operations.get()
    for _ in range(4):
        clock.jump_to(clock() + (settles_at(creation) - clock()) / 2)
        AccountOrder.objects.update(next_at=clock())
        Operation.objects.update(next_at=clock())
        advance_order(order_id=order.pk, clock=clock)
        creation.refresh_from_db()
        assert creation.status == Operation.Status.IN_DOUBT
    clock.jump_to(settles_at(creation))
    advance_order(order_id=order.pk, clock=clock)
    creation.refresh_from_db()
    assert creation.status == Operation.Status.CANCELLED


def test_a_list_that_misses_known_accounts_is_never_read_as_absent(
    simulator: Simulator, demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(3):
        login = simulator.open_account(unit=demo_group.unit)
        TradingAccount.objects.create(connection=demo_group.connection, group=demo_group, login=login)
    monkeypatch.setattr(ThinkMarkets, "accounts_details", lambda self, *, unit: {})
    simulator.faults(fault("create", "error_before"))
    order = drive(placed(demo_group))

    assert order.status == Status.NEEDS_REVIEW
    assert "misses too many of the 3 that we know" in order.review_reason
    assert order.operations.count() == 1


def test_a_refused_creation_fails_the_order_at_once(simulator: Simulator, demo_group: AccountGroup):
    demo_group.broker_group = "no such group"
    demo_group.save()
    order = advance_order(order_id=placed(demo_group).pk, clock=utc_now)

    assert order.status == Status.FAILED
    assert order.failure_reason.startswith("create account refused: ")
    assert order.account is None
    creation = order.operations.get()
    assert (creation.status, creation.attempts, creation.error_code) == (Operation.Status.REFUSED, 1, "BROKER_REFUSED")
    assert accounts_at_broker(simulator, order) == []
    assert advance_order(order_id=order.pk, clock=utc_now).operations.count() == 1


def test_a_refused_deposit_fails_the_order_and_disables_the_account(simulator: Simulator, demo_group: AccountGroup):
    demo_group.default_deposit = Decimal(2_000_000_000_000)
    demo_group.save()
    order = advance_order(order_id=placed(demo_group).pk, clock=utc_now)
    run_due_operations(clock=utc_now)

    assert order.status == Status.FAILED
    assert order.failure_reason.startswith("deposit refused: ")
    (at_broker,) = accounts_at_broker(simulator, order)
    assert (at_broker["enabled"], at_broker["balance"]) == (False, 0)
    shut = Operation.objects.filter(subject=f"order:{order.pk}", order=None).order_by("id")
    assert [(each.kind, each.status) for each in shut] == [("disable", 2), ("close_all", 2)]


def test_throttling_and_a_broker_that_is_down_only_delay(simulator: Simulator, demo_group: AccountGroup):
    simulator.faults({"endpoint": "create", "fault": "too_many_requests", "times": 2})
    broker = demo_group.connection
    broker.base_url = "http://127.0.0.1:9"
    broker.save()
    order, clock = placed(demo_group), JumpingClock()
    order = advance_order(order_id=order.pk, clock=clock)
    assert order.status == Status.OPENING
    assert order.operations.get().error_message == "The broker cannot be reached."

    broker.base_url = simulator.base_url
    broker.save()
    order = drive(order, clock)
    assert_one_good_account(simulator, order)
    assert not order.was_in_doubt
    assert order.operations.get(kind="create").attempts == 1


def test_a_key_that_stays_refused_ends_in_review_with_the_reason(demo_group: AccountGroup):
    demo_group.connection.api_key = "wrong"
    demo_group.connection.save()
    order = drive(placed(demo_group))
    assert order.status == Status.NEEDS_REVIEW
    assert "does not accept our key (401)" in order.review_reason


def test_a_connection_that_is_switched_off_is_not_called(simulator: Simulator, demo_group: AccountGroup):
    demo_group.connection.is_enabled = False
    demo_group.connection.save()
    order = advance_order(order_id=placed(demo_group).pk, clock=utc_now)
    assert order.status == Status.OPENING
    assert not order.operations.exists()
    assert order.leased_until is None


def test_money_that_staff_moved_meanwhile_is_not_guessed_about(simulator: Simulator, demo_group: AccountGroup):
    simulator.faults(fault("deposit", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    login = TradingAccount.objects.get(order=order).login
    simulator.post(
        "accounts/deposit", {"accountNumber": login, "unit": demo_group.unit, "amount": 7.0, "comment": "by hand"}
    )
    order = drive(order, clock)

    assert order.status == Status.NEEDS_REVIEW
    assert "2 new transfers moved 100,007.00, where 100,000.00 or nothing" in order.review_reason
    assert not simulator.account(login)["enabled"]


def test_an_account_that_holds_anything_but_its_deposit_is_not_enabled(simulator: Simulator, demo_group: AccountGroup):
    simulator.faults(fault("deposit", "error_before"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    order.operations.filter(kind="deposit").update(status=Operation.Status.DONE, baseline=None)
    order = drive(order, clock)
    assert order.status == Status.NEEDS_REVIEW
    assert order.review_reason == "The account holds -100,000.00 beside its deposit of 100,000.00."
    assert not order.operations.filter(kind="enable").exists()
    (at_broker,) = accounts_at_broker(simulator, order)
    assert at_broker["enabled"] is False


def test_staff_resume_an_order_in_review(simulator: Simulator, demo_group: AccountGroup):
    demo_group.connection.api_key = "wrong"
    demo_group.connection.save()
    clock = JumpingClock()
    order = drive(placed(demo_group), clock)
    demo_group.connection.api_key = simulator.api_key
    demo_group.connection.save()
    resume_order(order_id=order.pk, reason="The key was renewed.", by=TESTER, now=clock())

    order = drive(order, clock)
    assert_one_good_account(simulator, order)
    assert order.review_reason == ""


def test_celery_finds_the_tasks_under_the_names_that_services_nudge(demo_group: AccountGroup):
    order = placed(demo_group)
    current_app.tasks["brokers.advance_order"](order.pk)
    order.refresh_from_db()
    assert order.status == Status.READY
    assert "brokers.run_operation" in current_app.tasks


def test_what_staff_decide_about_an_order_meanwhile_counts(simulator: Simulator, demo_group: AccountGroup):
    order = placed(demo_group)

    def clock_of_a_worker_that_is_overtaken() -> datetime:
        enabling = Operation.objects.filter(order=order, kind="enable").exists()
        AccountOrder.objects.filter(pk=order.pk, status=Status.OPENING).update(
            status=Status.CANCELLED if enabling else Status.OPENING
        )
        return utc_now()

    order = advance_order(order_id=order.pk, clock=clock_of_a_worker_that_is_overtaken)
    assert (order.status, order.account, order.leased_until) == (Status.CANCELLED, None, None)


def test_an_order_is_not_advanced_inside_a_transaction(demo_group: AccountGroup):
    order = placed(demo_group)
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        advance_order(order_id=order.pk, clock=utc_now)
    assert not order.operations.exists()


def test_the_password_is_nowhere_in_the_database(demo_group: AccountGroup, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("brokers.services.procedures.new_password", lambda: "Canary-Passw0rd!")
    order = drive(placed(demo_group))
    assert order.status == Status.READY
    with connection.cursor() as cursor:
        for table in (
            "brokers_brokeroperation",
            "brokers_accountorder",
            "brokers_tradingaccount",
            "brokers_brokeroperationevent",
        ):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%%Canary-Passw0rd%%'")
            assert cursor.fetchone() == (0,)
