"""A small firm for the tests of this app: a program, and customers who run it on accounts of the real simulator."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from brokers.models import AccountGroup, AccountOrder, TradingAccount
from challenges.models import Challenge, Enrollment, EnrollmentState, UnitWatch
from challenges.services.opening import open_challenge
from challenges.services.watching import watch_due_units
from programs.models import Program, ProgramVersion
from programs.services import save_program
from propdesk.lib.actors import system
from purchases.models import Customer, Purchase
from tests.simulator import Simulator

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TESTER = system("tester")


@dataclass
class Clock:
    """Time as the test says it is; each reading is a microsecond later, as two readings are."""

    now: datetime = START

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def pass_time(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class Firm:
    simulator: Simulator
    demo: AccountGroup
    real: AccountGroup
    clock: Clock = field(default_factory=Clock)
    sold: int = 0

    def program(self, *steps: dict[str, Any], **fields: Any) -> Program:
        """A program of these steps; what a step does not say is the first step of seed 001."""
        first = {
            "phase_type": 0, "account_group": self.demo.name, "max_daily_loss_pct": Decimal(5),
            "max_total_loss_pct": Decimal(10), "profit_target_pct": Decimal(8),
        }  # fmt: skip
        listed = [
            {"phase_index": index, "name": f"Phase {index}", **first, **step}
            for index, step in enumerate(steps or ({},), start=1)
        ]
        data = {"brand": "default", "name": "Evaluation 100K", "price": Decimal(499), "price_currency": "USD"}
        return save_program(data={**data, **fields, "steps": listed}, by=TESTER, now=self.clock())

    def funded_step(self) -> dict[str, Any]:
        return {
            "phase_type": 1, "account_group": self.real.name, "profit_split": Decimal("0.8"),
            "profit_target_pct": Decimal(0),
        }  # fmt: skip

    def purchase(self, program: Program) -> Purchase:
        """A purchase whose account is ready at the simulator, and whose challenge is still to be opened."""
        self.sold += 1
        now = self.clock()
        customer = Customer.objects.create(email=f"ada{self.sold}@example.com", first_name="Ada", last_name="Trader")
        version = ProgramVersion.objects.filter(program=program).latest("number")
        order = self._ready_order(f"test:{self.sold}", now)
        assert order.account is not None
        return Purchase.objects.create(
            kind=Purchase.Kind.GRANT, program=program, program_version=version, customer=customer, amount=0,
            amount_account_currency=0, currency="USD", status=Purchase.Status.ACCOUNT_CREATED, account_order=order,
            account_login=order.account.login, next_at=now, created_at=now, updated_at=now,
        )  # fmt: skip

    def _ready_order(self, reference: str, now: datetime) -> AccountOrder:
        login = self.simulator.open_account(unit=self.demo.unit, balance=self.demo.default_deposit)
        self.simulator.set(login, frozen=True)
        account = TradingAccount.objects.create(
            connection=self.demo.connection, group=self.demo, login=login, is_enabled=True, is_funded=True
        )
        order = AccountOrder.objects.create(
            reference=reference, group=self.demo, deposit=self.demo.default_deposit, first_name="Ada",
            last_name="Trader", status=AccountOrder.Status.READY, account=account, ready_at=now, next_at=now,
            created_at=now, updated_at=now,
        )  # fmt: skip
        account.order = order
        account.save(update_fields=["order"])
        return order

    def challenge(self, program: Program) -> Challenge:
        opened = open_challenge(purchase_id=self.purchase(program).pk, now=self.clock())
        assert opened is not None
        return opened

    def enrollment(self, *steps: dict[str, Any], **fields: Any) -> Enrollment:
        """The first phase of a new challenge on a new program of these steps."""
        return self.challenge(self.program(*steps, **fields)).enrollments.get()

    def trade(self, enrollment: Enrollment, *, balance: Any = None, equity: Any = None) -> None:
        """Set what the broker says of the enrollment's account."""
        assert enrollment.account is not None
        figures = {"balance": balance, "equity": equity}
        self.simulator.set(
            enrollment.account.login, **{name: float(value) for name, value in figures.items() if value is not None}
        )

    def watch(self, **later: float) -> int:
        """One round of the monitor, by default three seconds later."""
        self.clock.pass_time(**(later or {"seconds": 3}))
        return watch_due_units(clock=self.clock)

    def state(self, enrollment: Enrollment) -> EnrollmentState:
        return EnrollmentState.objects.get(pk=enrollment.pk)

    def unit_watch(self) -> UnitWatch:
        return UnitWatch.objects.get(unit=self.demo.unit)
