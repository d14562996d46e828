"""A phase whose account order came to nothing: staff order the account again, and the phase begins."""

import html
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from brokers.models import AccountGroup, AccountOrder, AccountOrderEvent, BrokerOperation
from brokers.services import cancel_order
from challenges.models import Challenge, ChallengeStatus, Enrollment, EnrollmentEvent
from challenges.services.invariants import find_violations
from challenges.services.opening import advance_enrollments
from challenges.services.ordering import order_account_again
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.times import utc_now
from tests.brokers.driving import drive
from tests.challenges.firm import Firm
from tests.waiting import wait_until_somebody_waits_for_us

BOSS = Actor("boss", 7)
Status = AccountOrder.Status


@pytest.fixture
def boss(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def waiting(firm: Firm) -> Enrollment:
    """The funded phase of a customer who has passed the first one: its account is ordered."""
    first = firm.enrollment({}, firm.funded_step())
    firm.trade(first, balance=108000, equity=108000)
    firm.watch()
    return Enrollment.objects.get(predecessor=first)


def refused(firm: Firm) -> Enrollment:
    """The broker has refused to create the account, and the sweep has told staff so."""
    enrollment = waiting(firm)
    _set_broker_group(enrollment, "no such group")
    assert drive(enrollment.order).status == Status.FAILED
    assert advance_enrollments(now=firm.clock()) == 0
    enrollment.refresh_from_db()
    assert enrollment.review_reason.startswith(f"Account order {enrollment.order_id} failed: create account refused: ")
    return enrollment


def put_right(firm: Firm, enrollment: Enrollment) -> None:
    _set_broker_group(enrollment, firm.real.broker_group)


def _set_broker_group(enrollment: Enrollment, name: str) -> None:
    AccountGroup.objects.filter(pk=enrollment.order.group_id).update(broker_group=name)


def again(firm: Firm, enrollment: Enrollment, reason: str = "The group was set right.") -> AccountOrder:
    return order_account_again(enrollment_id=enrollment.pk, reason=reason, by=BOSS, now=firm.clock())


def everything() -> list[object]:
    """What ordering an account writes."""
    return [
        list(model._default_manager.order_by("pk").values())
        for model in (AccountOrder, AccountOrderEvent, Challenge, Enrollment, EnrollmentEvent, BrokerOperation)
    ]


def is_refused(order_again: Callable[[], object]) -> str:
    before = everything()
    with pytest.raises(ConflictError) as refusal:
        order_again()
    assert everything() == before
    return str(refusal.value)


def test_a_refused_account_is_ordered_again_and_the_phase_begins_on_it(firm: Firm) -> None:
    enrollment = refused(firm)
    put_right(firm, enrollment)
    # The test's own rows are written without their events.
    violations = find_violations(now=utc_now())

    order = again(firm, enrollment)
    account = drive(order).account

    assert account is not None
    assert advance_enrollments(now=firm.clock()) == 1
    enrollment.refresh_from_db()
    assert (enrollment.status, enrollment.account, enrollment.review_reason) == (ChallengeStatus.ACTIVE, account, "")
    assert (enrollment.initial_balance, firm.state(enrollment).last_equity) == (Decimal(100000), Decimal(100000))
    challenge = enrollment.challenge
    assert (challenge.status, challenge.current_phase_index) == (ChallengeStatus.ACTIVE, 2)
    assert challenge.account_login == account.login
    at_broker = firm.simulator.account(account.login)
    assert (at_broker["enabled"], at_broker["balance"]) == (True, 100000)
    assert find_violations(now=utc_now()) == violations


def test_the_new_order_is_for_the_same_and_the_events_tell_who_placed_it_and_why(firm: Firm) -> None:
    enrollment = refused(firm)
    old = enrollment.order

    order = again(firm, enrollment)

    enrollment.refresh_from_db()
    assert (enrollment.order, enrollment.status, enrollment.review_reason) == (order, ChallengeStatus.PENDING, "")
    assert order.reference == f"enrollment:{enrollment.challenge_id}:2:2"
    assert (order.group, order.deposit, order.status) == (firm.real, old.deposit, Status.REQUESTED)
    assert (order.first_name, order.last_name) == ("Ada", "Trader")
    placed = AccountOrderEvent.objects.get(subject_id=order.pk)
    assert (placed.from_status, placed.to_status, placed.actor) == (None, Status.REQUESTED, "boss")
    told = EnrollmentEvent.objects.filter(subject_id=enrollment.pk).order_by("id")
    assert list(told.values_list("from_status", "to_status", "actor", "actor_user_id", "reason")) == [
        (None, 0, "monitor", None, "phase 1 passed"),
        (
            0, 0, "boss", 7,
            f"account order {order.pk} takes the place of {old.pk}, which failed: The group was set right.",
        ),
    ]  # fmt: skip
    old.refresh_from_db()
    assert (old.status, old.reference) == (Status.FAILED, f"enrollment:{enrollment.challenge_id}:2")


def test_each_order_of_a_phase_has_a_number_of_its_own(firm: Firm) -> None:
    enrollment = refused(firm)
    numbered = []
    for _ in range(2):
        order = again(firm, enrollment)
        numbered.append(order.reference)
        assert drive(order).status == Status.FAILED

    assert numbered == [f"enrollment:{enrollment.challenge_id}:2:{number}" for number in (2, 3)]


def test_a_cancelled_order_is_replaced_too_by_one_in_the_group_that_bears_the_name_now(firm: Firm) -> None:
    enrollment = waiting(firm)
    cancel_order(order_id=enrollment.order_id, reason="Wrong group.", by=BOSS, now=firm.clock())
    AccountGroup.objects.filter(pk=firm.real.pk).update(name="PROP_REAL_OLD")
    firm.real.pk, firm.real.unit = None, firm.real.unit + 50
    firm.real.save(force_insert=True)

    order = again(firm, enrollment)

    assert (order.group_id, order.group.name) == (firm.real.pk, "PROP_REAL_USD")
    assert EnrollmentEvent.objects.latest("id").reason == (
        f"account order {order.pk} takes the place of {enrollment.order_id}, which was cancelled: "
        "The group was set right."
    )


def test_an_order_that_is_not_over_is_not_replaced(firm: Firm) -> None:
    enrollment = waiting(firm)
    for status in (Status.REQUESTED, Status.OPENING, Status.NEEDS_REVIEW):
        AccountOrder.objects.filter(pk=enrollment.order_id).update(status=status)
        assert is_refused(lambda: again(firm, enrollment)) == (
            f"Account order {enrollment.order_id} is {status.label}: the phase has an order that is not over."
        )


def test_an_account_that_is_ready_is_not_ordered_again(firm: Firm) -> None:
    enrollment = waiting(firm)
    drive(enrollment.order)

    assert is_refused(lambda: again(firm, enrollment)) == (
        f"Account order {enrollment.order_id} is ready: the phase has an order that is not over."
    )


def test_a_phase_that_runs_or_is_over_waits_for_no_account(firm: Firm) -> None:
    enrollment = waiting(firm)
    passed = enrollment.predecessor
    assert passed is not None
    drive(enrollment.order)
    advance_enrollments(now=firm.clock())

    assert is_refused(lambda: again(firm, enrollment)) == "The enrollment is active: it waits for no account."
    assert is_refused(lambda: again(firm, passed)) == "The enrollment is passed: it waits for no account."


def test_without_the_account_group_nothing_is_ordered(firm: Firm) -> None:
    enrollment = refused(firm)
    AccountGroup.objects.filter(pk=firm.real.pk).update(name="RENAMED")

    assert is_refused(lambda: again(firm, enrollment)) == (
        "Nothing was ordered: the account group PROP_REAL_USD of the next phase no longer exists. "
        "Add an account group of that name first."
    )


def test_two_presses_at_once_place_one_order(firm: Firm) -> None:
    enrollment = refused(firm)

    def press() -> str:
        try:
            return again(firm, enrollment, "second").reference
        except ConflictError as refusal:
            return str(refusal)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        with transaction.atomic():
            order = again(firm, enrollment, "first")
            second = pool.submit(press)
            wait_until_somebody_waits_for_us()
        said = second.result(timeout=60)

    assert said == f"Account order {order.pk} is requested: the phase has an order that is not over."
    assert AccountOrder.objects.filter(reference__startswith="enrollment:").count() == 2
    assert EnrollmentEvent.objects.filter(subject_id=enrollment.pk).count() == 2


def test_staff_find_it_in_the_review_queue_and_order_the_account_again(boss: Client, firm: Firm) -> None:
    enrollment = refused(firm)
    old = enrollment.order
    put_right(firm, enrollment)
    queue = reverse("admin:brokers_review")
    waits = read(boss, queue)
    assert "Phases that cannot begin or go on: 1" in waits
    assert "Its account order is over and cannot be taken up again. Put right what stood in its way, then" in waits
    assert '<span class="pd-label pd-grey">Order the account again</span>' in waits
    page, button = pages(enrollment)
    assert f'href="{button}"' in read(boss, page)
    assert enrollment.review_reason in read(boss, page)
    asked = boss.get(button)
    assert f"Account order {old.pk}: {old_reason(old)}" in html.unescape(asked.content.decode())

    form = asked.context["form"]
    hidden = {name: form[name].value() for name in ("token", "standing")}
    answer = boss.post(button, {"reason": "The group was set right.", **hidden}, follow=True)

    order = Enrollment.objects.get(pk=enrollment.pk).order
    assert [str(message) for message in answer.context["messages"]] == [
        f"Account order {order.pk} is placed. The phase begins by itself once its account is ready."
    ]
    shown = html.unescape(answer.content.decode())
    assert button not in shown
    assert "Earlier account orders" in shown
    assert reverse("admin:brokers_accountorder_change", args=[old.pk]) in shown
    assert "Phases that cannot begin or go on: 1" not in read(boss, queue)
    assert old.reference in read(boss, reverse("admin:brokers_accountorder_change", args=[old.pk]))
    of_challenge = read(boss, reverse("admin:challenges_challenge_change", args=[enrollment.challenge_id]))
    assert reverse("admin:brokers_accountorder_change", args=[order.pk]) in of_challenge


def test_the_button_needs_a_reason_and_is_not_there_while_the_order_goes_on(boss: Client, firm: Firm) -> None:
    enrollment = waiting(firm)
    page, button = pages(enrollment)
    assert button not in read(boss, page)
    assert "Earlier account orders" not in read(boss, page)
    before = everything()
    answer = boss.post(button, {"reason": "Impatient."}, follow=True)
    why = f"Account order {enrollment.order_id} is requested: the phase has an order that is not over."
    assert [str(message) for message in answer.context["messages"]] == [f"Order the account again: {why}"]
    assert everything() == before
    _set_broker_group(enrollment, "no such group")
    drive(enrollment.order)
    before = everything()
    answer = boss.post(button, {"reason": " "})
    assert answer.context["form"].errors == {"reason": ["This field is required."]}
    assert everything() == before


def pages(enrollment: Enrollment) -> tuple[str, str]:
    """The enrollment's page, and its button."""
    return (
        reverse("admin:challenges_enrollment_change", args=[enrollment.pk]),
        reverse("admin:challenges_enrollment_button", args=[enrollment.pk, "order_again"]),
    )


def old_reason(order: AccountOrder) -> str:
    return AccountOrder.objects.get(pk=order.pk).failure_reason


def read(client: Client, url: str) -> str:
    return html.unescape(client.get(url).content.decode())
