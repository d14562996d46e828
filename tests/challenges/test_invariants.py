"""The invariants' SQL: silent about what is well, and it names what is not."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import F

from brokers.models import AccountOrder, BrokerConnection, BrokerOperation, Difference, TradingAccount
from challenges.models import Enrollment
from challenges.services.closing import fail_enrollment
from challenges.services.invariants import find_violations, watch_invariants
from challenges.services.opening import open_due_challenges
from challenges.services.pausing import pause_enrollment
from propdesk.lib.processes.models import InvariantViolation
from propdesk.lib.times import utc_now
from propdesk.lib.transitions import transition
from purchases.models import Purchase
from purchases.services import advance_purchase
from tests.purchases.refunds import REFUNDED, failed, has_status, opening, refund
from tests.purchases.rooms import STAFF, Later, Shop, advance_until
from tests.simulator import Simulator

NOW = timedelta(0)


def broken() -> list[tuple[str, int]]:
    return [(each.invariant, each.row_id) for each in find_violations(now=utc_now(), grace=NOW)]


def broken_at(moment: datetime) -> list[tuple[str, int]]:
    """As the check of every five minutes finds it then."""
    return [(each.invariant, each.row_id) for each in find_violations(now=moment)]


def show(operation: BrokerOperation) -> None:
    """Put it before staff."""
    review = BrokerOperation.Status.NEEDS_REVIEW
    transition(operation, to=review, by=STAFF, now=utc_now(), reason="Look.", review_reason="Look.")


def call_it_refunded() -> None:
    """As the database would never let a purchase become by itself: any operation will do for the money."""
    Purchase.objects.update(
        status=Purchase.Status.REFUNDED, refund=F("payment"), refund_asked_at=utc_now(), refund_reason="test",
        refund_tries=1,
    )  # fmt: skip


@pytest.fixture
def purchase(shop: Shop) -> Purchase:
    """One that is active, with everything that belongs to it."""
    advance_until(shop.purchase(), lambda it: it.status == Purchase.Status.ACCOUNT_CREATED, clock=Later())
    open_due_challenges(now=utc_now())
    return Purchase.objects.get()


def test_a_purchase_that_went_well_breaks_nothing(purchase: Purchase):
    assert purchase.status == Purchase.Status.ACTIVE
    assert find_violations(now=utc_now(), grace=NOW) == []


def test_a_second_enabled_account_of_an_order_is_found(purchase: Purchase):
    order = AccountOrder.objects.get()
    assert order.account is not None
    twin = TradingAccount.objects.create(
        connection=order.account.connection, group=order.group, login=1, marker=order.account.marker, is_enabled=True
    )
    assert broken() == [("I1", order.pk)]
    TradingAccount.objects.filter(pk=twin.pk).update(is_enabled=False, is_orphan=True)
    assert broken() == [("I1", twin.pk)]


def test_money_that_was_taken_and_is_forgotten_is_found(purchase: Purchase):
    Purchase.objects.update(status=Purchase.Status.PAID, updated_at=utc_now() - timedelta(hours=2))
    assert broken() == [("I10", purchase.pk), ("I2", purchase.pk)]
    Purchase.objects.update(review_reason="staff look at it")
    assert broken() == [("I10", purchase.pk)]


def test_a_refund_that_is_stuck_and_shown_to_nobody_is_found_after_an_hour(shop: Shop, simulator: Simulator):
    """Also when its operation exists: it may be refused, or done with nobody having noticed."""
    asked_at = utc_now()
    purchase = refund(failed(shop, simulator), now=asked_at)
    BrokerConnection.objects.update(is_enabled=False)
    purchase = advance_purchase(purchase_id=purchase.pk, clock=lambda: asked_at)
    assert purchase.refund is not None
    assert (purchase.review_reason, broken_at(asked_at + timedelta(minutes=59))) == ("", [])

    late = asked_at + timedelta(minutes=61)
    assert broken_at(late) == [("I2", purchase.pk)]

    purchase = advance_purchase(purchase_id=purchase.pk, clock=lambda: asked_at + timedelta(minutes=31))
    assert purchase.review_reason.startswith(f"Refund waits: operation {purchase.refund_id} ")
    assert broken_at(late) == []


def test_an_account_that_outlives_its_enrollment_is_found_whatever_an_earlier_pause_left_in_review(purchase: Purchase):
    enrollment = Enrollment.objects.get()
    paused_at = utc_now()
    pause_enrollment(enrollment=enrollment, trading_day=paused_at.date(), by=STAFF, now=paused_at)
    show(BrokerOperation.objects.get(subject__contains=":pause:", kind="disable"))
    figures = {"balance": Decimal(1), "equity": Decimal(1)}
    fail_enrollment(enrollment=enrollment, reason="daily_loss", by=STAFF, now=utc_now(), **figures)
    assert broken() == [("I6", enrollment.pk)]

    of_the_end = BrokerOperation.objects.get(subject=f"enrollment:{enrollment.pk}:close", kind="disable")
    show(of_the_end)
    assert broken() == []

    BrokerOperation.objects.filter(pk=of_the_end.pk).update(subject="difference:1:disable")
    assert broken() == []
    BrokerOperation.objects.filter(pk=of_the_end.pk).update(created_at=paused_at)
    assert broken() == [("I6", enrollment.pk)]


def test_an_illegal_and_an_unexplained_status_change_are_found(purchase: Purchase):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO purchases_purchaseevent (subject_id, from_status, to_status, actor, reason, at) "
            "VALUES (%s, 3, 0, 'nobody', '', now())",
            [purchase.pk],
        )
    assert broken() == [("I10", purchase.pk), ("I4", purchase.pk)]


def test_money_at_the_broker_that_our_books_do_not_know_is_found_once_it_is_sure(purchase: Purchase):
    account, long_ago = TradingAccount.objects.filter(order__isnull=False).latest("pk"), utc_now() - timedelta(hours=2)
    difference = Difference.objects.create(
        connection=account.connection, unit=account.group.unit, kind=Difference.Kind.TRANSFER, login=account.login,
        account=account, ours="no operation", theirs="250.50 USD", gap=Decimal("250.5"), cause="Made by hand.",
        first_seen_at=long_ago, last_seen_at=long_ago, updated_at=long_ago,
    )  # fmt: skip
    assert broken() == []  # seen once: the broker may have answered something old
    Difference.objects.update(last_seen_at=utc_now())
    assert broken() == [("I3", difference.pk)]
    Difference.objects.update(first_seen_at=utc_now() - timedelta(minutes=59))
    assert find_violations(now=utc_now()) == []
    Difference.objects.update(first_seen_at=long_ago, status=Difference.Status.ACKNOWLEDGED)
    assert broken() == []
    Difference.objects.update(status=Difference.Status.OPEN, kind=Difference.Kind.DISABLED)
    assert broken() == []


def test_a_refunded_purchase_with_an_enabled_account_is_found(purchase: Purchase):
    call_it_refunded()
    assert broken() == [("I10", purchase.pk), ("I7", purchase.pk)]


def test_a_purchase_refunded_while_its_account_was_opened_with_that_account_enabled_is_found(
    shop: Shop, simulator: Simulator
):
    """Its order is cancelled then and has adopted no account: the account is known by what created it."""
    refunded = refund(opening(shop, simulator))
    purchase = advance_until(refunded, has_status(REFUNDED), clock=Later(), most=200)
    assert AccountOrder.objects.get().account is None
    assert broken() == []

    TradingAccount.objects.exclude(marker="").update(is_enabled=True)

    assert broken() == [("I7", purchase.pk)]


def test_a_key_in_clear_and_a_password_in_evidence_are_found(purchase: Purchase):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE brokers_brokerconnection SET api_key = 'plain'")
        cursor.execute("""UPDATE brokers_brokeroperation SET evidence = '{"password": "x"}' WHERE kind = 'create'""")
        cursor.execute("SELECT id FROM brokers_brokeroperation WHERE kind = 'create'")
        (operation,) = cursor.fetchone() or (0,)
    assert purchase.payer is not None
    assert sorted(broken()) == sorted([("I9", purchase.payer.account.connection_id), ("I9", operation)])


def test_what_is_found_is_kept_once_and_marked_when_it_is_gone(purchase: Purchase):
    call_it_refunded()
    assert watch_invariants(now=utc_now()) == 2
    assert watch_invariants(now=utc_now()) == 0
    assert set(InvariantViolation.objects.values_list("invariant", "gone_at")) == {("I7", None), ("I10", None)}

    Purchase.objects.update(status=Purchase.Status.ACTIVE, refund_asked_at=None)
    assert watch_invariants(now=utc_now()) == 0
    assert not InvariantViolation.objects.filter(gone_at=None).exists()
    assert InvariantViolation.objects.count() == 2


def test_the_command_ends_with_status_1_when_something_is_broken(
    purchase: Purchase, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit) as well:
        call_command("check_invariants", "--grace-seconds", "0")
    assert (well.value.code, capsys.readouterr().out) == (0, "0 violations.\n")

    call_it_refunded()
    with pytest.raises(SystemExit) as broken_now:
        call_command("check_invariants", "--grace-seconds", "0")
    assert broken_now.value.code == 1
    assert "I7 row" in capsys.readouterr().out
