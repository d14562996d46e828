"""Broker pages: the key is write-only, a connection can be tried, and what waits for staff can be taken up again."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from brokers.models import AccountOrder, AccountOrderEvent, BrokerConnection, BrokerOperation, BrokerOperationEvent
from challenges.models import UnitWatch
from propdesk.lib.times import utc_now
from purchases.models import Customer, PayerAccount
from tests.propdesk.admin.rows import Firm, make_firm, sell
from tests.simulator import Simulator


@pytest.fixture
def client(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def firm(transactional_db: None) -> Firm:
    return make_firm()


def button_url(model: str, pk: int, name: str) -> str:
    return reverse(f"admin:{model}_button", args=[pk, name])


CONNECTION = {
    "name": "ThinkMarkets", "base_url": "http://127.0.0.1:8100", "key_header": "Authorization", "is_enabled": "on",
    "deadline_seconds": 10, "settle_seconds": 15, "quarantine_seconds": 60,
    "calls_per_second": 100,
}  # fmt: skip


def test_an_empty_key_keeps_the_stored_one_and_a_new_one_replaces_it(client: Client, firm: Firm) -> None:
    url = reverse("admin:brokers_brokerconnection_change", args=[firm.connection.pk])
    assert client.post(url, {**CONNECTION, "new_api_key": ""}).status_code == 302
    assert BrokerConnection.objects.get().api_key == "not shown anywhere"
    assert client.post(url, {**CONNECTION, "new_api_key": "another"}).status_code == 302
    assert BrokerConnection.objects.get().api_key == "another"


def test_a_new_connection_needs_a_key(client: Client) -> None:
    response = client.post(reverse("admin:brokers_brokerconnection_add"), {**CONNECTION, "new_api_key": ""})
    assert response.context["adminform"].form.errors == {"new_api_key": ["This field is required."]}
    assert not BrokerConnection.objects.exists()


def test_a_foreign_host_is_refused_so_that_no_key_is_sent_there(client: Client) -> None:
    data = {**CONNECTION, "new_api_key": "key", "base_url": "https://example.com"}
    response = client.post(reverse("admin:brokers_brokerconnection_add"), data)
    (message,) = response.context["adminform"].form.errors["base_url"]
    assert message.startswith("The host 'example.com' is not on the list of broker hosts.")
    assert not BrokerConnection.objects.exists()


def test_trying_a_connection_shows_latency_and_units(
    client: Client, simulator: Simulator, broker_connection: BrokerConnection
) -> None:
    # With the patience of the fixture a machine that stops for two seconds would be a broker that does not answer.
    BrokerConnection.objects.update(deadline_seconds=30)
    url = button_url("brokers_brokerconnection", broker_connection.pk, "test")
    page = client.post(url, follow=True).content.decode()
    assert "The broker answered in" in page
    assert f"{simulator.demo_unit} (PROP_DEMO_USD)" in page


def test_a_connection_that_is_not_answered_says_so(client: Client, firm: Firm) -> None:
    BrokerConnection.objects.update(base_url="http://127.0.0.1:1")
    page = client.post(button_url("brokers_brokerconnection", firm.connection.pk, "test"), follow=True).content.decode()
    assert "The broker could not be reached:" in page


def test_an_operation_in_review_is_taken_up_again_with_a_reason(client: Client, firm: Firm) -> None:
    operation = sell(firm, 1).operation
    BrokerOperation.objects.filter(pk=operation.pk).update(
        status=BrokerOperation.Status.NEEDS_REVIEW, review_reason="The transfers do not add up.", was_in_doubt=True
    )
    url = button_url("brokers_brokeroperation", operation.pk, "resume")
    assert client.post(url, {"reason": "Checked with the broker."}).status_code == 302
    operation.refresh_from_db()
    assert operation.status == BrokerOperation.Status.IN_DOUBT
    event = BrokerOperationEvent.objects.filter(subject_id=operation.pk).latest("id")
    assert (event.actor, event.reason) == ("boss", "Checked with the broker.")


def test_a_finished_operation_offers_no_button(client: Client, firm: Firm) -> None:
    operation = sell(firm, 1).operation
    client.post(button_url("brokers_brokeroperation", operation.pk, "resume"), {"reason": "again"})
    operation.refresh_from_db()
    assert operation.status == BrokerOperation.Status.DONE


def test_an_order_in_review_goes_on(client: Client, firm: Firm) -> None:
    order = sell(firm, 1).enrollment.order
    AccountOrder.objects.filter(pk=order.pk).update(
        status=AccountOrder.Status.NEEDS_REVIEW, review_reason="No answer for an hour."
    )
    client.post(button_url("brokers_accountorder", order.pk, "resume"), {"reason": "The broker is back."})
    order.refresh_from_db()
    assert order.status == AccountOrder.Status.OPENING
    assert AccountOrderEvent.objects.filter(subject_id=order.pk).latest("id").reason == "The broker is back."


def test_halted_enforcement_goes_on_when_staff_confirm_the_figures(client: Client, firm: Firm) -> None:
    watch = UnitWatch.objects.get()
    UnitWatch.objects.update(halted_at=utc_now(), halt_reason="25 of 30 accounts broke a rule at one reading.")
    client.post(button_url("challenges_unitwatch", watch.pk, "confirm"), {"reason": "Flash crash, figures are right."})
    watch.refresh_from_db()
    assert watch.halted_at is None
    assert watch.confirmed_until is not None


def test_a_payer_account_must_be_real(client: Client, firm: Firm) -> None:
    sold = sell(firm, 1)
    customer = Customer.objects.create(email="new@example.com", first_name="New", last_name="Customer")
    data = {
        "first_name": "New", "last_name": "Customer", "email": "new@example.com", "status": 0, "brand": "default",
        "payer_accounts-TOTAL_FORMS": 1, "payer_accounts-INITIAL_FORMS": 0,
        "payer_accounts-0-account": sold.enrollment.account_id, "payer_accounts-0-is_enabled": "on",
    }  # fmt: skip
    response = client.post(reverse("admin:purchases_customer_change", args=[customer.pk]), data)
    assert "a payer needs a REAL one." in response.content.decode()
    assert not PayerAccount.objects.filter(customer=customer).exists()
