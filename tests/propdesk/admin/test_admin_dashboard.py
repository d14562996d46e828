"""The front page: every number is the number of rows behind its link."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from brokers.models import AccountOrder, BrokerOperation
from challenges.models import EnrollmentState, UnitWatch
from propdesk.lib.processes.models import ProcessHeartbeat
from propdesk.lib.times import utc_now
from purchases.models import Purchase
from tests.propdesk.admin.rows import make_firm, sell

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def test_every_card_shows_as_many_as_the_list_behind_it(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    now = utc_now()
    # What fails today must not have failed yesterday when the page is asked for a moment after midnight.
    monkeypatch.setattr("propdesk.lib.admin.dashboard.utc_now", lambda: now)
    firm = make_firm(now)
    sold = [sell(firm, number, now, failed=number % 3 == 0) for number in range(1, 8)]
    first, second, third = sold[0], sold[1], sold[3]
    Purchase.objects.filter(pk=first.purchase.pk).update(review_reason="Payment in doubt.")
    Purchase.objects.filter(pk=second.purchase.pk).update(status=0, created_at=now - timedelta(hours=1))
    BrokerOperation.objects.filter(pk=third.operation.pk).update(status=5, review_reason="Look.")
    AccountOrder.objects.filter(pk=first.enrollment.order_id).update(status=4, review_reason="Look.")
    EnrollmentState.objects.filter(pk=third.enrollment.pk).update(warning="Most of the daily loss is used.")
    cards = {card.title: card for card in client.get(reverse("admin:index")).context["cards"]}
    behind = {title: client.get(card.url).context["cl"].result_count for title, card in cards.items()}
    assert behind == {title: card.value for title, card in cards.items()}
    assert cards["Purchases to review"].value == 1
    assert cards["Slow purchases"].value == 1
    assert cards["Active challenges"].value == 5
    assert cards["Near a loss limit"].value == 1
    assert cards["Failed today"].value == 2
    assert cards["Breaches in 24 hours"].value == 2
    assert cards["Operations to review"].value == 1
    assert cards["Orders to review"].value == 1


def test_units_and_processes_say_what_is_wrong_with_them(client: Client) -> None:
    now = utc_now()
    make_firm(now)
    UnitWatch.objects.update(failing_since=now, last_error="The broker did not answer within 10 s.")
    ProcessHeartbeat.objects.create(name="sweeper", pid=7, beat_at=now)
    ProcessHeartbeat.objects.create(name="worker", pid=8, beat_at=now - timedelta(minutes=1))
    page = client.get(reverse("admin:index")).content.decode()
    assert f"cannot judge since {now:%H:%M}" in page
    assert "The broker did not answer within 10 s." in page
    assert page.count(">alive<") == 1
    assert page.count(">silent<") == 1


def test_a_process_whose_jobs_fail_is_red_and_says_why(client: Client) -> None:
    clock = "ClockError: This machine's clock is +3.1 s off."
    detail = {"brokers.orders": {"last_error": clock}, "challenges.watch": {"last_error": ""}}
    ProcessHeartbeat.objects.create(name="sweeper", pid=7, beat_at=utc_now(), detail=detail)
    page = client.get(reverse("admin:index")).content.decode()
    assert page.count('<span class="pd-label pd-red" title="">jobs fail</span>') == 1
    assert "<div>brokers.orders: ClockError: This machine&#x27;s clock is +3.1 s off.</div>" in page
    assert "challenges.watch" not in page
    assert page.count(">alive<") == 0


def test_an_empty_firm_is_told_what_to_do(client: Client) -> None:
    page = client.get(reverse("admin:index")).content.decode()
    assert "No challenge is running, so nothing is watched." in page
    assert "Start them all with: make run" in page
