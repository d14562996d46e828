"""Enabling on staff's word, and what withdraws it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction

from brokers.models import BrokerOperation, BrokerOperationEvent, TradingAccount
from brokers.services import enable_by_hand, request_disable_and_flatten, request_enable
from challenges.services.closing import fail_enrollment
from challenges.services.locking import lock_enrollment
from propdesk.lib.mng.errors import ConflictError
from propdesk.lib.times import utc_now
from tests.brokers.driving import TESTER
from tests.propdesk.admin.rows import Sold, make_firm, sell

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status


@pytest.fixture
def sold(db: None) -> Sold:
    sold = sell(make_firm(), 1)
    TradingAccount.objects.update(is_enabled=False)
    BrokerOperation.objects.filter(account=sold.enrollment.account).delete()
    return sold


def account_of(sold: Sold) -> TradingAccount:
    assert sold.enrollment.account is not None
    return TradingAccount.objects.select_related("order").get(pk=sold.enrollment.account.pk)


def enabled(sold: Sold, subject: str = "test:1") -> BrokerOperation:
    account = account_of(sold)
    return enable_by_hand(subject=subject, account_id=account.pk, reason="A mistake.", by=TESTER, now=utc_now())


def fail(sold: Sold) -> None:
    with transaction.atomic():
        enrollment = lock_enrollment(sold.enrollment.pk)
        figure = enrollment.initial_balance
        fail_enrollment(
            enrollment=enrollment, reason="daily_loss", balance=figure, equity=figure, by=TESTER, now=utc_now()
        )


def test_the_same_subject_is_the_same_enabling(sold: Sold) -> None:
    assert enabled(sold).pk == enabled(sold).pk
    assert BrokerOperation.objects.filter(kind=Kind.ENABLE, account=account_of(sold)).count() == 1


def test_a_second_wish_waits_for_the_first(sold: Sold) -> None:
    first = enabled(sold)
    with pytest.raises(ConflictError, match=f"Operation {first.pk}"):
        enabled(sold, "test:2")
    assert BrokerOperation.objects.filter(account=account_of(sold)).count() == 1


def test_an_enabling_that_has_not_begun_is_dropped_when_the_account_is_taken_out(sold: Sold) -> None:
    enable = enabled(sold)
    disable, _ = request_disable_and_flatten(subject="test", account=account_of(sold), by=TESTER, now=utc_now())
    enable.refresh_from_db()
    assert enable.status == Status.CANCELLED
    event = BrokerOperationEvent.objects.filter(subject_id=enable.pk).latest("id")
    assert event.reason == f"Operation {disable.pk} takes the account out of trading."


@pytest.mark.parametrize("status", [Status.CALLING, Status.IN_DOUBT])
def test_an_enabling_that_has_begun_is_left_to_staff_when_the_account_is_taken_out(sold: Sold, status: int) -> None:
    enable = enabled(sold)
    BrokerOperation.objects.filter(pk=enable.pk).update(status=status)
    request_disable_and_flatten(subject="test", account=account_of(sold), by=TESTER, now=utc_now())
    enable.refresh_from_db()
    assert enable.status == Status.NEEDS_REVIEW


def test_what_is_enabled_after_it_was_taken_out_stays_asked_for(sold: Sold) -> None:
    account = account_of(sold)
    disable, _ = request_disable_and_flatten(subject="test", account=account, by=TESTER, now=utc_now())
    later = request_enable(subject="lift", account=account, after=disable, by=TESTER, now=utc_now())
    assert request_disable_and_flatten(subject="test", account=account, by=TESTER, now=utc_now())[0] == disable
    later.refresh_from_db()
    assert later.status == Status.INTENDED


def test_of_an_enabling_and_a_failure_at_the_same_time_the_failure_wins(transactional_db: None, sold: Sold) -> None:
    def enable(number: int) -> None:
        try:
            enabled(sold, f"race:{number}")
        except ConflictError:
            pass
        finally:
            connections.close_all()

    def end(_: int) -> None:
        fail(sold)
        connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(enable, 1), pool.submit(end, 1)]:
            future.result(timeout=30)
    kinds = dict(BrokerOperation.objects.filter(account=account_of(sold)).values_list("kind", "status"))
    assert kinds.get(Kind.ENABLE, Status.CANCELLED) == Status.CANCELLED
    assert kinds[Kind.DISABLE] == Status.INTENDED
