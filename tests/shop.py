"""A customer with a REAL account of 10,000 USD at the simulator, and the seeds' program for 499 USD."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.models import AccountGroup, TradingAccount
from programs.models import Program
from purchases.models import Customer, PayerAccount
from tests.purchases.rooms import Shop, make_customer, make_program


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def customer(transactional_db: None) -> Customer:
    return make_customer("ann@example.com")


@pytest.fixture
def payer_account(customer: Customer, payer: TradingAccount) -> PayerAccount:
    return PayerAccount.objects.create(customer=customer, account=payer)


@pytest.fixture
def program(demo_group: AccountGroup, real_group: AccountGroup, now: datetime) -> Program:
    return make_program(first=demo_group, funded=real_group, price=Decimal(499), now=now)


@pytest.fixture
def shop(customer: Customer, payer_account: PayerAccount, program: Program, now: datetime) -> Shop:
    return Shop(customer=customer, payer=payer_account, program=program, now=now)
