"""What a customer's front end sees: `/client/prop/...` with a customer's token."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from brokers.models import BrokerOperation, TradingAccount
from challenges.models import Challenge, Enrollment
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token
from propdesk.lib.times import unix
from purchases.models import Customer, PayerAccount, Purchase
from tests.challenges.firm import TESTER, Firm


def client_of(customer: Customer) -> Client:
    if customer.user is None:
        customer.user = User.objects.create_user(username=customer.email)
        customer.save()
    grant_session(user=customer.user, session=Session.CUSTOMER)
    _, secret = issue_token(
        user=customer.user, session=Session.CUSTOMER, name="test", by=TESTER, now=customer.created_at
    )
    return Client(headers={"authorization": f"Bearer {secret}"})


def get(client: Client, path: str) -> Any:
    answer = client.get(f"/client/prop/{path}")
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def enrollment(firm: Firm) -> Enrollment:
    return firm.enrollment({"min_trading_days": 3, "max_positions": 10}, {"profit_target_pct": Decimal(5)})


def test_a_challenge_shows_its_phase_with_figures_progress_and_what_remains(firm: Firm, enrollment: Enrollment) -> None:
    firm.trade(enrollment, balance=104500, equity=104000)
    firm.watch()
    challenge = enrollment.challenge

    shown = get(client_of(challenge.customer), f"challenges/{challenge.pk}")

    assert list(shown) == [
        "challenge", "purchase", "program", "phases", "current_phase", "latest_metric", "latest_breach",
    ]  # fmt: skip
    started = unix(challenge.started_at)
    assert shown["challenge"] == {
        "id": challenge.pk, "purchase_id": challenge.purchase_id, "program_id": challenge.program_id,
        "customer_id": challenge.customer_id, "account_login": challenge.account_login, "current_phase_index": 1,
        "status": 1, "start_time": started, "end_time": 0, "created_time": started, "updated_time": started,
    }  # fmt: skip
    assert (shown["purchase"]["id"], shown["purchase"]["status_name"]) == (challenge.purchase_id, "active")
    assert [step["profit_target_pct"] for step in shown["program"]["steps"]] == [8, 5]
    (phase,) = shown["phases"]
    assert shown["current_phase"] == phase
    state = firm.state(enrollment)
    assert phase["latest_metric"] == {
        "balance": 104500, "equity": 104000, "profit_target": 4.5, "daily_loss": 0, "total_loss": 0,
        "trading_days": 1, "time": unix(state.last_at),
    }  # fmt: skip
    assert phase["progress"] == {
        "profit_pct": 4.5, "profit_target_pct": 8, "profit_target_progress_pct": 56.25, "daily_loss_pct": 0,
        "daily_loss_limit_pct": 5, "total_loss_pct": 0, "total_loss_limit_pct": 10, "trading_days": 1,
        "min_trading_days": 3, "max_trading_days": 0, "max_positions": 10,
    }  # fmt: skip
    assert phase["levels"] == {"daily_loss": 95000, "total_loss": 90000, "profit_target": 108000, "daily_profit": None}
    assert phase["remaining"] == {"daily_loss": 9000, "total_loss": 14000, "profit_target": 3500, "daily_profit": None}
    assert (phase["status"], phase["status_name"], phase["final_balance"], phase["end_time"]) == (1, "active", 0, 0)
    assert shown["latest_metric"] == phase["latest_metric"]
    assert shown["latest_breach"] is None


def test_a_failed_challenge_shows_the_breach_with_its_explanation(firm: Firm, enrollment: Enrollment) -> None:
    firm.trade(enrollment, equity="94999.99")
    firm.watch()
    challenge = Challenge.objects.get()

    shown = get(client_of(challenge.customer), f"challenges/{challenge.pk}")

    assert shown["challenge"]["status"] == 3
    assert shown["challenge"]["end_time"] == unix(challenge.ended_at)
    breach = shown["latest_breach"]
    assert (breach["rule"], breach["action"], breach["trading_day"]) == ("daily_loss", "fail", "2026-03-02")
    assert (breach["level"], breach["observed"], breach["phase_index"]) == (95000, 94999.99, 1)
    assert "94,999.99" in breach["explanation"]
    (phase,) = shown["phases"]
    assert (phase["final_equity"], phase["close_reason"]) == (94999.99, "daily_loss")
    assert get(client_of(challenge.customer), f"challenges/{challenge.pk}/breaches")["rows"] == [breach]


def test_a_phase_that_waits_for_its_account_has_no_figures_yet(firm: Firm) -> None:
    enrollment = firm.enrollment({}, {"profit_target_pct": Decimal(5)})
    firm.trade(enrollment, balance=108000, equity=108000)
    firm.watch()

    shown = get(client_of(enrollment.challenge.customer), f"challenges/{enrollment.challenge_id}")

    passed, waiting = shown["phases"]
    assert (passed["status_name"], waiting["status_name"]) == ("passed", "pending")
    assert (waiting["account_login"], waiting["latest_metric"], waiting["levels"]) == (0, None, None)
    assert shown["current_phase"] == passed


def test_the_time_series_comes_with_the_levels_of_each_moment(firm: Firm, enrollment: Enrollment) -> None:
    for equity in (101000, 102000, 103000):
        firm.trade(enrollment, equity=equity)
        firm.watch()
    client = client_of(enrollment.challenge.customer)

    rows = get(client, f"challenges/{enrollment.challenge_id}/metrics?limit=2")["rows"]

    assert [row["equity"] for row in rows] == [102000, 103000]
    assert rows[0]["phase_index"] == 1
    assert rows[0]["levels"] == {
        "daily_loss": 95000, "total_loss": 90000, "profit_target": 108000, "daily_profit": None,
    }  # fmt: skip
    refused = client.get(f"/client/prop/challenges/{enrollment.challenge_id}/metrics?limit=0")
    assert (refused.status_code, refused.json()["error"]) == (400, "INVALID_DATA")


def test_mine_lists_purchases_and_challenges_of_the_customer_only(firm: Firm, enrollment: Enrollment) -> None:
    firm.enrollment()
    challenge = enrollment.challenge

    mine = get(client_of(challenge.customer), "challenges")

    assert [row["id"] for row in mine["challenges"]] == [challenge.pk]
    assert [row["id"] for row in mine["purchases"]] == [challenge.purchase_id]


def test_a_longer_list_costs_no_more_queries(firm: Firm, enrollment: Enrollment) -> None:
    challenge = enrollment.challenge
    client = client_of(challenge.customer)
    get(client, "challenges")
    with CaptureQueriesContext(connection) as few:
        get(client, "challenges")
    for _ in range(3):
        other = firm.challenge(challenge.program)
        Purchase.objects.filter(pk=other.purchase_id).update(customer=challenge.customer)
        Challenge.objects.filter(pk=other.pk).update(customer=challenge.customer)

    with CaptureQueriesContext(connection) as many:
        mine = get(client, "challenges")

    assert len(mine["challenges"]) == 4
    assert len(many) == len(few)


@pytest.mark.parametrize("path", ["", "/metrics", "/breaches"])
def test_a_challenge_of_somebody_else_does_not_exist(firm: Firm, enrollment: Enrollment, path: str) -> None:
    other = firm.enrollment().challenge.customer

    answer = client_of(other).get(f"/client/prop/challenges/{enrollment.challenge_id}{path}")

    assert (answer.status_code, answer.json()["error"]) == (404, "NOT_FOUND")


def test_staff_tokens_and_none_are_refused(firm: Firm, enrollment: Enrollment) -> None:
    user = User.objects.create_user(username="manager")
    grant_session(user=user, session=Session.MANAGER)
    _, secret = issue_token(user=user, session=Session.MANAGER, name="test", by=TESTER, now=firm.clock())
    path = f"/client/prop/challenges/{enrollment.challenge_id}"

    staff = Client().get(path, headers={"authorization": f"Bearer {secret}"})
    nobody = Client().get(path)

    assert (staff.status_code, staff.json()["error"]) == (403, "PERMISSION_DENIED")
    assert (nobody.status_code, nobody.json()["error"]) == (401, "UNAUTHORIZED")


def buy(client: Client, **body: Any) -> Any:
    return client.post("/client/prop/challenge/buy", body, content_type="application/json")


def test_buying_is_accepted_at_once_and_the_challenge_comes_later(firm: Firm, payer: TradingAccount) -> None:
    program = firm.program()
    customer = Customer.objects.create(email="bob@example.com", first_name="Bob", last_name="Buyer")
    PayerAccount.objects.create(customer=customer, account=payer)
    client = client_of(customer)

    answer = buy(client, program_id=program.pk, payer_login=payer.login, idempotency_key="k1")

    assert answer.status_code == 202
    body = answer.json()
    assert list(body) == ["accepted", "idempotent", "purchase", "challenge"]
    assert (body["accepted"], body["idempotent"], body["challenge"]) == (True, False, None)
    assert (body["purchase"]["status"], body["purchase"]["amount"]) == (0, 499)
    again = buy(client, program_id=program.pk, payer_login=payer.login, idempotency_key="k1").json()
    assert (again["idempotent"], again["purchase"]["id"]) == (True, body["purchase"]["id"])
    assert Purchase.objects.count() == 1
    assert BrokerOperation.objects.count() == 1


def test_a_replayed_buy_shows_the_challenge_that_it_has_become(firm: Firm, payer: TradingAccount) -> None:
    challenge = firm.challenge(firm.program())
    PayerAccount.objects.create(customer=challenge.customer, account=payer)
    client = client_of(challenge.customer)
    body = {"program_id": challenge.program_id, "payer_login": payer.login, "idempotency_key": "k"}
    bought = buy(client, **body).json()
    Challenge.objects.filter(pk=challenge.pk).update(purchase_id=bought["purchase"]["id"])

    replay = buy(client, **body).json()

    assert (replay["idempotent"], replay["challenge"]["id"]) == (True, challenge.pk)


def test_a_wrong_body_names_the_field_and_buys_nothing(firm: Firm) -> None:
    customer = firm.enrollment().challenge.customer
    purchases = Purchase.objects.count()

    answer = buy(client_of(customer), program_id="1", payer_login=5)

    assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_DATA")
    assert [error["field"] for error in answer.json()["errors"]] == ["program_id"]
    assert Purchase.objects.count() == purchases
