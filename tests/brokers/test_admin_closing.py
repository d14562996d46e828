"""Staff close one open position from the page that shows the account as the broker sees it."""

import pytest
from django.test import Client
from django.urls import reverse

from brokers.models import BrokerConnection, BrokerOperation, BrokerOperationEvent, TradingAccount
from brokers.services import run_due_operations
from propdesk.lib.times import utc_now
from tests.brokers.pages import page_of, press, read, token_of, told
from tests.simulator import Simulator

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


@pytest.fixture
def positions(simulator: Simulator, payer: TradingAccount) -> list[int]:
    """Two open positions that lose 100 and win 30."""
    rows = simulator.set(payer.login, positions=[{"realTimePL": -100.0}, {"realTimePL": 30.0}])["positions"]
    return [row["positionId"] for row in rows]


def live_page(account: TradingAccount) -> str:
    return reverse("admin:brokers_tradingaccount_live", args=[account.pk])


def closing_of(account: TradingAccount, position_id: int) -> str:
    return reverse("admin:brokers_tradingaccount_close", args=[account.pk, position_id])


def test_a_position_is_closed_after_a_look_at_what_it_is(
    boss: Client, simulator: Simulator, payer: TradingAccount, positions: list[int]
) -> None:
    first, second = positions
    at_broker = next(row for row in simulator.account(payer.login)["positions"] if row["positionId"] == first)
    assert closing_of(payer, first) in boss.get(live_page(payer)).content.decode()
    side = "sell" if at_broker["quantity"] < 0 else "buy"
    question = read(boss, closing_of(payer, first))
    assert f"Close position {first}: {payer.login}" in question
    assert f"{at_broker['symbol']}, {side} {at_broker['lots']:g} lots." in question
    assert "Floating profit now: -100.00 USD." in question

    response = press(boss, closing_of(payer, first), "Asked by the trader on the phone.")
    operation = BrokerOperation.objects.get()
    assert (operation.kind, operation.position_id, operation.status) == (Kind.CLOSE_ONE, first, Status.INTENDED)
    assert told(response) == [f"Operation {operation.pk} closes position {first}; where it stands is shown below."]
    content = response.content.decode()
    assert page_of(operation) in content
    assert "being closed: intended" in content
    assert closing_of(payer, first) not in content
    assert closing_of(payer, second) in content
    event = BrokerOperationEvent.objects.get(subject_id=operation.pk)
    assert (event.actor, event.reason) == ("boss", "Asked by the trader on the phone.")

    run_due_operations(clock=utc_now)
    assert [row["positionId"] for row in simulator.account(payer.login)["positions"]] == [second]
    assert f"{operation.pk}: close one position {first} done" in read(boss, live_page(payer))


def test_a_double_click_closes_once(boss: Client, payer: TradingAccount, positions: list[int]) -> None:
    url = closing_of(payer, positions[0])
    token = token_of(boss, url)
    first, second = press(boss, url, token=token), press(boss, url, token=token)
    operation = BrokerOperation.objects.get()
    assert told(first) == [f"Operation {operation.pk} closes position {positions[0]}; where it stands is shown below."]
    assert told(second) == [f"Operation {operation.pk} closes position {positions[0]} already."]


def test_a_position_that_is_gone_is_not_closed(boss: Client, payer: TradingAccount, positions: list[int]) -> None:
    gone = max(positions) + 1000
    for response in (boss.get(closing_of(payer, gone), follow=True), boss.post(closing_of(payer, gone), follow=True)):
        assert told(response) == [f"Position {gone} is not open any more."]
    assert not BrokerOperation.objects.exists()


def test_the_position_of_another_account_is_not_closed(
    boss: Client, simulator: Simulator, payer: TradingAccount, positions: list[int]
) -> None:
    other = TradingAccount.objects.create(
        connection=payer.connection, group=payer.group, login=simulator.open_account(balance=100)
    )
    response = boss.post(closing_of(other, positions[0]), {"reason": "Please."}, follow=True)
    assert told(response) == [f"Position {positions[0]} is not open any more."]
    assert not BrokerOperation.objects.exists()


def test_without_a_reading_nothing_is_closed(boss: Client, payer: TradingAccount, positions: list[int]) -> None:
    BrokerConnection.objects.update(is_enabled=False)
    response = boss.post(closing_of(payer, positions[0]), {"reason": "Please."}, follow=True)
    said = "The open positions could not be read, nothing was done: The connection simulator is switched off."
    assert told(response) == [said]
    assert not BrokerOperation.objects.exists()


def test_closing_needs_a_reason(boss: Client, payer: TradingAccount, positions: list[int]) -> None:
    response = boss.post(closing_of(payer, positions[0]), {"reason": ""})
    assert response.context["form"].errors == {"reason": ["This field is required."]}
    assert not BrokerOperation.objects.exists()


def test_who_may_only_look_sees_the_positions_and_no_way_to_close_them(
    viewer: Client, payer: TradingAccount, positions: list[int]
) -> None:
    page = viewer.get(live_page(payer))
    assert str(positions[0]) in page.content.decode()
    assert closing_of(payer, positions[0]) not in page.content.decode()
    assert viewer.get(closing_of(payer, positions[0])).status_code == 403
    assert viewer.post(closing_of(payer, positions[0]), {"reason": "Please."}).status_code == 403
    assert not BrokerOperation.objects.exists()
