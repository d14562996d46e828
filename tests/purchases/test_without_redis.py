import socket
import time
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from propdesk.lib import nudge as nudges
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token
from propdesk.lib.nudge import nudger
from propdesk.lib.times import utc_now
from purchases.models import Customer, Purchase
from purchases.services import advance_due_purchases
from purchases.tasks import advance
from tests.purchases.rooms import STAFF, Later, Shop


@pytest.fixture
def silent_redis(settings: Settings) -> Iterator[None]:
    """Something that takes connections where Redis should be and never says a word, as a stopped process does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings.REDIS_URL = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
        nudger.cache_clear()
        yield
    nudger.cache_clear()


@pytest.fixture
def no_redis(settings: Settings) -> Iterator[None]:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    nudger.cache_clear()
    yield
    nudger.cache_clear()


def buy_over_http(shop: Shop) -> tuple[int, float]:
    """The answer's status, and how many seconds it took."""
    user = User.objects.create_user("ann")
    Customer.objects.filter(pk=shop.customer.pk).update(user=user)
    grant_session(user=user, session=Session.CUSTOMER)
    _, secret = issue_token(user=user, session=Session.CUSTOMER, name="test", by=STAFF, now=utc_now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=secret)
    begun = time.monotonic()
    body = {"program_id": shop.program.pk, "payer_login": shop.payer.account.login}
    answer = client.post("/client/prop/challenge/buy", body, format="json")
    return answer.status_code, time.monotonic() - begun


@pytest.mark.parametrize("redis", ["silent_redis", "no_redis"])
def test_a_buy_without_redis_answers_in_time_and_the_sweep_finishes_it(
    shop: Shop, redis: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request.getfixturevalue(redis)
    # However long the buy takes, the first nudge that fails silences the others.
    monkeypatch.setattr(nudges, "PAUSE_SECONDS", 600.0)

    status, seconds = buy_over_http(shop)

    assert status == 202
    # Nothing would ever end a wait for the silent one; the rest is room for a machine that stands still.
    assert seconds < 30
    assert nudger().failed == 1
    later = Later()
    for _ in range(200):
        advance_due_purchases(clock=later)
        if Purchase.objects.awaiting_challenge().exists():
            break
    assert Purchase.objects.get().status == Purchase.Status.ACCOUNT_CREATED


def test_the_task_does_what_the_sweep_does(shop: Shop) -> None:
    purchase = shop.purchase()

    advance(purchase.pk)

    purchase.refresh_from_db()
    assert purchase.status == Purchase.Status.ACCOUNT_CREATED


def test_a_nudge_for_a_purchase_that_is_gone_is_no_error(shop: Shop) -> None:
    advance(12345)

    assert not Purchase.objects.exists()
