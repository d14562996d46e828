from decimal import Decimal
from typing import Any

import pytest

from brokers.models import AccountGroup, AccountMode
from programs.services import set_status
from purchases.errors import SaleRefusedError
from purchases.models import PayerAccount
from purchases.reasons import BlockReason
from purchases.services.eligibility import block_reason, owned_payer
from tests.purchases.rooms import STAFF, Shop, make_customer


def reason(shop: Shop, balance: Decimal | None = Decimal(10_000)) -> BlockReason | None:
    payer = owned_payer(shop.customer, shop.payer.account.login)
    shop.program.refresh_from_db()
    return block_reason(program=shop.program, payer=payer, balance=balance)


def move_payer_to(shop: Shop, **differs: Any) -> None:
    """Put the payer account into a group like its own, but for what differs; no program uses that one."""
    group = shop.payer.account.group
    group.pk = None
    for name, value in differs.items():
        setattr(group, name, value)
    group.broker_group = f"{group.unit}:{group.name}"
    group.save(force_insert=True)
    shop.payer.account.group = group
    shop.payer.account.save(update_fields=["group"])


def test_an_enabled_real_account_with_enough_money_may_pay(shop: Shop) -> None:
    assert reason(shop) is None


def test_exactly_the_price_is_enough(shop: Shop) -> None:
    assert reason(shop, Decimal(499)) is None


def test_a_cent_below_the_price_is_not(shop: Shop) -> None:
    assert reason(shop, Decimal("498.99")) == "NOT_ENOUGH_FUNDS"


def test_an_unreadable_balance_blocks(shop: Shop) -> None:
    assert reason(shop, None) == "PAYER_BALANCE_UNAVAILABLE"


def test_another_customers_account_is_not_found(shop: Shop) -> None:
    with pytest.raises(SaleRefusedError) as refusal:
        owned_payer(make_customer("bob@example.com"), shop.payer.account.login)

    assert (refusal.value.code, refusal.value.status) == ("INVALID_PAYER_ACCOUNT", 403)


@pytest.mark.parametrize("status", [1, 2])
def test_only_an_active_program_is_on_sale(shop: Shop, status: int) -> None:
    set_status(program_id=shop.program.pk, to=shop.program.Status(status), by=STAFF, now=shop.now)

    assert reason(shop) == "PROGRAM_DISABLED"


def test_a_program_without_phases_is_not_on_sale(shop: Shop) -> None:
    shop.program.phases.all().delete()

    assert reason(shop) == "PROGRAM_DISABLED"


def test_a_program_whose_first_account_group_is_switched_off_is_not_on_sale(shop: Shop) -> None:
    AccountGroup.objects.filter(name="PROP_DEMO_USD").update(is_enabled=False)

    assert reason(shop) == "PROGRAM_DISABLED"


def test_a_payer_account_switched_off_by_staff_blocks(shop: Shop) -> None:
    PayerAccount.objects.update(is_enabled=False)

    assert reason(shop) == "PAYER_ACCOUNT_DISABLED"


def test_a_payer_account_disabled_at_the_broker_blocks(shop: Shop) -> None:
    shop.payer.account.is_enabled = False
    shop.payer.account.save()

    assert reason(shop) == "PAYER_ACCOUNT_DISABLED"


def test_a_payer_group_that_is_switched_off_blocks(shop: Shop) -> None:
    AccountGroup.objects.filter(name="PROP_REAL_USD").update(is_enabled=False)

    assert reason(shop) == "PAYER_GROUP_NOT_FOUND"


def test_a_payer_account_in_another_currency_blocks(shop: Shop) -> None:
    move_payer_to(shop, name="PROP_REAL_EUR", currency="EUR")

    assert reason(shop) == "CURRENCY_CONVERSION_REQUIRED"


def test_a_demo_account_cannot_pay(shop: Shop) -> None:
    move_payer_to(shop, name="SOME_DEMO_USD", mode=AccountMode.DEMO)

    assert reason(shop) == "PAYER_ACCOUNT_NOT_REAL"
