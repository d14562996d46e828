"""Rows for the admin's pages: a small firm with everything that staff look at, written straight into the tables."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from brokers.models import (
    AccountGroup,
    AccountMode,
    AccountOrder,
    BrokerConnection,
    BrokerOperation,
    Difference,
    LedgerTransaction,
    TradingAccount,
    UnitReconciliation,
)
from challenges.models import (
    Breach,
    Challenge,
    ChallengeStatus,
    DailySnapshot,
    Enrollment,
    EnrollmentState,
    MetricSnapshot,
    UnitWatch,
)
from challenges.rules import RunningState, levels_of, progress
from programs.models import Program, ProgramVersion
from programs.services import phase_terms, save_program
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import record
from purchases.models import Customer, PayerAccount, Purchase

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
STAFF = Actor("staff")
NAMES = (
    ("Ada", "Lovelace"),
    ("Grace", "Hopper"),
    ("Emmy", "Noether"),
    ("Sofia", "Kovalevskaya"),
    ("Mary", "Cartwright"),
)


@dataclass
class Firm:
    """One broker connection with a DEMO and a REAL group, and one program that is sold."""

    connection: BrokerConnection
    demo: AccountGroup
    real: AccountGroup
    program: Program
    version: ProgramVersion


def make_firm(now: datetime = NOW) -> Firm:
    connection = BrokerConnection.objects.create(
        name="ThinkMarkets", base_url="http://127.0.0.1:8100", api_key="not shown anywhere"
    )
    UnitWatch.objects.create(
        connection=connection,
        unit=1,
        last_read_at=now,
        tried_at=now,
        read_seconds=0.12,
        accounts_watched=3,
        accounts_judged=3,
    )
    demo = make_group(connection, "PROP_DEMO_USD", AccountMode.DEMO, unit=1)
    real = make_group(connection, "PROP_REAL_USD", AccountMode.REAL, unit=2)
    program = make_program("Evaluation 100K", demo, real, now=now)
    return Firm(connection, demo, real, program, program.versions.get())


def make_group(connection: BrokerConnection, name: str, mode: AccountMode, unit: int) -> AccountGroup:
    return AccountGroup.objects.create(
        name=name, connection=connection, mode=mode, currency="USD", default_deposit=Decimal(100_000),
        broker_group=f"4929566{unit}:ThinkTrader_Proptec", unit=unit,
    )  # fmt: skip


def make_program(name: str, demo: AccountGroup, real: AccountGroup, now: datetime = NOW, **fields: Any) -> Program:
    limits = {"max_daily_loss_pct": Decimal(5), "max_total_loss_pct": Decimal(10)}
    steps = [
        {"phase_index": 1, "phase_type": 0, "name": "Evaluation", "account_group": demo.name,
         "profit_target_pct": Decimal(8), "min_trading_days": 4, **limits},
        {"phase_index": 2, "phase_type": 1, "name": "Funded", "account_group": real.name,
         "profit_split": Decimal("0.8"), **limits},
    ]  # fmt: skip
    data = {"brand": "default", "name": name, "price": Decimal(499), "price_currency": "USD", "steps": steps, **fields}
    return save_program(data=data, by=STAFF, now=now)


def make_difference(account: TradingAccount | None, number: int, **fields: Any) -> Difference:
    """An account that is enabled and should not be, in a unit that was compared."""
    assert account is not None
    values = {
        "kind": Difference.Kind.ENABLED, "ours": "disabled", "theirs": "enabled", "first_seen_at": NOW,
        "last_seen_at": NOW, "updated_at": NOW, "cause": "Its order is failed; it was switched at the broker since.",
    }  # fmt: skip
    UnitReconciliation.objects.get_or_create(
        connection=account.connection, unit=number,
        defaults={"next_at": NOW, "tried_at": NOW, "compared_at": NOW, "seconds": 0.4},
    )  # fmt: skip
    difference = Difference.objects.create(
        connection=account.connection, unit=account.group.unit, login=account.login, account=account, **values | fields
    )
    record(difference, source=None, by=Actor("reconciliation"), reason=difference.cause, now=NOW)
    return difference


@dataclass
class Sold:
    """One sale and all that came of it."""

    customer: Customer
    purchase: Purchase
    challenge: Challenge
    enrollment: Enrollment
    operation: BrokerOperation
    breach: Breach | None


def sell(firm: Firm, number: int, now: datetime = NOW, *, failed: bool = False) -> Sold:
    """A customer who bought the program a few days ago and trades; `failed`: broke the daily loss limit."""
    started = now - timedelta(days=3)
    first, last = NAMES[number % len(NAMES)]
    customer = Customer.objects.create(
        email=f"{first}.{last}.{number}@example.com".lower(), first_name=first, last_name=last
    )
    payer_account = _account(firm, firm.real, 500_000 + number, balance=Decimal(9_501))
    payer = PayerAccount.objects.create(customer=customer, account=payer_account)
    payment = _operation(firm, f"purchase:{number}:payment", BrokerOperation.Kind.WITHDRAW, payer_account, started)
    _book(payment, at=started)
    order, account = _ordered(firm, number, first, last, started)
    purchase = Purchase.objects.create(
        program=firm.program, program_version=firm.version, customer=customer, payer=payer,
        status=Purchase.Status.ACTIVE, amount=Decimal(499), currency="USD", amount_account_currency=Decimal(499),
        payment_status="paid", activation_status="active", payment=payment, account_order=order,
        account_login=account.login, next_at=started, created_at=started, updated_at=started,
    )  # fmt: skip
    record(purchase, source=None, by=Actor("customer 7"), reason="bought", now=started)
    record(purchase, source=0, by=Actor("purchases"), reason="", now=started)
    status = ChallengeStatus.FAILED if failed else ChallengeStatus.ACTIVE
    ended = now if failed else None
    challenge = Challenge.objects.create(
        purchase=purchase, program=firm.program, program_version=firm.version, customer=customer,
        account_login=account.login, status=status, started_at=started, ended_at=ended,
        created_at=started, updated_at=started,
    )  # fmt: skip
    record(challenge, source=None, by=Actor("challenges"), reason="bought", now=started)
    enrollment = Enrollment.objects.create(
        challenge=challenge, phase_index=1, phase_type=0, phase_name="Evaluation", account_group=firm.demo.name,
        order=order, account=account, status=status, close_reason="daily_loss" if failed else "",
        initial_balance=Decimal(100_000), initial_equity=Decimal(100_000), started_at=started, ended_at=ended,
        created_at=started, updated_at=started,
    )  # fmt: skip
    equity = Decimal("94999.99") if failed else Decimal(101_250 + 37 * (number % 40))
    observe(firm, enrollment, equity, now)
    breach = _breach(firm, enrollment, equity, now) if failed else None
    return Sold(customer, purchase, challenge, enrollment, payment, breach)


def observe(firm: Firm, enrollment: Enrollment, equity: Decimal, now: datetime) -> None:
    """The running state, four days and a wandering series of readings that ends at `equity`."""
    terms = phase_terms(firm.version, enrollment.phase_index).rules
    started = now - timedelta(days=3)
    state = RunningState.opening(Decimal(100_000), started, terms)
    row = EnrollmentState.opening(enrollment, state, levels_of(state, terms), progress(state, terms))
    row.last_at, row.last_equity, row.last_balance, row.trading_days = now, equity, equity, 3
    row.high_equity = row.day_peak_equity = max(equity, Decimal(100_000))
    reached = row.running_state()
    row.show(levels_of(reached, terms), progress(reached, terms))
    row.save()
    for day in range(4):
        at = (started + timedelta(days=day)).replace(hour=0, minute=0)
        DailySnapshot.objects.create(
            enrollment=enrollment, trading_day=at.date(), boundary_at=at, taken_at=at, is_late=day == 2,
            start_balance=Decimal(100_000), start_equity=Decimal(100_000) + day * 250,
        )  # fmt: skip
    points = 180
    MetricSnapshot.objects.bulk_create(
        MetricSnapshot(
            enrollment_id=enrollment.pk, at=started + (now - started) * index / (points - 1), profit_pct=Decimal(1),
            equity=Decimal(100_000) + (equity - 100_000) * index / (points - 1) + (index * 7919 % 900 - 450),
            balance=Decimal(100_000) + (equity - 100_000) * (index // 30 * 30) / (points - 1),
            daily_loss_level=Decimal(95_000) + (index // 60) * 250, total_loss_level=Decimal(90_000),
            profit_target_level=Decimal(108_000), daily_loss_pct=Decimal(0), total_loss_pct=Decimal(0),
        )
        for index in range(points)
    )  # fmt: skip


def _ordered(firm: Firm, number: int, first: str, last: str, at: datetime) -> tuple[AccountOrder, TradingAccount]:
    order = AccountOrder.objects.create(
        reference=f"purchase:{number}", group=firm.demo, deposit=Decimal(100_000), first_name=first, last_name=last,
        next_at=at, created_at=at, updated_at=at,
    )  # fmt: skip
    account = _account(firm, firm.demo, 100_000 + number, balance=Decimal(100_000), order=order)
    AccountOrder.objects.filter(pk=order.pk).update(status=AccountOrder.Status.READY, account=account, ready_at=at)
    order.refresh_from_db()
    record(order, source=1, by=Actor("brokers"), reason="", now=at)
    for kind in (BrokerOperation.Kind.DEPOSIT, BrokerOperation.Kind.ENABLE):
        _operation(firm, f"order:{order.pk}", kind, account, at, order=order)
    return order, account


def _account(firm: Firm, group: AccountGroup, login: int, **fields: Any) -> TradingAccount:
    return TradingAccount.objects.create(
        connection=firm.connection, group=group, login=login, marker=f"p-{login}@accounts.example.com",
        is_enabled=True, is_funded=True, equity=fields["balance"], read_at=NOW, **fields,
    )  # fmt: skip


def _operation(
    firm: Firm, subject: str, kind: BrokerOperation.Kind, account: TradingAccount, at: datetime, **fields: Any
) -> BrokerOperation:
    operation = BrokerOperation.objects.create(
        subject=subject, kind=kind, connection=firm.connection, account=account, amount=Decimal(499),
        status=BrokerOperation.Status.DONE, attempts=1, next_at=at, created_at=at, updated_at=at, finished_at=at,
        evidence={"transfer": 42}, **fields,
    )  # fmt: skip
    record(operation, source=1, by=Actor("brokers"), reason="", now=at)
    return operation


@transaction.atomic
def _book(operation: BrokerOperation, at: datetime) -> None:
    booked = LedgerTransaction.objects.create(
        operation_id=operation.pk, kind=operation.kind, subject=operation.subject, at=at
    )
    for account, amount in (("firm", Decimal(499)), (f"broker:1:{operation.account}", Decimal(-499))):
        booked.entries.create(account=account, currency="USD", amount=amount)


def _breach(firm: Firm, enrollment: Enrollment, equity: Decimal, now: datetime) -> Breach:
    return Breach.objects.create(
        enrollment=enrollment, rule="daily_loss", action=Breach.Action.FAIL, trading_day=now.date(),
        level=Decimal(95_000), observed=equity, balance=Decimal(100_000), equity=equity, at=now, created_at=now,
        explanation="Equity 94,999.99 is below 95,000.00 = 100,000.00 - 5 % of 100,000.00.",
        previous_at=now - timedelta(seconds=3), previous_balance=Decimal(100_000), previous_equity=Decimal(95_020),
        terms_digest=firm.version.digest,
    )  # fmt: skip
