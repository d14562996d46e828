"""What staff decide about: operations in review, differences, and units that are to become account groups."""

import html
import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from brokers.models import (
    AccountGroup,
    AccountOrder,
    BrokerConnection,
    BrokerOperation,
    BrokerOperationEvent,
    Difference,
    DifferenceEvent,
    LedgerTransaction,
    TradingAccount,
    UnitReconciliation,
)
from brokers.services import conclude_operation, request_disable_and_flatten
from challenges.models import Enrollment, UnitWatch
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import IllegalTransitionError
from purchases.models import Purchase
from tests.brokers.driving import TESTER, withdrawal
from tests.propdesk.admin.rows import NOW, Firm, make_difference, make_firm, sell
from tests.simulator import Simulator

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


@pytest.fixture
def client(transactional_db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def firm(transactional_db: None) -> Firm:
    return make_firm()


def button(model: str, pk: int, name: str) -> str:
    return reverse(f"admin:brokers_{model}_button", args=[pk, name])


def in_review(firm: Firm, kind: BrokerOperation.Kind = Kind.WITHDRAW, number: int = 1) -> BrokerOperation:
    paid = sell(firm, number).operation.account
    assert paid is not None
    operation = withdrawal(paid, "499", subject=f"test:{number}")
    BrokerOperation.objects.filter(pk=operation.pk).update(
        kind=kind, status=Status.NEEDS_REVIEW, review_reason="Two new transfers.", was_in_doubt=True, finished_at=None,
        position_id=77,
    )  # fmt: skip
    operation.refresh_from_db()
    return operation


def conclude(operation: BrokerOperation, *, happened: bool) -> BrokerOperation:
    return conclude_operation(operation_id=operation.pk, happened=happened, reason="Looked.", by=TESTER, now=utc_now())


def test_the_review_queue_shows_what_to_check_and_the_ways_out(client: Client, firm: Firm) -> None:
    operation = in_review(firm)
    Purchase.objects.update(review_reason="Payment in doubt: Two new transfers.")
    order = sell(firm, 2).enrollment.order
    AccountOrder.objects.filter(pk=order.pk).update(
        status=AccountOrder.Status.NEEDS_REVIEW, review_reason="No answer for an hour."
    )
    make_difference(operation.account, 1)
    page = client.get(reverse("admin:brokers_review")).content.decode()
    assert "Two new transfers." in page
    assert f"Is there exactly one transfer of 499.00 out of {operation.account} that belongs to this operation?" in page
    assert "It did not happen" in page
    assert "No answer for an hour." in page
    assert "Payment in doubt: Two new transfers." in page
    assert "Ours: disabled. The broker&#x27;s: enabled." in page


def test_an_empty_queue_says_so(client: Client) -> None:
    assert client.get(reverse("admin:brokers_review")).content.decode().count("Nothing waits.") == 7


def test_a_halted_unit_waits_with_its_way_out(client: Client, firm: Firm) -> None:
    UnitWatch.objects.update(halted_at=NOW, halt_reason="25 of 30 accounts broke a rule at one reading.")
    page = client.get(reverse("admin:brokers_review")).content.decode()
    assert "Units whose enforcement is halted: 1" in page
    assert "25 of 30 accounts broke a rule at one reading." in page
    assert "Confirm the figures" in page


def test_a_phase_that_cannot_begin_waits_until_its_order_is_worked_on_again(client: Client, firm: Firm) -> None:
    enrollment = sell(firm, 1).enrollment
    Enrollment.objects.update(status=0, account=None, started_at=None, review_reason="Account order 1 waits for staff.")
    AccountOrder.objects.update(status=AccountOrder.Status.NEEDS_REVIEW, review_reason="No answer.")
    url = reverse("admin:brokers_review")
    page = client.get(url).content.decode()
    assert f"{enrollment.challenge}, phase 1 (Evaluation)" in page
    assert "Decide about its account order: the phase then begins by itself." in page
    AccountOrder.objects.update(status=AccountOrder.Status.CANCELLED, account=None)
    assert "Its account order is over and cannot be taken up again" in client.get(url).content.decode()
    AccountOrder.objects.update(status=AccountOrder.Status.OPENING)
    assert "Phases that cannot begin or go on: " not in client.get(url).content.decode()


def test_the_queue_shows_only_what_may_be_seen(client: Client, firm: Firm) -> None:
    in_review(firm)
    viewer = User.objects.create_user("viewer", is_staff=True)
    client.force_login(viewer)
    assert client.get(reverse("admin:brokers_review")).status_code == 403
    viewer.user_permissions.set(Permission.objects.filter(codename="view_accountorder"))
    page = client.get(reverse("admin:brokers_review")).content.decode()
    assert "Account orders" in page
    assert "Two new transfers." not in page


def test_staff_conclude_that_the_money_moved_and_it_is_booked(client: Client, firm: Firm) -> None:
    operation = in_review(firm)
    url = button("brokeroperation", operation.pk, "happened")
    assert "It is booked, and never made again." in client.get(url).content.decode()
    operation.refresh_from_db()
    assert operation.status == Status.NEEDS_REVIEW
    client.post(url, {"reason": "Seen in the portal."})
    operation.refresh_from_db()
    assert operation.status == Status.DONE
    assert LedgerTransaction.objects.filter(operation_id=operation.pk).count() == 1
    event = BrokerOperationEvent.objects.filter(subject_id=operation.pk).latest("id")
    assert (event.actor, event.reason) == ("boss", "Seen in the portal.")


def test_staff_conclude_that_the_money_did_not_move(client: Client, firm: Firm) -> None:
    operation = in_review(firm)
    client.post(button("brokeroperation", operation.pk, "did_not_happen"), {"reason": "Not in the portal."})
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == (Status.REFUSED, "DECIDED_BY_STAFF")


def test_a_conclusion_needs_a_reason(client: Client, firm: Firm) -> None:
    operation = in_review(firm)
    client.post(button("brokeroperation", operation.pk, "happened"), {"reason": " "})
    operation.refresh_from_db()
    assert operation.status == Status.NEEDS_REVIEW


def test_an_enabling_that_staff_have_seen_done_marks_the_account_enabled(firm: Firm) -> None:
    operation = in_review(firm, Kind.ENABLE)
    TradingAccount.objects.filter(operations=operation).update(is_enabled=False)
    concluded = conclude(operation, happened=True)
    assert (concluded.status, concluded.evidence["from"]) == (Status.DONE, "staff")
    assert TradingAccount.objects.get(operations=operation).is_enabled


@pytest.mark.parametrize("kind", [Kind.ENABLE, Kind.CLOSE_ONE])
def test_what_need_not_happen_may_be_cancelled(firm: Firm, kind: BrokerOperation.Kind) -> None:
    assert conclude(in_review(firm, kind), happened=False).status == Status.CANCELLED


@pytest.mark.parametrize("kind", [Kind.DISABLE, Kind.CLOSE_ALL])
def test_an_account_that_must_be_taken_out_cannot_be_let_off(firm: Firm, kind: BrokerOperation.Kind) -> None:
    operation = in_review(firm, kind)
    with pytest.raises(ValueError, match="cannot be concluded as not done"):
        conclude(operation, happened=False)
    operation.refresh_from_db()
    assert operation.status == Status.NEEDS_REVIEW


def test_a_password_reset_is_for_the_machine_to_conclude(firm: Firm) -> None:
    with pytest.raises(ValueError, match="cannot be concluded as done"):
        conclude(in_review(firm, Kind.RESET_PASSWORD), happened=True)


def test_what_is_not_in_review_cannot_be_concluded(firm: Firm) -> None:
    operation = in_review(firm, Kind.ENABLE)
    conclude(operation, happened=True)
    with pytest.raises(IllegalTransitionError):
        conclude(operation, happened=True)


def test_the_operation_page_shows_the_evidence_as_names_and_values(client: Client, firm: Firm) -> None:
    operation = in_review(firm)
    BrokerOperation.objects.filter(pk=operation.pk).update(
        evidence={"before": {"count": 1, "sum": "100"}, "from": "transfers"}, baseline={"count": 1, "sum": "100"}
    )
    page = client.get(reverse("admin:brokers_brokeroperation_change", args=[operation.pk])).content.decode()
    assert "Before count" in page
    assert "It waits for you" in page


def test_a_difference_is_mended_by_an_operation_with_a_reason(client: Client, firm: Firm) -> None:
    difference = make_difference(sell(firm, 1).enrollment.account, 1)
    url = button("difference", difference.pk, "mend")
    assert "disabled and its positions are closed, both read back" in client.get(url).content.decode()
    client.post(url, {"reason": "It failed."})
    difference.refresh_from_db()
    assert difference.status == Difference.Status.MENDING
    assert BrokerOperation.objects.filter(subject=f"difference:{difference.pk}:1").count() == 2
    assert DifferenceEvent.objects.filter(subject_id=difference.pk).latest("id").reason == "It failed."


def test_a_difference_that_no_operation_mends_offers_acknowledging_only(client: Client, firm: Firm) -> None:
    difference = make_difference(sell(firm, 1).enrollment.account, 1, kind=Difference.Kind.BALANCE)
    page = client.get(reverse("admin:brokers_difference_change", args=[difference.pk])).content.decode()
    assert button("difference", difference.pk, "mend") not in page
    client.post(button("difference", difference.pk, "acknowledge"), {"reason": "A correction of theirs."})
    difference.refresh_from_db()
    assert difference.status == Difference.Status.ACKNOWLEDGED


def test_reconcile_now_makes_the_unit_due(client: Client, firm: Firm) -> None:
    row = UnitReconciliation.objects.create(connection=firm.connection, unit=1, next_at=NOW.replace(year=2999))
    client.post(button("unitreconciliation", row.pk, "reconcile"))
    row.refresh_from_db()
    assert row.next_at <= utc_now()


def test_a_unit_becomes_an_account_group_by_a_form_that_is_filled_in(
    client: Client, simulator: Simulator, demo_group: AccountGroup
) -> None:
    connection = demo_group.connection
    page = client.get(reverse("admin:brokers_brokerconnection_units", args=[connection.pk])).content.decode()
    assert "Answered in" in page
    assert f"unit={simulator.demo_unit}" not in page
    link = re.search(rf'href="([^"]*unit={simulator.real_unit}[^"]*)"', page)
    assert link is not None
    form = client.get(html.unescape(link[1])).context["adminform"].form
    assert form.get_initial_for_field(form.fields["unit"], "unit") == str(simulator.real_unit)
    assert form.get_initial_for_field(form.fields["name"], "name") == "PROP_REAL_USD"


def test_units_of_a_broker_that_does_not_answer(client: Client, firm: Firm) -> None:
    BrokerConnection.objects.update(base_url="http://127.0.0.1:1")
    page = client.get(reverse("admin:brokers_brokerconnection_units", args=[firm.connection.pk])).content.decode()
    assert "The broker could not be read:" in page


def test_the_live_page_shows_what_the_broker_says_now(
    client: Client, payer: TradingAccount, simulator: Simulator
) -> None:
    simulator.set(payer.login, equity=9_900)
    page = client.get(reverse("admin:brokers_tradingaccount_live", args=[payer.pk])).content.decode()
    assert "9,900.00 USD" in page
    assert "not by PropDesk" in page
    assert "buy" in page or "sell" in page


def test_the_live_page_says_what_it_could_not_read(client: Client, firm: Firm) -> None:
    account = sell(firm, 1).enrollment.account
    assert account is not None
    BrokerConnection.objects.update(is_enabled=False)
    page = client.get(reverse("admin:brokers_tradingaccount_live", args=[account.pk])).content.decode()
    assert "No answer to trust: The connection ThinkMarkets is switched off." in page


def test_the_queue_shows_a_connection_that_is_switched_off_while_something_waits_for_it(
    client: Client, firm: Firm
) -> None:
    account = sell(firm, 1).enrollment.account
    assert account is not None
    connection = account.connection
    BrokerConnection.objects.filter(pk=connection.pk).update(is_enabled=False)
    words = "2 operations (2 of them take accounts out of trading) and 0 account orders wait for it."
    assert words not in read_queue(client)
    request_disable_and_flatten(subject="end", account=account, by=TESTER, now=utc_now())
    assert words in read_queue(client)
    BrokerConnection.objects.filter(pk=connection.pk).update(is_enabled=True)
    assert words not in read_queue(client)


def read_queue(client: Client) -> str:
    return html.unescape(client.get(reverse("admin:brokers_review")).content.decode())
