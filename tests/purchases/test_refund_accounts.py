"""Before any money goes back, nobody can trade what was bought: read at the broker, not assumed."""

from datetime import timedelta

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from brokers.services import (
    cancel_order,
    conclude_operation,
    request_enable,
    resume_order,
    run_due_operations,
    run_operation,
)
from propdesk.lib.times import utc_now
from purchases.services import advance_purchase
from purchases.services.paying_back import _intend
from tests.brokers.driving import fault
from tests.purchases.refunds import (
    FAILED,
    PAID,
    REFUNDED,
    Kind,
    Status,
    bought_at_broker,
    created,
    failed_long_ago,
    has_status,
    opening,
    refund,
    under_review,
)
from tests.purchases.rooms import STAFF, Later, Shop, advance_until
from tests.simulator import Simulator


def test_no_money_goes_back_before_the_account_reads_disabled_and_flat(shop: Shop, simulator: Simulator) -> None:
    purchase = created(shop, simulator)
    simulator.set(purchase.account_login, equity=99_000)
    simulator.faults({"endpoint": "close-all-positions", "fault": "error_before"})
    later = Later()
    refund(purchase, now=later())
    for _ in range(20):
        purchase = advance_purchase(purchase_id=purchase.pk, clock=later)
    assert (purchase.status, purchase.refund) == (FAILED, None)
    assert bought_at_broker(simulator, purchase) == [(False, 1)]

    simulator.faults()
    purchase = advance_until(purchase, has_status(REFUNDED), clock=later, most=200)
    assert bought_at_broker(simulator, purchase) == [(False, 0)]
    assert purchase.refund is not None
    closed = BrokerOperation.objects.get(subject=f"purchase:{purchase.pk}:end", kind=Kind.CLOSE_ALL)
    assert closed.finished_at is not None
    assert closed.finished_at <= purchase.refund.created_at


def test_an_account_that_cannot_be_taken_out_is_shown_to_staff(shop: Shop, simulator: Simulator) -> None:
    purchase = refund(created(shop, simulator))
    disable = BrokerOperation.objects.filter(subject=f"purchase:{purchase.pk}:end", kind=Kind.DISABLE)
    disable.update(status=Status.NEEDS_REVIEW, review_reason="The account reads enabled=True.")

    purchase = advance_until(purchase, under_review, clock=Later())

    assert purchase.refund is None
    assert purchase.review_reason.startswith(f"Refund waits: operation {disable.get().pk} (disable for purchase:")
    conclude_operation(operation_id=disable.get().pk, happened=True, reason="It is.", by=STAFF, now=utc_now())
    advance_until(purchase, has_status(REFUNDED), clock=Later(), most=200)
    assert bought_at_broker(simulator, purchase) == [(False, 0)]


def test_an_account_that_was_enabled_since_is_taken_out_again(shop: Shop, simulator: Simulator) -> None:
    purchase = failed_long_ago(shop, simulator)
    account = TradingAccount.objects.get(login=purchase.account_login)
    enabling = request_enable(subject="test:enable", account=account, by=STAFF, now=utc_now())
    run_operation(operation_id=enabling.pk, clock=utc_now)
    assert bought_at_broker(simulator, purchase) == [(True, 0)]

    refund(purchase)
    purchase = advance_until(purchase, has_status(REFUNDED), clock=Later(), most=200)

    assert bought_at_broker(simulator, purchase) == [(False, 0)]
    again = BrokerOperation.objects.filter(subject__startswith=f"purchase:{purchase.pk}:before-refund:")
    assert [(each.kind, each.status) for each in again.order_by("id")] == [("disable", 2), ("close_all", 2)]


def test_an_account_that_was_taken_out_long_ago_is_taken_out_and_read_once_more(
    shop: Shop, simulator: Simulator
) -> None:
    purchase = failed_long_ago(shop, simulator)
    behind_our_back = {"unit": simulator.demo_unit, "accountNumbers": [purchase.account_login], "enable": True}
    simulator.post("accounts/enable", behind_our_back)

    refund(purchase)
    advance_until(purchase, has_status(REFUNDED), clock=Later(), most=200)

    assert bought_at_broker(simulator, purchase) == [(False, 0)]


def test_what_was_opened_after_the_closing_is_closed_too(shop: Shop, simulator: Simulator) -> None:
    purchase = refund(created(shop, simulator))
    run_due_operations(clock=utc_now)
    ends = BrokerOperation.objects.filter(subject=f"purchase:{purchase.pk}:end", status=Status.DONE)
    disabled = ends.get(kind=Kind.DISABLE).started_at
    assert disabled is not None
    assert ends.filter(kind=Kind.CLOSE_ALL).update(started_at=disabled - timedelta(seconds=1)) == 1
    simulator.set(purchase.account_login, equity=99_000)
    assert bought_at_broker(simulator, purchase) == [(False, 1)]

    advance_until(purchase, has_status(REFUNDED), clock=Later(), most=200)

    assert bought_at_broker(simulator, purchase) == [(False, 0)]


def test_an_account_that_comes_back_at_the_last_moment_stops_the_money(shop: Shop, simulator: Simulator) -> None:
    purchase = refund(created(shop, simulator))
    run_due_operations(clock=utc_now)
    TradingAccount.objects.filter(login=purchase.account_login).update(is_enabled=True)

    obstacle = _intend(purchase, now=utc_now())

    assert obstacle is not None
    assert obstacle.what == "its account is in trading again"
    purchase.refresh_from_db()
    assert purchase.refund is None
    assert not BrokerOperation.objects.filter(subject__startswith=f"purchase:{purchase.pk}:refund").exists()


def test_an_order_under_way_is_cancelled_rather_than_finished(shop: Shop, simulator: Simulator) -> None:
    purchase = refund(opening(shop, simulator))
    advance_until(purchase, has_status(REFUNDED), clock=Later(), most=200)

    order = AccountOrder.objects.get(reference=f"purchase:{purchase.pk}")
    assert (order.status, order.account) == (AccountOrder.Status.CANCELLED, None)
    assert order.cancel_reason == f"purchase {purchase.pk} is refunded"


def test_an_enabling_that_may_land_late_is_waited_for(shop: Shop, simulator: Simulator) -> None:
    purchase = created(shop, simulator)
    now = utc_now()
    BrokerOperation.objects.filter(kind=Kind.ENABLE).update(was_in_doubt=True, started_at=now)
    refund(purchase, now=now)

    # Deadline 30 and quarantine 2.
    purchase = advance_purchase(purchase_id=purchase.pk, clock=lambda: now + timedelta(seconds=31))
    assert purchase.refund is None
    assert TradingAccount.objects.get(login=purchase.account_login).is_enabled is False

    purchase = advance_purchase(purchase_id=purchase.pk, clock=lambda: now + timedelta(seconds=33))
    assert purchase.status == REFUNDED
    disabled = BrokerOperation.objects.filter(account__login=purchase.account_login, kind=Kind.DISABLE)
    assert disabled.count() == 2


def test_extra_accounts_of_the_order_are_taken_out_too(shop: Shop, simulator: Simulator) -> None:
    purchase = failed_long_ago(shop, simulator)
    account = TradingAccount.objects.get(login=purchase.account_login)
    assert purchase.account_order is not None
    number = simulator.open_account(unit=simulator.demo_unit)
    extra = TradingAccount.objects.create(
        connection=account.connection, group=account.group, login=number, is_orphan=True, is_enabled=True
    )
    subject = f"order:{purchase.account_order.pk}:orphan:{number}"
    BrokerOperation.objects.filter(subject=f"purchase:{purchase.pk}:end").update(subject=subject, account=extra)

    refund(purchase)
    advance_until(purchase, has_status(REFUNDED), clock=Later(), most=200)

    assert simulator.account(number)["enabled"] is False


def test_an_order_in_review_holds_the_money_back_until_staff_have_it_tried_again(
    shop: Shop, simulator: Simulator
) -> None:
    simulator.faults(fault("create", "drop_after"), {"endpoint": "accounts-details", "fault": "truncate_after"})
    purchase = refund(advance_until(shop.purchase(), has_status(PAID)))
    later = Later()
    for later.ahead in (timedelta(minutes=1), timedelta(minutes=31)):
        purchase = advance_purchase(purchase_id=purchase.pk, clock=later)

    assert purchase.refund is None
    assert purchase.review_reason.startswith(f"Refund waits: account order {purchase.account_order_id} is in review: ")
    simulator.faults()
    assert purchase.account_order is not None
    resume_order(order_id=purchase.account_order.pk, reason="It answers again.", by=STAFF, now=later())
    purchase = advance_until(purchase, has_status(REFUNDED), clock=later, most=200)
    assert bought_at_broker(simulator, purchase) == [(False, 0)]


def test_an_order_that_staff_had_cancelled_before_is_no_obstacle(shop: Shop, simulator: Simulator) -> None:
    purchase = opening(shop, simulator)
    assert purchase.account_order is not None
    cancel_order(order_id=purchase.account_order.pk, reason="Staff.", by=STAFF, now=utc_now())

    refund(purchase)
    purchase = advance_until(purchase, has_status(REFUNDED), clock=Later(), most=200)

    assert bought_at_broker(simulator, purchase) == [(False, 0)]
