"""Staff give a price back from the purchase's page, and see how far it is."""

import html

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from brokers.models import BrokerOperation, TradingAccount
from challenges.services.opening import open_due_challenges
from propdesk.lib.admin import list_of
from propdesk.lib.times import utc_now
from purchases.models import Purchase, PurchaseEvent
from tests.purchases.refunds import FAILED, REFUNDED, created, failed, has_status, refund, snapshot
from tests.purchases.rooms import Later, Shop, advance_until
from tests.simulator import Simulator

OFFER = "Refund to payer"


@pytest.fixture
def client(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def page(client: Client, purchase: Purchase) -> str:
    url = reverse("admin:purchases_purchase_change", args=[purchase.pk])
    return html.unescape(client.get(url).content.decode())


def button(purchase: Purchase) -> str:
    return reverse("admin:purchases_purchase_button", args=[purchase.pk, "refund"])


def test_the_confirmation_names_amount_currency_and_account_and_changes_nothing(
    client: Client, shop: Shop, simulator: Simulator
) -> None:
    purchase = failed(shop, simulator)
    before = snapshot(purchase)
    assert button(purchase) in page(client, purchase)

    asked = client.get(button(purchase)).content.decode()

    login = shop.payer.account.login
    assert f"499.00 USD will be paid into account {login}, from which it was taken." in asked
    assert "It cannot be undone." in asked
    assert snapshot(purchase) == before


def test_staff_refund_a_failed_purchase_and_the_page_says_how_far_it_is(
    client: Client, shop: Shop, simulator: Simulator
) -> None:
    purchase = failed(shop, simulator)
    answer = client.post(button(purchase), {"reason": "The broker refused."}, follow=True)

    shown = html.unescape(answer.content.decode())
    assert f"Asked for: 499.00 USD goes back to account {shop.payer.account.login}." in shown
    assert "cancelling the account" in shown
    assert button(purchase) not in shown
    event = PurchaseEvent.objects.latest("id")
    assert (event.actor, event.reason) == ("boss", "refund asked for: The broker refused.")

    purchase = advance_until(purchase, has_status(REFUNDED), clock=Later())
    shown = page(client, purchase)
    assert purchase.refund is not None
    assert f"operation {purchase.refund.pk}, done" in shown
    assert reverse("admin:brokers_brokeroperation_change", args=[purchase.refund.pk]) in shown
    assert button(purchase) not in shown


def test_a_purchase_that_is_not_over_is_called_off_and_the_page_says_so_before(
    client: Client, shop: Shop, simulator: Simulator
) -> None:
    purchase = created(shop, simulator)
    assert "its trading account will never be handed over" in client.get(button(purchase)).content.decode()

    client.post(button(purchase), {"reason": "Changed their mind."})

    purchase.refresh_from_db()
    assert (purchase.status, purchase.failure_reason) == (FAILED, "CANCELLED")


def test_a_refund_without_a_reason_is_not_asked_for(client: Client, shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    before = snapshot(purchase)
    client.post(button(purchase), {"reason": " "})
    assert snapshot(purchase) == before


def test_where_there_is_nothing_to_refund_the_button_is_missing_and_a_press_is_refused(
    client: Client, shop: Shop
) -> None:
    purchase = shop.purchase()
    before = snapshot(purchase)
    assert button(purchase) not in page(client, purchase)

    answer = client.post(button(purchase), {"reason": "Please."}, follow=True)

    assert "is not settled yet" in html.unescape(answer.content.decode())
    assert snapshot(purchase) == before


def test_whoever_may_only_look_cannot_refund(client: Client, shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_purchase"))
    client.force_login(viewer)
    before = snapshot(purchase)

    assert OFFER not in page(client, purchase)
    assert client.post(button(purchase), {"reason": "Please."}).status_code == 403
    assert snapshot(purchase) == before


def test_pressing_twice_refunds_once(client: Client, shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    for _ in range(2):
        client.post(button(purchase), {"reason": "The broker refused."})
    advance_until(purchase, has_status(REFUNDED), clock=Later())
    assert BrokerOperation.objects.filter(kind="deposit", order=None).count() == 1


def test_refunds_under_way_can_be_listed(client: Client, shop: Shop, simulator: Simulator) -> None:
    owed, asked = failed(shop, simulator), refund(failed(shop, simulator))

    listed = client.get(list_of(Purchase, attention="refund"))

    assert list(listed.context["cl"].queryset) == [asked]
    assert "refund under way" in listed.content.decode()
    assert owed.is_being_refunded is False


def test_the_review_queue_names_the_refund_as_the_way_out(client: Client, shop: Shop, simulator: Simulator) -> None:
    failed(shop, simulator)
    queue = html.unescape(client.get(reverse("admin:brokers_review")).content.decode())
    assert "Refund needed: 499 USD was taken" in queue
    assert "Is the price owed to the customer?" in queue
    assert OFFER in queue


def test_a_refused_refund_is_offered_again(client: Client, shop: Shop, simulator: Simulator) -> None:
    purchase = failed(shop, simulator)
    TradingAccount.objects.filter(pk=shop.payer.account.pk).update(login=1)
    refund(purchase)
    purchase = advance_until(purchase, lambda it: not it.is_being_refunded, clock=Later())

    shown = page(client, purchase)

    assert "refused: ask again" in shown
    assert "Refund refused (operation " in shown
    assert button(purchase) in shown


def test_an_active_purchase_says_why_it_is_not_refunded(client: Client, shop: Shop, simulator: Simulator) -> None:
    purchase = created(shop, simulator)
    open_due_challenges(now=utc_now())
    answer = client.post(button(purchase), {"reason": "Please."}, follow=True)
    assert "is active: a challenge that has begun is not refunded." in html.unescape(answer.content.decode())
    purchase.refresh_from_db()
    assert purchase.refund_tries == 0
