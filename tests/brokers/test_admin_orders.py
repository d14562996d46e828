"""The page of an account order: staff cancel it wherever that is legal, and it says the truth about its steps."""

import pytest
from django.test import Client
from django.urls import reverse

from brokers.models import AccountGroup, AccountOrder, AccountOrderEvent, BrokerOperation
from brokers.services import advance_order, run_due_operations
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import record
from tests.brokers.driving import TESTER, JumpingClock, drive, fault, placed
from tests.brokers.pages import button_of, page_of, press, read, token_of, told
from tests.propdesk.admin.rows import Firm, make_firm, sell
from tests.simulator import Simulator

Status = AccountOrder.Status


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm()


def given_up(order: AccountOrder) -> None:
    """As after half an hour without an answer to trust."""
    BrokerOperation.objects.filter(order=order).update(
        status=BrokerOperation.Status.NEEDS_REVIEW, review_reason="No answer."
    )
    AccountOrder.objects.filter(pk=order.pk).update(status=Status.NEEDS_REVIEW, review_reason="create: No answer.")


def test_an_order_that_has_not_begun_is_cancelled_at_once(boss: Client, firm: Firm) -> None:
    order = placed(firm.demo, "purchase:9")
    url = button_of(order, "cancel")
    question = read(boss, url)
    assert "It was ordered for purchase:9. A purchase fails by this" in question
    assert "No step has been taken yet." in read(boss, page_of(order))
    response = press(boss, url, "The buyer left.")
    assert told(response) == ["The order is cancelled: nothing of it had begun."]
    order.refresh_from_db()
    assert (order.status, order.cancel_reason) == (Status.CANCELLED, "The buyer left.")
    assert AccountOrderEvent.objects.filter(subject_id=order.pk).latest("id").actor == "boss"
    page = read(boss, page_of(order))
    assert "It is done: nothing of the order is under way any more." in page
    assert "It ended before its first step: nothing was done at the broker." in page


def test_an_order_under_way_is_wound_up(boss: Client, simulator: Simulator, demo_group: AccountGroup) -> None:
    simulator.faults(fault("deposit", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    url = button_of(order, "cancel")
    token = token_of(boss, url)
    first, second = press(boss, url, "The buyer left.", token), press(boss, url, "The buyer left.", token)
    assert told(first) == ["The order is being wound up. Reload the page to see how it goes on."]
    assert told(second) == ["Cancel order: that was asked for already, and the order is being wound up."]
    assert AccountOrderEvent.objects.filter(subject_id=order.pk, actor="boss").count() == 1
    page = read(boss, page_of(order))
    assert "UTC: The buyer left." in page
    assert "The order is being wound up: what had begun is settled" in page
    assert url not in boss.get(page_of(order)).content.decode()

    order = drive(order, clock)
    run_due_operations(clock=clock)
    assert order.status == Status.CANCELLED
    stem = order.operations.get(kind="create").marker.split(".", 1)[0]
    assert [row["enabled"] for row in simulator.accounts_of(stem)] == [False]


def test_an_order_in_review_names_both_ways_out_and_can_be_cancelled(
    boss: Client, simulator: Simulator, demo_group: AccountGroup
) -> None:
    simulator.faults(fault("create", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    given_up(order)
    page = read(boss, page_of(order))
    creation = order.operations.get()
    assert f"Decide about operation {creation.pk} first." in page
    assert "Try again: the machine first reads at the broker" in page
    assert "Cancel order: what has begun is settled, and its account taken out." in page
    queue = read(boss, reverse("admin:brokers_review"))
    assert "Try again Cancel order" in queue

    press(boss, button_of(order, "cancel"), "Too late for the buyer.")
    order = drive(order, clock)
    run_due_operations(clock=clock)
    assert order.status == Status.CANCELLED


def test_a_winding_up_that_stops_goes_on_when_it_is_tried_again(
    boss: Client, simulator: Simulator, demo_group: AccountGroup
) -> None:
    simulator.faults(fault("create", "drop_after"))
    order, clock = placed(demo_group), JumpingClock()
    advance_order(order_id=order.pk, clock=clock)
    press(boss, button_of(order, "cancel"), "The buyer left.")
    given_up(order)
    page = read(boss, page_of(order))
    assert "Trying again goes on with it, and opens nothing." in page
    assert "It is being cancelled: trying again goes on with that." in read(boss, reverse("admin:brokers_review"))
    response = press(boss, button_of(order, "resume"), "The broker answers again.")
    assert told(response) == ["The machine goes on winding the order up."]
    assert drive(order, clock).status == Status.CANCELLED


def test_an_order_that_is_ready_is_not_cancelled(boss: Client, firm: Firm) -> None:
    order = sell(firm, 1).enrollment.order
    url = button_of(order, "cancel")
    assert url not in boss.get(page_of(order)).content.decode()
    response = boss.post(url, {"reason": "Please."}, follow=True)
    said = (
        f"Cancel order: the order is ready, and account {order.account} is in use. "
        "Take it out of trading on its own page."
    )
    assert told(response) == [said]
    order.refresh_from_db()
    assert (order.status, order.cancel_asked_at) == (Status.READY, None)


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_an_order_that_is_over_is_not_cancelled(boss: Client, firm: Firm, status: AccountOrder.Status) -> None:
    order = placed(firm.demo)
    AccountOrder.objects.filter(pk=order.pk).update(status=status, failure_reason="test")
    response = boss.post(button_of(order, "cancel"), {"reason": "Please."}, follow=True)
    assert told(response) == [f"Cancel order: the order is {status.label} already."]


def test_who_may_only_look_cannot_cancel(viewer: Client, firm: Firm) -> None:
    order = placed(firm.demo)
    url = button_of(order, "cancel")
    assert url not in viewer.get(page_of(order)).content.decode()
    assert viewer.get(url).status_code == 403
    assert viewer.post(url, {"reason": "Please."}).status_code == 403
    order.refresh_from_db()
    assert (order.status, order.cancel_asked_at) == (Status.REQUESTED, None)


def test_cancelling_needs_a_reason(boss: Client, firm: Firm) -> None:
    order = placed(firm.demo)
    response = boss.post(button_of(order, "cancel"), {"reason": " "})
    assert response.context["form"].errors == {"reason": ["This field is required."]}
    order.refresh_from_db()
    assert order.status == Status.REQUESTED


def test_an_order_that_was_loaded_says_where_it_comes_from(boss: Client, firm: Firm) -> None:
    account = sell(firm, 1).enrollment.account
    assert account is not None
    now = utc_now()
    BrokerOperation.objects.filter(account=account).delete()
    AccountOrder.objects.update(account=None, status=Status.CANCELLED, ready_at=None)
    loaded = AccountOrder.objects.create(
        reference="demo:trader:1", group=firm.demo, deposit=1, account=account, status=Status.READY, ready_at=now,
        next_at=now, created_at=now, updated_at=now,
    )  # fmt: skip
    said = f"None is recorded, although account {account} is ready: it was not opened by recorded steps."
    assert said in read(boss, page_of(loaded))
    record(loaded, source=None, by=TESTER, reason="Loaded with the demo.", now=now)
    said = (
        "None is recorded. The order was entered as ready (test: Loaded with the demo): "
        f"account {account} was not opened by steps of PropDesk."
    )
    assert said in read(boss, page_of(loaded))


def test_an_operation_that_is_tried_again_names_the_order_that_waits(boss: Client, firm: Firm) -> None:
    order = sell(firm, 1).enrollment.order
    AccountOrder.objects.filter(pk=order.pk).update(status=Status.NEEDS_REVIEW, review_reason="No answer.")
    operation = order.operations.get(kind="enable")
    BrokerOperation.objects.filter(pk=operation.pk).update(
        status=BrokerOperation.Status.NEEDS_REVIEW, review_reason="No answer.", finished_at=None
    )
    response = press(boss, button_of(operation, "resume"))
    said = (
        "The machine takes it up again: by reading the broker first if the call may have been made. "
        f"Its order {order} still waits: have it tried again."
    )
    assert told(response) == [said]


def test_what_was_refused_says_what_that_means(boss: Client, firm: Firm) -> None:
    sold = sell(firm, 1)
    refused = {"status": BrokerOperation.Status.REFUSED, "error_code": "BROKER_REFUSED", "error_message": "No."}
    BrokerOperation.objects.update(**refused)
    page = read(boss, page_of(sold.operation))
    assert "No money was moved. Whoever asked for it goes on from there: purchase:1:payment." in page
    order = sold.enrollment.order
    page = read(boss, page_of(order.operations.get(kind="deposit")))
    assert f"Nothing was done. Its order {order} is ready." in page
