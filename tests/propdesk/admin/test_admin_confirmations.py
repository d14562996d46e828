"""What was decided on a confirmation page is done only while the record stands as the page showed it."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from brokers.models import BrokerOperation, BrokerOperationEvent, Difference
from brokers.services import resume_operation
from challenges.models import UnitWatch
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import transition
from tests.brokers.driving import TESTER, withdrawal
from tests.propdesk.admin.rows import STAFF, Firm, make_difference, make_firm, sell

CHANGED = "It has changed since you opened this page: look again."
Status = BrokerOperation.Status


@pytest.fixture
def client(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def firm(transactional_db: None) -> Firm:
    return make_firm()


def button(row: Any, name: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_button", args=[row.pk, name])


def opened(client: Client, url: str) -> dict[str, str]:
    """What the confirmation page carries back when it is posted."""
    form = client.get(url).context["form"]
    return {"token": str(form["token"].value()), "standing": str(form["standing"].value())}


def told(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def in_review(firm: Firm) -> BrokerOperation:
    paid = sell(firm, 1).operation.account
    assert paid is not None
    operation = withdrawal(paid, subject="test:1")
    to_review(operation)
    return operation


def to_review(operation: BrokerOperation) -> None:
    operation.refresh_from_db()
    if operation.status == Status.INTENDED:
        transition(operation, to=Status.CALLING, by=TESTER, now=utc_now())
    transition(operation, to=Status.NEEDS_REVIEW, by=TESTER, now=utc_now(), review_reason="Two new transfers.")


def events_of(operation: BrokerOperation) -> list[int]:
    return list(BrokerOperationEvent.objects.filter(subject_id=operation.pk).values_list("to_status", flat=True))


def test_a_conclusion_about_what_has_been_tried_again_since_is_not_drawn(client: Client, firm: Firm) -> None:
    operation = in_review(firm)
    url = button(operation, "did_not_happen")
    page = opened(client, url)
    # Another one has it tried again; the money may have moved meanwhile, and it is in review again, as before.
    resume_operation(operation_id=operation.pk, reason="Once more.", by=STAFF, now=utc_now())
    to_review(operation)
    before = events_of(operation)

    answer = client.post(url, {"reason": "Not in the portal.", **page})

    assert told(answer) == [CHANGED]
    operation.refresh_from_db()
    assert (operation.status, events_of(operation)) == (Status.NEEDS_REVIEW, before)
    assert not LogEntry.objects.exists()
    # The page is shown anew, with what was typed, for how it stands now.
    form = answer.context["form"]
    assert (form["reason"].value(), form.errors) == ("Not in the portal.", {})
    assert form["standing"].value() not in {page["standing"], "", None}
    assert f'value="{form["standing"].value()}"' in answer.content.decode()
    anew = {name: form[name].value() for name in ("reason", "token", "standing")}
    client.post(url, anew)
    operation.refresh_from_db()
    assert operation.status == Status.REFUSED


def test_a_conclusion_about_what_stands_as_it_was_shown_is_drawn_once(client: Client, firm: Firm) -> None:
    operation = in_review(firm)
    url = button(operation, "did_not_happen")
    posted = {"reason": "Not in the portal.", **opened(client, url)}

    first, second = client.post(url, posted, follow=True), client.post(url, posted, follow=True)

    assert told(first) == ["Concluded by you as refused."]
    assert told(second) == [f"It did not happen: not possible for {operation} as it stands now."]
    operation.refresh_from_db()
    assert operation.status == Status.REFUSED
    assert events_of(operation) == [Status.INTENDED, Status.CALLING, Status.NEEDS_REVIEW, Status.REFUSED]


def test_what_a_machine_writes_at_every_round_is_no_change(client: Client, firm: Firm) -> None:
    operation = in_review(firm)
    url = button(operation, "did_not_happen")
    page = opened(client, url)
    later = utc_now() + timedelta(minutes=1)
    BrokerOperation.objects.filter(pk=operation.pk).update(leased_until=later, next_at=later)
    client.post(url, {"reason": "Not in the portal.", **page})
    operation.refresh_from_db()
    assert operation.status == Status.REFUSED


def test_a_difference_that_is_seen_again_is_acknowledged_and_one_of_other_figures_is_not(
    client: Client, firm: Firm
) -> None:
    difference = make_difference(sell(firm, 1).enrollment.account, 1)
    url = button(difference, "acknowledge")
    row = Difference.objects.filter(pk=difference.pk)
    page = opened(client, url)
    row.update(last_seen_at=utc_now(), updated_at=utc_now(), theirs="enabled, with 3 open positions")
    assert told(client.post(url, {"reason": "Known.", **page})) == [CHANGED]
    assert row.get().status == Difference.Status.OPEN

    page = opened(client, url)
    row.update(last_seen_at=utc_now(), updated_at=utc_now())
    client.post(url, {"reason": "Known.", **page})
    assert row.get().status == Difference.Status.ACKNOWLEDGED


def test_figures_of_another_halt_are_not_confirmed(client: Client, firm: Firm) -> None:
    watch = UnitWatch.objects.get()
    halted_at = utc_now()
    UnitWatch.objects.update(halted_at=halted_at, halt_reason="25 of 30 accounts.")
    url = button(watch, "confirm")
    page = opened(client, url)
    UnitWatch.objects.update(halted_at=halted_at + timedelta(minutes=5), halt_reason="28 of 30 accounts.")
    assert told(client.post(url, {"reason": "Flash crash.", **page})) == [CHANGED]
    watch.refresh_from_db()
    assert (watch.halt_reason, watch.confirmed_until) == ("28 of 30 accounts.", None)

    page = opened(client, url)
    UnitWatch.objects.update(last_read_at=utc_now(), accounts_judged=7)
    client.post(url, {"reason": "Flash crash.", **page})
    watch.refresh_from_db()
    assert watch.halted_at is None
