"""What could not be taken out of trading is tried again by itself, and stays in front of staff until then."""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from brokers.models import BrokerConnection, BrokerOperation, TradingAccount
from brokers.services import (
    persist_in_taking_out,
    request_disable_and_flatten,
    request_enable,
    run_due_operations,
)
from propdesk.lib.times import utc_now
from tests.brokers.driving import TESTER, JumpingClock, run, statuses
from tests.brokers.pages import button_of, page_of, press
from tests.simulator import Simulator

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
TEN_MINUTES = timedelta(minutes=10)


def given_up(simulator: Simulator, payer: TradingAccount, clock: JumpingClock) -> tuple[BrokerOperation, ...]:
    """The broker disables nothing; what is open has been closed all the same."""
    simulator.faults({"endpoint": "enable", "fault": "error_before"})
    disable, close_all = request_disable_and_flatten(subject="end", account=payer, by=TESTER, now=clock())
    disable, close_all = run(disable, clock), run(close_all, clock)
    assert (disable.status, close_all.status) == (Status.NEEDS_REVIEW, Status.DONE)
    return disable, close_all


def try_again(now: datetime) -> int:
    return persist_in_taking_out(now=now)


def test_it_is_tried_again_ten_minutes_later(simulator: Simulator, payer: TradingAccount):
    clock = JumpingClock()
    disable, _ = given_up(simulator, payer, clock)
    assert try_again(disable.updated_at + TEN_MINUTES - timedelta(seconds=1)) == 0
    # The trader goes on meanwhile, and the broker is well again.
    simulator.set(payer.login, equity=9_000)
    simulator.faults()
    clock.jump_to(disable.updated_at + TEN_MINUTES)
    assert try_again(clock()) == 1
    run_due_operations(clock=clock)
    disable.refresh_from_db()
    assert (disable.status, disable.review_reason) == (Status.DONE, "")
    assert statuses(disable)[-4:] == [Status.NEEDS_REVIEW, Status.INTENDED, Status.CALLING, Status.DONE]
    again = disable.followers.get(generation=2)
    assert (again.kind, again.status) == (Kind.CLOSE_ALL, Status.DONE)
    at_broker = simulator.account(payer.login)
    assert (at_broker["enabled"], at_broker["positions"], at_broker["balance"]) == (False, [], 9000.0)
    assert try_again(clock() + TEN_MINUTES) == 0


def test_in_an_outage_it_comes_back_before_staff(simulator: Simulator, payer: TradingAccount):
    clock = JumpingClock()
    disable, _ = given_up(simulator, payer, clock)
    # Half an hour after its first call one more that fails is enough.
    clock.jump_to(clock() + 3 * TEN_MINUTES)
    assert try_again(clock()) == 1
    disable = run(disable, clock)
    assert (disable.status, disable.attempts) == (Status.NEEDS_REVIEW, 1)
    assert disable.review_reason.startswith("Given up: ")


@pytest.mark.parametrize("why", ["wanted again", "decided about", "switched off", "not the broker's fault"])
def test_it_is_left_alone_where_trying_again_would_be_wrong(simulator: Simulator, payer: TradingAccount, why: str):
    clock = JumpingClock()
    disable, _ = given_up(simulator, payer, clock)
    match why:
        case "wanted again":
            request_enable(subject="lift", account=payer, by=TESTER, now=clock())
        case "decided about":
            BrokerOperation.objects.filter(pk=disable.pk).update(status=Status.DONE, review_reason="")
        case "switched off":
            BrokerConnection.objects.update(is_enabled=False)
        case _:
            words = f"Account {payer.login} does not carry our e-mail address."
            BrokerOperation.objects.filter(pk=disable.pk).update(review_reason=words)
    before = statuses(disable)
    assert try_again(clock() + TEN_MINUTES) == 0
    assert statuses(disable) == before


def test_a_second_disabling_that_is_still_to_come_keeps_nobody_from_disabling_now(
    boss: Client, simulator: Simulator, payer: TradingAccount
) -> None:
    lost = request_enable(subject="lift", account=payer, by=TESTER, now=utc_now())
    BrokerConnection.objects.update(quarantine_seconds=600)
    BrokerOperation.objects.filter(pk=lost.pk).update(status=Status.IN_DOUBT, was_in_doubt=True, started_at=utc_now())
    request_disable_and_flatten(subject="end", account=payer, by=TESTER, now=utc_now())
    button = button_of(payer, "take_out")
    assert button not in boss.get(page_of(payer)).content.decode()
    run_due_operations(clock=utc_now)
    assert button in boss.get(page_of(payer)).content.decode()
    press(boss, button, "He trades again.")
    assert BrokerOperation.objects.filter(kind=Kind.DISABLE, generation=1, subject__contains="by-hand").count() == 1
