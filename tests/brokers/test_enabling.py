"""Enabling on staff's word, and what withdraws it."""

import re
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


def test_an_enabling_waits_for_a_failure_that_is_being_written_and_is_refused(
    transactional_db: None, sold: Sold
) -> None:
    def enable() -> None:
        try:
            enabled(sold)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            fail(sold)
            asked = pool.submit(enable)
            with pytest.raises(TimeoutError):
                asked.result(timeout=0.5)
        with pytest.raises(ConflictError, match=f"Its {re.escape(str(sold.enrollment))} is failed."):
            asked.result(timeout=30)
    kinds = BrokerOperation.objects.filter(account=account_of(sold)).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == [Kind.DISABLE, Kind.CLOSE_ALL]
