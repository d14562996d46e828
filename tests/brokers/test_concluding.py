"""A disabling that only staff could confirm: what was open until then is closed once more."""

from datetime import timedelta

import pytest

from brokers.models import BrokerOperation, TradingAccount
from brokers.services import conclude_operation, request_disable_and_flatten, run_due_operations
from propdesk.lib.times import utc_now
from tests.brokers.driving import TESTER, run
from tests.purchases.refunds import REFUNDED, bought_at_broker, created, has_status, refund, under_review
from tests.purchases.rooms import Later, Shop, advance_until
from tests.simulator import Simulator

Kind, Status = BrokerOperation.Kind, BrokerOperation.Status
OTHER = "somebody.else@example.com"


def happened(operation: BrokerOperation) -> BrokerOperation:
    return conclude_operation(operation_id=operation.pk, happened=True, reason="I saw it.", by=TESTER, now=utc_now())


@pytest.fixture
def unclear(payer: TradingAccount) -> tuple[BrokerOperation, BrokerOperation]:
    """A disabling in review, because the account does not carry our address any more; and its closing, still to come.

    It is disabled all the same.
    """
    TradingAccount.objects.filter(pk=payer.pk).update(marker=OTHER)
    disable, close_all = request_disable_and_flatten(subject="test", account=payer, by=TESTER, now=utc_now())
    BrokerOperation.objects.filter(pk=close_all.pk).update(next_at=utc_now() + timedelta(days=365))
    disable = run(disable)
    assert disable.status == Status.NEEDS_REVIEW
    assert disable.review_reason == f"Account {payer.login} does not carry our e-mail address."
    return disable, close_all


def test_what_was_closed_before_is_closed_again(
    payer: TradingAccount, simulator: Simulator, unclear: tuple[BrokerOperation, BrokerOperation]
) -> None:
    disable, close_all = unclear
    BrokerOperation.objects.filter(pk=close_all.pk).update(next_at=utc_now())
    assert run(close_all).status == Status.DONE
    simulator.set(payer.login, equity=9_000)
    happened(disable)
    again = disable.followers.get(generation=2)
    assert (again.kind, run(again).status) == (Kind.CLOSE_ALL, Status.DONE)
    assert simulator.account(payer.login)["positions"] == []


def test_a_closing_in_review_is_dropped_for_the_new_one(unclear: tuple[BrokerOperation, BrokerOperation]) -> None:
    disable, close_all = unclear
    BrokerOperation.objects.filter(pk=close_all.pk).update(status=Status.NEEDS_REVIEW, review_reason="Given up.")
    happened(disable)
    assert list(disable.followers.order_by("generation").values_list("generation", "status")) == [
        (1, Status.CANCELLED), (2, Status.INTENDED),
    ]  # fmt: skip


def test_a_closing_that_is_still_to_come_is_enough(unclear: tuple[BrokerOperation, BrokerOperation]) -> None:
    disable, close_all = unclear
    happened(disable)
    assert disable.followers.get() == close_all


def test_a_refund_goes_on_after_one_conclusion(shop: Shop, simulator: Simulator) -> None:
    purchase, later = created(shop, simulator), Later()
    TradingAccount.objects.filter(login=purchase.account_login).update(marker=OTHER)
    refund(purchase)
    run_due_operations(clock=later)
    purchase = advance_until(purchase, under_review, clock=later)
    disable = BrokerOperation.objects.get(account__login=purchase.account_login, kind=Kind.DISABLE)
    closed = BrokerOperation.objects.get(after=disable)
    assert (disable.status, closed.status) == (Status.NEEDS_REVIEW, Status.DONE)

    conclude_operation(operation_id=disable.pk, happened=True, reason="I saw it.", by=TESTER, now=later())
    advance_until(purchase, has_status(REFUNDED), clock=later, most=200)

    assert bought_at_broker(simulator, purchase) == [(False, 0)]
    assert BrokerOperation.objects.filter(account__login=purchase.account_login, kind=Kind.DISABLE).get() == disable
