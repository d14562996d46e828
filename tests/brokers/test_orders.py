"""Account orders against the real simulator: whatever the broker does to us, one enabled account with one deposit."""

from decimal import Decimal

from brokers.models import AccountGroup, AccountOrder
from brokers.services import advance_order, place_order
from propdesk.lib.actors import system
from propdesk.lib.times import utc_now
from tests.simulator import Simulator

TESTER = system("test")


def placed(group: AccountGroup, reference: str = "purchase:1") -> AccountOrder:
    return place_order(
        reference=reference, group=group, deposit=group.default_deposit, first_name="Tilda", last_name="Trader", by=TESTER, now=utc_now()
    )  # fmt: skip


def test_an_order_ends_with_one_enabled_account_that_holds_its_deposit(simulator: Simulator, demo_group: AccountGroup):
    order = advance_order(order_id=placed(demo_group).pk, clock=utc_now)

    assert order.status == AccountOrder.Status.READY
    account = order.account
    assert (account.is_enabled, account.is_funded, account.is_orphan) == (True, True, False)
    at_broker = simulator.account(account.login)
    assert (at_broker["enabled"], at_broker["balance"], at_broker["email"]) == (True, 100000.0, account.marker)
    assert [(each["amount"], each["type"]) for each in at_broker["transfers"]] == [("100000.00000000", "DEPOSIT")]
    assert order.deposit == Decimal(100000)
    assert not order.was_in_doubt
