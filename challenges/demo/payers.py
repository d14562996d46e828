"""The demo customers' REAL accounts, opened through the same account order as every other account."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from brokers.models import AccountGroup, AccountOrder, TradingAccount
from brokers.services import advance_order, place_order
from propdesk.lib.actors import Actor
from purchases.models import Customer, PayerAccount

STARTING_BALANCE = Decimal(10000)


class DemoBrokerError(Exception):
    """The demo's broker did not open a payer account; the message says why."""


def ensure_payer(customer: Customer, group: AccountGroup, *, by: Actor, clock: Callable[[], datetime]) -> PayerAccount:
    """The customer's payer account with 10,000 in it, opened at the broker on the first start."""
    existing = PayerAccount.objects.filter(customer=customer).order_by("id").first()
    if existing:
        return existing
    order = place_order(
        reference=f"demo:payer:{customer.pk}",
        group=group,
        deposit=STARTING_BALANCE,
        first_name=customer.first_name,
        last_name=customer.last_name,
        by=by,
        now=clock(),
    )
    order = advance_order(order_id=order.pk, clock=clock)
    if order.status != AccountOrder.Status.READY or order.account is None:
        raise DemoBrokerError(
            f"The payer account of {customer} is {order.get_status_display()}: "
            f"{order.failure_reason or order.review_reason or 'the broker gave no clear answer; start again'}."
        )
    return _payer(customer, order.account)


def _payer(customer: Customer, account: TradingAccount) -> PayerAccount:
    payer, _ = PayerAccount.objects.get_or_create(account=account, defaults={"customer": customer})
    return payer
