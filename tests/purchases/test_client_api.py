import time
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from brokers.models import BrokerOperation
from programs.services import save_program, set_status
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token
from propdesk.lib.times import utc_now
from purchases.api.purchases import BuyInput, PurchaseOutput, purchase_json
from purchases.models import Customer, PayerAccount, Purchase, PurchaseEvent
from purchases.services import balances
from purchases.services.balances import READ_SECONDS
from tests.purchases.rooms import STAFF, Shop, make_customer, make_program
from tests.simulator import Simulator

PREVIEW = "/client/prop/challenge/preview"
PROGRAMS = "/client/prop/programs"


def client_for(user: User, session: Session) -> APIClient:
    grant_session(user=user, session=session)
    _, secret = issue_token(user=user, session=session, name="test", by=STAFF, now=utc_now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def sign_in(customer: Customer) -> APIClient:
    user = User.objects.create_user(f"user-{customer.pk}")
    Customer.objects.filter(pk=customer.pk).update(user=user)
    return client_for(user, Session.CUSTOMER)


@pytest.fixture
def client(shop: Shop) -> APIClient:
    return sign_in(shop.customer)


def test_programs_on_sale_are_listed_in_their_order_with_their_steps(shop: Shop, client: APIClient) -> None:
    demo, real = (phase.account_group for phase in shop.program.phases.order_by("phase_index"))
    make_program(first=demo, funded=real, price=Decimal(99), now=shop.now, name="First", sort_index=-1)
    off = make_program(first=demo, funded=real, price=Decimal(1), now=shop.now, name="Off")
    set_status(program_id=off.pk, to=off.Status.DISABLED, by=STAFF, now=shop.now)
    make_program(first=demo, funded=real, price=Decimal(1), now=shop.now, name="Elsewhere", brand="other")

    answer = client.get(PROGRAMS)

    assert answer.status_code == 200
    first, second = answer.json()["rows"]
    assert first["name"] == "First"
    steps = second.pop("steps")
    assert second == {
        "id": shop.program.pk, "brand": "default", "name": "Evaluation 100K", "display_name": "Evaluation 100K",
        "description": "", "short_description": "", "price": 499.0, "price_currency": "USD",
        "price_label": "USD 499.000000", "profit_split": 0.8, "status": 0, "sort_index": 0,
    }  # fmt: skip
    assert steps[0] == {
        "phase_index": 1, "phase_type": 0, "name": "Evaluation", "account_group": "PROP_DEMO_USD",
        "initial_balance": 100000.0, "duration_days": 0, "max_daily_loss_pct": 5.0, "max_total_loss_pct": 10.0,
        "max_daily_profit_pct": 0.0, "profit_target_pct": 8.0, "profit_split": 0.0, "min_trading_days": 0,
        "max_trading_days": 0, "max_positions": 0,
    }  # fmt: skip
    assert [step["account_group"] for step in steps] == ["PROP_DEMO_USD", "PROP_REAL_USD"]


def test_listing_more_programs_takes_no_more_queries(
    shop: Shop, client: APIClient, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get(PROGRAMS)
    with CaptureQueriesContext(connection) as one:
        client.get(PROGRAMS)
    demo, real = (phase.account_group for phase in shop.program.phases.order_by("phase_index"))
    for number in range(5):
        make_program(first=demo, funded=real, price=Decimal(99), now=shop.now, name=f"Program {number}")

    with django_assert_num_queries(len(one)):
        assert len(client.get(PROGRAMS).json()["rows"]) == 6


def test_programs_of_another_brand_can_be_asked_for(shop: Shop, client: APIClient) -> None:
    save_program(program_id=shop.program.pk, data={"brand": "other"}, by=STAFF, now=shop.now)

    assert client.get(PROGRAMS).json() == {"rows": []}
    assert [row["id"] for row in client.get(f"{PROGRAMS}?brand=other").json()["rows"]] == [shop.program.pk]


def test_one_program_can_be_looked_at_while_it_is_on_sale(shop: Shop, client: APIClient) -> None:
    path = f"{PROGRAMS}/{shop.program.pk}"
    assert client.get(path).json()["name"] == "Evaluation 100K"

    set_status(program_id=shop.program.pk, to=shop.program.Status.DISABLED, by=STAFF, now=shop.now)

    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


def test_payer_accounts_are_the_customers_own_with_their_balance_of_this_moment(
    shop: Shop, client: APIClient, simulator: Simulator
) -> None:
    simulator.set(shop.payer.account.login, balance=600)

    answer = client.get(f"{PROGRAMS}/{shop.program.pk}/payer-accounts")

    assert answer.json() == {"rows": [
        {"login": shop.payer.account.login, "currency": "USD", "balance": 600.0, "eligible": True,
         "block_reason": None, "block_reason_message": None},
    ]}  # fmt: skip
    other = sign_in(make_customer("bob@example.com"))
    assert other.get(f"{PROGRAMS}/{shop.program.pk}/payer-accounts").json() == {"rows": []}


def test_a_payer_account_that_cannot_pay_says_why(shop: Shop, client: APIClient, simulator: Simulator) -> None:
    simulator.set(shop.payer.account.login, balance=10)

    (row,) = client.get(f"{PROGRAMS}/{shop.program.pk}/payer-accounts").json()["rows"]

    assert (row["eligible"], row["block_reason"]) == (False, "NOT_ENOUGH_FUNDS")
    assert row["block_reason_message"] == "The payer account holds less than the price."


def test_a_preview_says_what_a_buy_would_cost(shop: Shop, client: APIClient) -> None:
    body = {"program_id": shop.program.pk, "payer_login": shop.payer.account.login}

    answer = client.post(PREVIEW, body, format="json")

    assert answer.status_code == 200
    assert answer.json() == {
        "can_buy": True, "price": 499.0, "currency": "USD", "payer_balance": 10000.0,
        "amount_account_currency": 499.0, "conversion_rate": 1.0, "warnings": [],
    }  # fmt: skip
    assert not Purchase.objects.exists()
    assert not BrokerOperation.objects.exists()


def test_a_preview_says_why_a_buy_would_be_refused(shop: Shop, client: APIClient, simulator: Simulator) -> None:
    simulator.set(shop.payer.account.login, balance=10)
    body = {"program_id": shop.program.pk, "payer_login": shop.payer.account.login}

    assert client.post(PREVIEW, body, format="json").json() == {
        "can_buy": False, "reason": "NOT_ENOUGH_FUNDS", "message": "The payer account holds less than the price.",
        "required_amount": 499.0, "available_balance": 10.0,
        "block_reason_message": "The payer account holds less than the price.",
    }  # fmt: skip


def test_a_preview_tells_nothing_about_another_customers_account(shop: Shop) -> None:
    other = sign_in(make_customer("bob@example.com"))
    body = {"program_id": shop.program.pk, "payer_login": shop.payer.account.login}

    answer = other.post(PREVIEW, body, format="json").json()

    assert (answer["reason"], answer["available_balance"]) == ("INVALID_PAYER_ACCOUNT", None)


def test_a_broker_that_does_not_answer_blocks_before_two_seconds_are_over(
    shop: Shop, client: APIClient, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert READ_SECONDS < 2
    monkeypatch.setattr(balances, "READ_SECONDS", READ_SECONDS)
    simulator.faults({"endpoint": "account-details", "fault": "delay_before", "seconds": 60})
    body = {"program_id": shop.program.pk, "payer_login": shop.payer.account.login}
    begun = time.monotonic()

    answer = client.post(PREVIEW, body, format="json").json()

    assert answer["reason"] == "PAYER_BALANCE_UNAVAILABLE"
    # Long before the broker would have answered; a machine that stands still is no matter here.
    assert time.monotonic() - begun < 30


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"payer_login": 1}, "program_id"),
        ({"program_id": 1}, "payer_login"),
        ({"program_id": "1", "payer_login": 1}, "program_id"),
        ({"program_id": True, "payer_login": 1}, "program_id"),
        ({"program_id": 1, "payer_login": 10**30}, "payer_login"),
        ({"program_id": 1, "payer_login": 1, "price": 1}, "price"),
        ([], ""),
    ],
)
def test_wrong_input_is_named(client: APIClient, body: Any, field: str) -> None:
    answer = client.post(PREVIEW, body, format="json")

    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_DATA")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_an_unknown_program_is_not_found(client: APIClient, shop: Shop) -> None:
    body = {"program_id": 10**18, "payer_login": shop.payer.account.login}

    assert client.post(PREVIEW, body, format="json").status_code == 404
    assert client.get(f"{PROGRAMS}/{10**30}/payer-accounts").status_code == 404


@pytest.mark.parametrize("path", [PROGRAMS, f"{PROGRAMS}/1", f"{PROGRAMS}/1/payer-accounts"])
def test_only_a_customer_session_may_look(shop: Shop, path: str) -> None:
    staff = client_for(User.objects.create_user("boss"), Session.ADMIN)

    assert (staff.get(path).status_code, staff.get(path).json()["error"]) == (403, "PERMISSION_DENIED")
    assert (APIClient().get(path).status_code, APIClient().get(path).json()["error"]) == (401, "UNAUTHORIZED")


def test_a_blocked_customer_is_turned_away(shop: Shop, client: APIClient) -> None:
    Customer.objects.update(status=Customer.Status.BLOCKED)

    assert client.get(PROGRAMS).status_code == 403


def test_a_customer_session_without_a_customer_is_turned_away(shop: Shop) -> None:
    nobody = client_for(User.objects.create_user("nobody"), Session.CUSTOMER)

    assert nobody.get(PROGRAMS).status_code == 403


def test_a_purchase_prints_the_documented_fields_in_their_order(shop: Shop) -> None:
    purchase = shop.buy(key="k-1").purchase

    printed = purchase_json(purchase)

    assert list(printed) == list(PurchaseOutput().fields)
    assert printed == {
        "id": purchase.pk, "program_id": shop.program.pk, "customer_id": shop.customer.pk,
        "payer_login": shop.payer.account.login, "account_login": 0, "status": 0, "status_name": "pending",
        "next_action": "WAIT_PAYMENT", "can_retry": False, "can_cancel": False, "amount": 499, "currency": "USD",
        "conversion_rate": 1, "amount_account_currency": 499, "comment": "PROP_CHALLENGE_PURCHASE_PENDING",
        "idempotency_key": "k-1", "payment_status": "pending", "activation_status": "pending", "failure_reason": "",
        "created_time": 1772452800, "updated_time": 1772452800,
    }  # fmt: skip


def test_what_is_to_be_done_next_follows_the_status(shop: Shop) -> None:
    purchase = shop.buy().purchase
    actions = {}
    for status in Purchase.Status:
        purchase.status = status
        actions[status.label] = purchase_json(purchase)["next_action"]
    purchase.review_reason = "two transfers"

    assert actions == {
        "pending": "WAIT_PAYMENT", "paid": "WAIT_ACCOUNT", "account_created": "WAIT_CHALLENGE",
        "active": "OPEN_CHALLENGE", "failed": "BUY_AGAIN", "refunded": "NONE",
    }  # fmt: skip
    assert purchase_json(purchase)["next_action"] == "CONTACT_SUPPORT"


@pytest.mark.parametrize("key", ["x" * 129, 5, None])
def test_an_idempotency_key_is_a_text_of_up_to_128_characters(key: Any) -> None:
    given = BuyInput(data={"program_id": 1, "payer_login": 1, "idempotency_key": key})

    assert not given.is_valid()
    assert set(given.errors) == {"idempotency_key"}


def test_events_of_purchases_cannot_be_changed(shop: Shop) -> None:
    shop.buy()

    with pytest.raises(DatabaseError):
        PurchaseEvent.objects.update(reason="never happened")
    with pytest.raises(DatabaseError):
        PurchaseEvent.objects.all().delete()


def test_payer_accounts_belong_to_one_customer(shop: Shop) -> None:
    with pytest.raises(DatabaseError):
        PayerAccount.objects.create(customer=make_customer("bob@example.com"), account=shop.payer.account)


def test_an_account_that_the_broker_has_disabled_cannot_pay_until_it_is_enabled_again(
    shop: Shop, client: APIClient, simulator: Simulator
) -> None:
    login = shop.payer.account.login
    body = {"program_id": shop.program.pk, "payer_login": login}
    switch = {"unit": simulator.real_unit, "accountNumbers": [login]}
    simulator.post("accounts/enable", {**switch, "enable": False})

    refused = client.post("/client/prop/challenge/buy", body, format="json")

    assert (refused.status_code, refused.json()["error"]) == (400, "PAYER_ACCOUNT_DISABLED")
    assert client.post(PREVIEW, body, format="json").json()["reason"] == "PAYER_ACCOUNT_DISABLED"
    assert (Purchase.objects.count(), BrokerOperation.objects.count()) == (0, 0)
    simulator.post("accounts/enable", {**switch, "enable": True})
    assert client.post("/client/prop/challenge/buy", body, format="json").status_code == 202
