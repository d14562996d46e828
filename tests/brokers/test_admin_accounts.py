"""The page of a trading account: staff take it out of trading and let it trade again, each with a reason, once."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from brokers.admin.account_buttons import BUTTONS
from brokers.models import AccountOrder, BrokerOperation, BrokerOperationEvent, TradingAccount, UnitReconciliation
from brokers.services import cancel_order, request_disable_and_flatten, run_due_operations
from challenges.models import ChallengeStatus, Enrollment
from propdesk.lib.actors import Actor
from propdesk.lib.times import utc_now
from purchases.models import Customer, PayerAccount
from tests.brokers.driving import TESTER, placed
from tests.brokers.pages import button_of, operations_of, page_of, press, read, token_of, told
from tests.propdesk.admin.rows import Firm, Sold, make_firm, sell
from tests.simulator import Simulator

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm()


@pytest.fixture
def sold(firm: Firm) -> Sold:
    return sell(firm, 1)


def account_of(sold: Sold, *, enabled: bool) -> TradingAccount:
    """The account of an active challenge, without the operations that opened it."""
    account = sold.enrollment.account
    assert account is not None
    account.is_enabled = enabled
    account.save()
    BrokerOperation.objects.filter(account=account).delete()
    return account


def test_an_account_is_taken_out_of_trading_with_a_reason(
    boss: Client, simulator: Simulator, payer: TradingAccount
) -> None:
    simulator.set(payer.login, equity=9_000)
    response = press(boss, button_of(payer, "take_out"), "Under investigation.")
    disable, close_all = BrokerOperation.objects.order_by("id")
    said = (
        f"Operation {disable.pk} disables the account, then operation {close_all.pk} closes its positions; "
        "both are read back at the broker."
    )
    assert told(response) == [said]
    assert (close_all.kind, close_all.after) == (Kind.CLOSE_ALL, disable)
    events = BrokerOperationEvent.objects.filter(subject_id__in=[disable.pk, close_all.pk])
    assert set(events.values_list("actor", "reason")) == {("boss", "Under investigation.")}
    assert f"Operation {disable.pk}, to disable: intended." in read(boss, page_of(payer))

    run_due_operations(clock=utc_now)
    at_broker = simulator.account(payer.login)
    assert (at_broker["enabled"], at_broker["positions"], at_broker["balance"]) == (False, [], 9000.0)
    assert "Disabled: nobody can trade on it." in read(boss, page_of(payer))


def test_the_confirmation_says_whom_it_concerns_and_changes_nothing(boss: Client, firm: Firm, sold: Sold) -> None:
    account = account_of(sold, enabled=True)
    page = read(boss, button_of(account, "take_out"))
    assert f"It is the account of {sold.customer}, {sold.challenge} (active)." in page
    assert "The challenge goes on unless a rule ends it; its time runs while nobody can trade." in page
    payer = sold.customer.payer_accounts.get().account
    page = read(boss, button_of(payer, "take_out"))
    assert f"It is the account that {sold.customer} pays from: nothing can be bought while it is disabled." in page
    nobody = TradingAccount.objects.create(connection=firm.connection, group=firm.real, login=777_777)
    assert "Nobody is known to trade on it." in read(boss, button_of(nobody, "take_out"))
    assert operations_of(account) == operations_of(nobody) == []
    assert operations_of(payer) == [("withdraw", Status.DONE)]


def test_a_double_click_takes_out_once(boss: Client, payer: TradingAccount) -> None:
    url = button_of(payer, "take_out")
    token = token_of(boss, url)
    assert token != token_of(boss, url)
    press(boss, url, token=token)
    operation = BrokerOperation.objects.get(kind=Kind.DISABLE)
    second = press(boss, url, token=token)
    assert told(second) == [f"Disable and close all positions: operation {operation.pk} is disabling it already."]
    assert operations_of(payer) == [("disable", Status.INTENDED), ("close_all", Status.INTENDED)]


def test_two_posts_of_one_page_at_the_same_moment_are_one_press(payer: TradingAccount) -> None:
    # Both are past the check of what is offered.
    take_out = next(button for button in BUTTONS if button.name == "take_out")
    said = {str(take_out.press(payer, Actor("boss"), "Under investigation.", "token-1")) for _ in range(2)}
    assert len(said) == 1
    assert operations_of(payer) == [("disable", Status.INTENDED), ("close_all", Status.INTENDED)]


def test_without_a_reason_nothing_is_done(boss: Client, sold: Sold) -> None:
    account = account_of(sold, enabled=False)
    for name in ("take_out", "enable", "reset_password"):
        response = boss.post(button_of(account, name), {"reason": " "})
        assert response.context["form"].errors == {"reason": ["This field is required."]}
    assert operations_of(account) == []


@pytest.mark.parametrize("name", ["take_out", "enable", "reset_password"])
def test_who_may_only_look_sees_no_button_and_is_refused(viewer: Client, sold: Sold, name: str) -> None:
    account = account_of(sold, enabled=False)
    url = button_of(account, name)
    page = viewer.get(page_of(account))
    assert page.status_code == 200
    assert url not in page.content.decode()
    assert viewer.get(url).status_code == 403
    assert viewer.post(url, {"reason": "I would like to."}).status_code == 403
    assert operations_of(account) == []
    assert not LogEntry.objects.exists()


def test_the_account_of_an_active_challenge_is_enabled(boss: Client, sold: Sold) -> None:
    account = account_of(sold, enabled=False)
    url = button_of(account, "enable")
    assert url in boss.get(page_of(account)).content.decode()
    token = token_of(boss, url)
    response = press(boss, url, "Disabled by mistake.", token)
    operation = BrokerOperation.objects.get(account=account)
    assert (operation.kind, operation.status) == (Kind.ENABLE, Status.INTENDED)
    assert told(response) == [f"Operation {operation.pk} enables the account, and reads at the broker that it is."]
    assert BrokerOperationEvent.objects.get(subject_id=operation.pk).reason == "Disabled by mistake."
    again = press(boss, url, token=token)
    assert told(again) == [f"Enable: Operation {operation.pk} (enable) is not over yet."]
    assert operations_of(account) == [("enable", Status.INTENDED)]


def is_not_enabled(client: Client, account: TradingAccount, why: str) -> None:
    """The page says why, there is no button, and a post changes nothing."""
    url = button_of(account, "enable")
    assert url not in client.get(page_of(account)).content.decode()
    assert f"It cannot be enabled now. {why}" in read(client, page_of(account))
    before = operations_of(account)
    assert told(client.post(url, {"reason": "Please."}, follow=True)) == [f"Enable: {why}"]
    assert operations_of(account) == before


def test_an_orphan_is_not_enabled(boss: Client, sold: Sold) -> None:
    account = account_of(sold, enabled=False)
    TradingAccount.objects.update(is_orphan=True)
    why = "It is an extra account that a lost reply left behind: nobody may trade on it."
    is_not_enabled(boss, account, why)
    url = button_of(account, "reset_password")
    assert url not in boss.get(page_of(account)).content.decode()
    assert told(press_blindly(boss, url)) == [f"Reset password: {why}"]


def press_blindly(client: Client, url: str):
    return client.post(url, {"reason": "Please."}, follow=True)


@pytest.mark.parametrize("status", [ChallengeStatus.PASSED, ChallengeStatus.FAILED, ChallengeStatus.CANCELLED])
def test_the_account_of_an_enrollment_that_is_over_is_not_enabled(
    boss: Client, sold: Sold, status: ChallengeStatus
) -> None:
    account = account_of(sold, enabled=False)
    Enrollment.objects.update(status=status, ended_at=utc_now())
    is_not_enabled(boss, account, f"Its {sold.enrollment} is {status.label}.")


def test_a_paused_account_waits_for_its_next_trading_day(boss: Client, sold: Sold) -> None:
    account = account_of(sold, enabled=False)
    Enrollment.objects.update(is_paused=True)
    why = f"Its {sold.enrollment} is paused until the next trading day begins, and is enabled then by itself."
    is_not_enabled(boss, account, why)
    warned = "It is paused. Taken out by hand, it stays disabled when its next trading day begins."
    assert warned in read(boss, button_of(account, "take_out"))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (AccountOrder.Status.CANCELLED, "is cancelled."),
        (AccountOrder.Status.FAILED, "is failed."),
        (AccountOrder.Status.OPENING, "is not ready: enabling the account is the last step of it."),
    ],
)
def test_the_account_of_an_order_that_is_not_ready_is_not_enabled(
    boss: Client, sold: Sold, status: AccountOrder.Status, words: str
) -> None:
    account = account_of(sold, enabled=False)
    AccountOrder.objects.update(status=status, failure_reason="test")
    is_not_enabled(boss, account, f"Its order {sold.enrollment.order} {words}")


def test_an_ordered_account_without_a_challenge_is_not_enabled(boss: Client, sold: Sold) -> None:
    account = account_of(sold, enabled=False)
    Enrollment.objects.update(account=None, status=ChallengeStatus.PENDING)
    is_not_enabled(boss, account, "No challenge runs on it.")


def test_an_account_that_is_being_taken_out_is_not_enabled_before_that_is_over(boss: Client, sold: Sold) -> None:
    account = account_of(sold, enabled=False)
    disable, _ = request_disable_and_flatten(subject="test", account=account, by=TESTER, now=utc_now())
    is_not_enabled(boss, account, f"Operation {disable.pk} (disable) is not over yet.")
    BrokerOperation.objects.filter(pk=disable.pk).update(status=Status.NEEDS_REVIEW, review_reason="Look.")
    why = f"Operation {disable.pk} (disable) waits in review: decide about it first."
    is_not_enabled(boss, account, why)


def test_a_payer_account_may_be_enabled(boss: Client, simulator: Simulator, payer: TradingAccount) -> None:
    customer = Customer.objects.create(email="p@example.com", first_name="Petra", last_name="Payer")
    PayerAccount.objects.create(customer=customer, account=payer)
    press(boss, button_of(payer, "take_out"))
    run_due_operations(clock=utc_now)
    press(boss, button_of(payer, "enable"))
    run_due_operations(clock=utc_now)
    payer.refresh_from_db()
    assert payer.is_enabled
    assert simulator.account(payer.login)["enabled"]
    assert operations_of(payer) == [("disable", 2), ("close_all", 2), ("enable", 2)]


def test_an_enabled_account_offers_no_enabling(boss: Client, sold: Sold) -> None:
    account = account_of(sold, enabled=True)
    assert "Enabled: whoever has its password can trade on it." in read(boss, page_of(account))
    assert told(press_blindly(boss, button_of(account, "enable"))) == ["Enable: It is enabled already."]


def test_a_cancelled_order_keeps_no_way_to_enable_its_account(boss: Client, firm: Firm) -> None:
    order = placed(firm.demo, "purchase:77")
    cancelled = cancel_order(order_id=order.pk, reason="The buyer left.", by=TESTER, now=utc_now())
    account = TradingAccount.objects.create(
        connection=firm.connection, group=firm.demo, login=777_777, order=cancelled, marker="p@example.com"
    )
    is_not_enabled(boss, account, "Its order purchase:77 is cancelled.")


def test_the_page_says_whether_the_account_was_compared_at_all(boss: Client, firm: Firm, sold: Sold) -> None:
    account = account_of(sold, enabled=True)
    unit = {"connection": account.connection, "unit": account.group.unit, "next_at": utc_now()}
    compared = UnitReconciliation.objects.create(**unit, compared_at=account.created_at - timedelta(seconds=1))
    assert "It has not been compared with the broker's list yet." in read(boss, page_of(account))
    compared.compared_at = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    compared.save()
    words = "None: at 2030-01-02 03:04:05 UTC it was at the broker as we know it."
    assert words in read(boss, page_of(account))
