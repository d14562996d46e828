"""The orders of a run. Django must be set up before this is imported."""

import logging
import secrets
import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, connection

from brokers.models import AccountGroup, AccountMode, AccountOrder, BrokerConnection, TradingAccount
from brokers.services import place_order, request_disable_and_flatten
from programs.models import Program
from programs.services import save_program
from propdesk.lib.actors import system
from propdesk.lib.times import utc_now
from purchases.errors import SaleRefusedError
from purchases.models import Customer, PayerAccount, Purchase
from purchases.services import buy
from tests.chaos.plan import DEADLINE, Plan
from tests.chaos.world import API_KEY, World

logger = logging.getLogger(__name__)

BY = system("chaos")
PRICE, DEPOSIT, PAYER_FUNDS = Decimal(499), Decimal(100_000), Decimal(1_000_000)
UNITS = {"PROP_DEMO_USD": (49490520, AccountMode.DEMO), "PROP_REAL_USD": (49490521, AccountMode.REAL)}
THREADS = 4
# Of the accounts that are ready, one in ten is taken out of trading again.
CLOSED = "^chaos:[0-9]*0$"
OPEN = (AccountOrder.Status.REQUESTED, AccountOrder.Status.OPENING)


@dataclass
class Firm:
    """The rows that a run needs beforehand."""

    groups: dict[str, AccountGroup]
    program: Program
    payers: list[PayerAccount]


def found(world: World, plan: Plan) -> Firm:
    """A broker connection, two groups, a program, and customers with money."""
    broker = BrokerConnection.objects.create(
        name="chaos", base_url=world.broker_url, api_key=API_KEY, deadline_seconds=DEADLINE, settle_seconds=plan.settle,
        quarantine_seconds=plan.quarantine, calls_per_second=0,
    )  # fmt: skip
    groups = {
        name: AccountGroup.objects.create(
            name=name, connection=broker, mode=mode, currency="USD", default_deposit=DEPOSIT, unit=unit,
            broker_group=f"{unit}:{name}",
        )
        for name, (unit, mode) in UNITS.items()
    }  # fmt: skip
    steps = [
        {"phase_index": 1, "phase_type": 0, "name": "Evaluation", "account_group": "PROP_DEMO_USD",
         "max_daily_loss_pct": Decimal(5), "max_total_loss_pct": Decimal(10), "profit_target_pct": Decimal(8)},
        {"phase_index": 2, "phase_type": 1, "name": "Funded", "account_group": "PROP_REAL_USD",
         "max_daily_loss_pct": Decimal(5), "max_total_loss_pct": Decimal(10), "profit_split": Decimal("0.8")},
    ]  # fmt: skip
    data = {"brand": "default", "name": "Evaluation", "price": PRICE, "price_currency": "USD", "steps": steps}
    program = save_program(data=data, by=BY, now=utc_now())
    # Few purchases at a time share a payer: an account has one unsettled money operation at most (M7).
    payers = [_payer(world, groups["PROP_REAL_USD"], number) for number in range(max(1, min(plan.orders // 4, 1000)))]
    return Firm(groups, program, payers)


def _payer(world: World, group: AccountGroup, number: int) -> PayerAccount:
    body = {
        "email": f"payer-{number}@example.com", "firstName": "Petra", "lastName": "Payer", "unit": group.unit,
        "group": group.broker_group, "enabled": True, "currency": "USD", "platform ": "ThinkTrader", "country": "CZ",
        "password": "Passw0rd!",
    }  # fmt: skip
    login = int(world.simulator("POST", "/cportal/prop/demo/accounts/create", body)["accountNumber"])
    money = {"accountNumber": login, "unit": group.unit, "amount": float(PAYER_FUNDS), "comment": "chaos"}
    world.simulator("POST", "/cportal/prop/demo/accounts/deposit", money)
    account = TradingAccount.objects.create(
        connection=group.connection, group=group, login=login, is_enabled=True, is_funded=True
    )
    customer = Customer.objects.create(email=f"payer-{number}@example.com", first_name="Petra", last_name="Payer")
    return PayerAccount.objects.create(customer=customer, account=account)


@dataclass
class Load:
    """Places the orders from a few threads, each again and again until it is acknowledged."""

    firm: Firm
    plan: Plan
    placed: int = 0
    bought: list[int] = field(default_factory=list)
    ordered: list[str] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    _next: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def is_done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (number := self._take()) < self.plan.orders:
            # A deterministic spread of sales over the orders.
            is_sale = int((number + 1) * self.plan.sales) > int(number * self.plan.sales)
            self._until_done(self._buy if is_sale else self._order, number)
            with self._lock:
                self.placed += 1
        connection.close()

    def _take(self) -> int:
        with self._lock:
            self._next += 1
            return self._next - 1

    def _until_done(self, act: Any, number: int) -> None:
        while True:
            try:
                while _open_orders() >= self.plan.most_open:
                    time.sleep(0.2)
                act(number)
            except (DatabaseError, SaleRefusedError) as error:
                # The database is away, or the broker did not tell the balance: the customer presses the button again.
                logger.info("Order %s: %s", number, error)
                connection.close()
                time.sleep(0.2)
            else:
                return

    def _buy(self, number: int) -> None:
        payer = self.firm.payers[number % len(self.firm.payers)]
        sale = buy(
            customer=payer.customer, program_id=self.firm.program.pk, payer_login=payer.account.login,
            idempotency_key=f"chaos-{number}", by=BY, now=utc_now(),
        )  # fmt: skip
        self.bought.append(sale.purchase.pk)

    def _order(self, number: int) -> None:
        order = place_order(
            reference=f"chaos:{number}", group=self.firm.groups["PROP_DEMO_USD"], deposit=DEPOSIT, first_name="Tilda",
            last_name=f"Trader {secrets.token_hex(2)}", by=BY, now=utc_now(),
        )  # fmt: skip
        self.ordered.append(order.reference)

    def close_some(self) -> None:
        """Take one in ten of the ready accounts that were ordered directly out of trading."""
        ready = AccountOrder.objects.filter(status=AccountOrder.Status.READY, reference__regex=CLOSED)
        for order in ready.exclude(account_id__in=self.closed).select_related("account"):
            if order.account is not None:
                request_disable_and_flatten(subject=order.reference, account=order.account, by=BY, now=utc_now())
                self.closed.add(order.account.pk)


def _open_orders() -> int:
    waiting = Purchase.objects.filter(status=Purchase.Status.PENDING).count()
    return waiting + AccountOrder.objects.filter(status__in=OPEN).count()
