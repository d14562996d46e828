from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from brokers.models import AccountGroup, AccountOrder, BrokerOperation
from brokers.services import run_operation
from propdesk.lib.processes.registry import registered_jobs
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import IllegalTransitionError
from purchases.errors import StillInFlightError
from purchases.models import Purchase
from purchases.services import advance_due_purchases, advance_purchase, fail_purchase, mark_active, sweeping
from purchases.services.sweeping import RoundFailedError
from purchases.services.waiting import Clock
from tests.purchases.rooms import STAFF, Later, Shop, advance_beside_others, advance_until, history
from tests.simulator import Simulator

PENDING, PAID, CREATED, ACTIVE, FAILED = range(5)


def created(purchase: Purchase) -> bool:
    return purchase.status == Purchase.Status.ACCOUNT_CREATED


def failed(purchase: Purchase) -> bool:
    return purchase.status == Purchase.Status.FAILED


def under_review(purchase: Purchase) -> bool:
    return purchase.review_reason != ""


def balance_of(simulator: Simulator, shop: Shop) -> Decimal:
    return Decimal(str(simulator.account(shop.payer.account.login)["balance"]))


def test_a_purchase_is_paid_and_gets_its_account(shop: Shop, simulator: Simulator) -> None:
    purchase = advance_until(shop.purchase(), created)

    assert balance_of(simulator, shop) == Decimal(9501)
    account = simulator.account(purchase.account_login)
    assert (account["balance"], account["enabled"], account["unit"]) == (100_000, True, simulator.demo_unit)
    assert purchase.payment_status == "paid"
    assert (purchase.failure_reason, purchase.review_reason) == ("", "")
    assert purchase.account_order is not None
    assert purchase.account_order.reference == f"purchase:{purchase.pk}"
    assert history(purchase) == [
        (None, PENDING, "customer 1"),
        (PENDING, PAID, "purchases"),
        (PAID, CREATED, "purchases"),
    ]
    assert list(Purchase.objects.awaiting_challenge()) == [purchase]


def test_advancing_a_finished_purchase_changes_nothing(shop: Shop, simulator: Simulator) -> None:
    purchase = advance_until(shop.purchase(), created)
    before = history(purchase)

    again = advance_purchase(purchase_id=purchase.pk, clock=utc_now)

    assert (again.status, again.account_login) == (CREATED, purchase.account_login)
    assert history(purchase) == before
    assert balance_of(simulator, shop) == Decimal(9501)


def test_several_workers_on_one_purchase_pay_once_and_open_one_account(shop: Shop, simulator: Simulator) -> None:
    purchase = shop.purchase()

    def work(_: int) -> None:
        try:
            advance_beside_others(purchase, created)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(work, range(4)))

    purchase.refresh_from_db()
    assert purchase.status == CREATED
    assert balance_of(simulator, shop) == Decimal(9501)
    assert AccountOrder.objects.count() == 1
    assert [to for _, to, _ in history(purchase)] == [PENDING, PAID, CREATED]


def test_a_refused_payment_fails_the_purchase_and_moves_no_money(shop: Shop, simulator: Simulator) -> None:
    purchase = shop.purchase()
    simulator.set(shop.payer.account.login, balance=100)

    purchase = advance_until(purchase, failed)

    assert purchase.failure_reason == "NOT_ENOUGH_FUNDS"
    assert (purchase.payment_status, purchase.activation_status) == ("failed", "failed")
    assert purchase.review_reason == ""
    assert purchase.account_order is None
    assert balance_of(simulator, shop) == Decimal(100)
    assert history(purchase) == [(None, PENDING, "customer 1"), (PENDING, FAILED, "purchases")]


def test_a_lost_payment_reply_is_settled_and_the_price_taken_once(shop: Shop, simulator: Simulator) -> None:
    simulator.faults({"endpoint": "withdraw", "fault": "drop_after", "times": 1})
    purchase = shop.purchase()

    advance_purchase(purchase_id=purchase.pk, clock=utc_now)
    purchase = advance_until(purchase, created, clock=Later())

    assert simulator.injected() == 1
    assert balance_of(simulator, shop) == Decimal(9501)


def test_a_worker_that_died_after_the_payment_is_followed_by_one_that_pays_no_second_time(
    shop: Shop, simulator: Simulator
) -> None:
    purchase = shop.purchase()
    assert purchase.payment is not None
    assert run_operation(operation_id=purchase.payment.pk, clock=utc_now).status == BrokerOperation.Status.DONE
    purchase.refresh_from_db()
    assert purchase.status == PENDING

    advance_until(purchase, created)

    assert balance_of(simulator, shop) == Decimal(9501)


def test_a_refused_account_fails_the_purchase_and_asks_staff_for_a_refund(shop: Shop, simulator: Simulator) -> None:
    AccountGroup.objects.filter(name="PROP_DEMO_USD").update(unit=1)
    purchase = advance_until(shop.purchase(), failed)

    assert purchase.payment_status == "paid"
    assert purchase.activation_status == "failed"
    assert purchase.failure_reason == "ACCOUNT_NOT_OPENED"
    assert purchase.review_reason.startswith("Refund needed: 499 USD was taken")
    assert balance_of(simulator, shop) == Decimal(9501)


def test_a_payment_that_waits_for_staff_is_shown_and_goes_on_once_they_have_decided(shop: Shop) -> None:
    purchase = shop.purchase()
    payments = BrokerOperation.objects.filter(subject=f"purchase:{purchase.pk}:payment")
    payments.update(status=BrokerOperation.Status.NEEDS_REVIEW, review_reason="two transfers of 499")

    purchase = advance_until(purchase, under_review)
    assert purchase.status == PENDING
    assert purchase.review_reason == "Payment in doubt: two transfers of 499"

    payments.update(status=BrokerOperation.Status.DONE)
    purchase = advance_until(purchase, created)
    assert purchase.review_reason == ""


def test_an_account_order_that_waits_for_staff_is_shown(shop: Shop) -> None:
    purchase = advance_until(shop.purchase(), created)
    Purchase.objects.update(status=PAID)
    AccountOrder.objects.update(status=AccountOrder.Status.NEEDS_REVIEW, review_reason="two accounts found")

    purchase = advance_until(purchase, under_review)

    assert purchase.status == PAID
    assert purchase.review_reason == "Account order waits: two accounts found"


def test_a_vanished_account_group_is_shown_to_staff(shop: Shop) -> None:
    purchase = shop.purchase()
    AccountGroup.objects.filter(name="PROP_DEMO_USD").update(name="RENAMED")

    purchase = advance_until(purchase, under_review)

    assert purchase.status == PAID
    assert "PROP_DEMO_USD" in purchase.review_reason


def test_waiting_gets_slower_the_longer_it_takes(shop: Shop) -> None:
    purchase = shop.purchase()
    BrokerOperation.objects.update(status=BrokerOperation.Status.NEEDS_REVIEW, review_reason="wait")

    def next_look_after(age: timedelta) -> timedelta:
        now = purchase.updated_at + age
        return advance_purchase(purchase_id=purchase.pk, clock=lambda: now).next_at - now

    assert next_look_after(timedelta(0)) == timedelta(seconds=1)
    assert next_look_after(timedelta(seconds=200)) == timedelta(seconds=20)
    assert next_look_after(timedelta(days=1)) == timedelta(seconds=60)


def test_activation_happens_once(shop: Shop) -> None:
    purchase = advance_until(shop.purchase(), created)

    for _ in range(2):
        active = mark_active(purchase_id=purchase.pk, by=STAFF, now=utc_now())
        assert active.status == ACTIVE

    purchase.refresh_from_db()
    assert (purchase.comment, purchase.activation_status) == ("PROP_CHALLENGE_PURCHASE_ACTIVE", "active")
    assert [to for _, to, _ in history(purchase)] == [PENDING, PAID, CREATED, ACTIVE]


def test_a_purchase_that_cannot_be_advanced_fails_the_round_and_stops_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    bought = [shop.purchase().pk for _ in range(4)]
    advanced: list[int] = []

    def advance(*, purchase_id: int, clock: Clock) -> None:
        if purchase_id in bought[1:3]:
            raise ZeroDivisionError("a bad row")
        advanced.append(purchase_id)

    monkeypatch.setattr(sweeping, "advance_purchase", advance)
    with pytest.raises(RoundFailedError) as failure:
        advance_due_purchases(clock=utc_now)

    said = f"2 of 4 purchases could not be advanced. Purchase {bought[1]}: ZeroDivisionError: a bad row"
    assert str(failure.value) == said
    assert sorted(advanced) == [bought[0], bought[3]]


def test_a_pending_purchase_cannot_become_active(shop: Shop) -> None:
    purchase = shop.purchase()

    with pytest.raises(IllegalTransitionError):
        mark_active(purchase_id=purchase.pk, by=STAFF, now=utc_now())

    purchase.refresh_from_db()
    assert purchase.status == PENDING
    assert history(purchase) == [(None, PENDING, "customer 1")]


def test_a_purchase_in_flight_cannot_be_failed(shop: Shop) -> None:
    purchase = shop.purchase()

    with pytest.raises(StillInFlightError):
        fail_purchase(purchase_id=purchase.pk, failure_reason="CANCELLED", by=STAFF, now=utc_now())

    purchase.refresh_from_db()
    assert purchase.status == PENDING


def test_failing_a_purchase_whose_account_is_open_disables_the_account(shop: Shop) -> None:
    purchase = advance_until(shop.purchase(), created)

    purchase = fail_purchase(purchase_id=purchase.pk, failure_reason="CANCELLED", by=STAFF, now=utc_now())

    assert (purchase.status, purchase.failure_reason) == (FAILED, "CANCELLED")
    assert purchase.review_reason.startswith("Refund needed: 499 USD")
    ends = BrokerOperation.objects.filter(account__login=purchase.account_login, kind__in=["disable", "close_all"])
    assert sorted(ends.values_list("kind", flat=True)) == ["close_all", "disable"]


def test_failing_a_paid_purchase_disables_the_account_that_is_ready_without_its_knowing(shop: Shop) -> None:
    purchase = advance_until(shop.purchase(), created)
    login = purchase.account_login
    Purchase.objects.update(status=PAID, account_login=0)

    fail_purchase(purchase_id=purchase.pk, failure_reason="CANCELLED", by=STAFF, now=utc_now())

    ends = BrokerOperation.objects.filter(account__login=login, subject=f"purchase:{purchase.pk}:end")
    assert sorted(ends.values_list("kind", flat=True)) == ["close_all", "disable"]


def test_the_sweep_takes_every_due_purchase_to_its_account(shop: Shop, simulator: Simulator) -> None:
    bought = [shop.purchase() for _ in range(3)]
    later = Later()

    # They share the clock: what one of them reads takes time from the lease of another, which is then worked on anew.
    for _ in range(200):
        advance_due_purchases(clock=later)
        if Purchase.objects.awaiting_challenge().count() == len(bought):
            break

    assert Purchase.objects.awaiting_challenge().count() == 3
    assert balance_of(simulator, shop) == Decimal(10_000 - 3 * 499)


def test_the_sweeper_has_the_job(shop: Shop) -> None:
    purchase = shop.purchase()
    job = next(job for job in registered_jobs() if job.name == "purchases.advance")

    assert (job.every_seconds, job.run(utc_now())) == (1, 1)

    purchase.refresh_from_db()
    assert purchase.status == CREATED


def test_the_sweep_leaves_alone_what_is_not_due(shop: Shop) -> None:
    shop.purchase()
    Purchase.objects.update(next_at=utc_now() + timedelta(minutes=1))

    assert advance_due_purchases(clock=utc_now) == 0


def test_a_purchase_in_hand_is_not_claimed_by_another_sweeper(shop: Shop) -> None:
    from purchases.services.sweeping import _claim  # noqa: PLC0415

    purchase = shop.purchase()
    now = utc_now()

    assert _claim(now=now, limit=10) == [purchase.pk]
    assert _claim(now=now, limit=10) == []
    assert _claim(now=now + timedelta(seconds=61), limit=10) == [purchase.pk]


def test_one_broken_purchase_does_not_stop_the_others(shop: Shop) -> None:
    broken, sound = shop.purchase(), shop.purchase()
    Purchase.objects.filter(pk=broken.pk).update(program_version=other_version(shop))
    later = Later()

    for _ in range(200):
        with suppress(RoundFailedError):
            advance_due_purchases(clock=later)
        # Whichever of them could be paid first: there is one payment at a time from their account.
        if set(Purchase.objects.values_list("status", flat=True)) == {PAID, CREATED}:
            break

    broken.refresh_from_db()
    sound.refresh_from_db()
    assert sound.status == CREATED
    assert broken.status == PAID


def other_version(shop: Shop) -> int:
    """A version that cannot be read."""
    return shop.program.versions.create(
        number=99, terms={"program": {}, "phases": []}, digest="x", author="test", created_at=shop.now
    ).pk


def test_the_account_is_funded_as_the_bought_terms_say(shop: Shop, simulator: Simulator) -> None:
    purchase = shop.purchase()
    AccountGroup.objects.filter(name="PROP_DEMO_USD").update(default_deposit=25_000)

    purchase = advance_until(purchase, created)

    assert simulator.account(purchase.account_login)["balance"] == 100_000
