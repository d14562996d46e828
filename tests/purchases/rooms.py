"""What purchase tests are set in."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.models import AccountGroup
from programs.models import Program
from programs.services import save_program
from propdesk.lib.actors import Actor
from propdesk.lib.times import utc_now
from purchases.models import Customer, PayerAccount, Purchase, PurchaseEvent
from purchases.services import Sale, advance_purchase, buy

STAFF = Actor("staff")


def make_customer(email: str, **fields: Any) -> Customer:
    return Customer.objects.create(email=email, first_name="Ann", last_name="Buyer", **fields)


def make_program(*, first: AccountGroup, funded: AccountGroup, price: Decimal, now: datetime, **fields: Any) -> Program:
    """Two phases: an evaluation in `first`, a funded one in `funded`."""
    steps = [
        {"phase_index": 1, "phase_type": 0, "name": "Evaluation", "account_group": first.name,
         "max_daily_loss_pct": Decimal(5), "max_total_loss_pct": Decimal(10), "profit_target_pct": Decimal(8)},
        {"phase_index": 2, "phase_type": 1, "name": "Funded", "account_group": funded.name,
         "max_daily_loss_pct": Decimal(5), "max_total_loss_pct": Decimal(10), "profit_split": Decimal("0.8")},
    ]  # fmt: skip
    data = {"brand": "default", "name": "Evaluation 100K", "price": price, "price_currency": "USD", "steps": steps}
    return save_program(data={**data, **fields}, by=STAFF, now=now)


def history(purchase: Purchase) -> list[tuple[int | None, int, str]]:
    """The status changes of a purchase: from, to, by whom."""
    events = PurchaseEvent.objects.filter(subject_id=purchase.pk).order_by("id")
    return list(events.values_list("from_status", "to_status", "actor"))


@dataclass
class Shop:
    """A customer with an account to pay from, and a program to buy."""

    customer: Customer
    payer: PayerAccount
    program: Program
    now: datetime
    balance: Decimal | None = Decimal(10_000)
    reads: list[PayerAccount] = field(default_factory=list)

    def read_balance(self, payer: PayerAccount, now: datetime) -> Decimal | None:
        """A balance reader that needs no broker and remembers that it was asked."""
        self.reads.append(payer)
        return self.balance

    def buy(self, *, key: str = "", **changes: Any) -> Sale:
        arguments: dict[str, Any] = {
            "customer": self.customer,
            "program_id": self.program.pk,
            "payer_login": self.payer.account.login,
            "balance_reader": self.read_balance,
            "now": self.now,
        }
        return buy(idempotency_key=key, by=Actor("customer 1"), **{**arguments, **changes})

    def purchase(self) -> Purchase:
        """A sale made now by the real clock, as whatever speaks to the broker needs it."""
        return self.buy(now=utc_now()).purchase


class Later:
    """A clock that jumps a second ahead of the real one at every reading, so that nothing has to be waited for."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        self.ahead += timedelta(seconds=1)
        return utc_now() + self.ahead


def advance_until(
    purchase: Purchase, done: Callable[[Purchase], bool], *, clock: Callable[[], datetime] = utc_now, most: int = 200
) -> Purchase:
    """Advance again and again until `done`; the clock decides what is due."""
    for _ in range(most):
        purchase = advance_purchase(purchase_id=purchase.pk, clock=clock)
        if done(purchase):
            return purchase
    raise AssertionError(f"{purchase} is still {purchase.get_status_display()} ({purchase.review_reason})")


def advance_beside_others(purchase: Purchase, done: Callable[[Purchase], bool]) -> None:
    """Advance by the real clock, which keeps one worker from another's call, for as long as another has it in hand."""
    give_up = time.monotonic() + 100
    while not done(advance_purchase(purchase_id=purchase.pk, clock=utc_now)):
        assert time.monotonic() < give_up, f"{purchase} is still not there"
        time.sleep(0.005)
