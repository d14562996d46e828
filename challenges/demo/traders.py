"""A few hundred traders with some history, loaded in bulk: they never queue ahead of a purchase."""

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from brokers.client.base import Broker
from brokers.models import AccountGroup, AccountOrder, AccountOrderEvent, TradingAccount
from brokers.services import broker_for
from challenges.demo import at_broker
from challenges.demo.firm import BrokerAddress
from challenges.demo.histories import History, invent, names
from challenges.models import (
    Challenge,
    ChallengeEvent,
    ChallengeStatus,
    DailySnapshot,
    Enrollment,
    EnrollmentEvent,
    EnrollmentState,
    MetricSnapshot,
)
from programs.models import Program, ProgramVersion
from programs.services import current_version, phase_terms
from propdesk.lib.actors import Actor
from propdesk.lib.transitions import Event, HasTransitions
from purchases.models import Customer, Purchase, PurchaseEvent

THREADS = 8


def ensure_traders(
    count: int, *, program: Program, group: AccountGroup, address: BrokerAddress, by: Actor, now: datetime
) -> int:
    """Load `count` traders on the first start; return how many the firm has. The broker must be the simulator."""
    existing = AccountOrder.objects.filter(reference__startswith="demo:trader:").count()
    if existing or count <= 0:
        return existing
    version = current_version(program, now=now)
    terms = phase_terms(version, 1)
    histories = [
        invent(seed=number, initial_balance=terms.initial_balance, terms=terms.rules, until=now)
        for number in range(count)
    ]
    people = names(count)
    broker = broker_for(group.connection)
    with ThreadPoolExecutor(THREADS) as pool:
        logins = list(
            pool.map(
                lambda number: _open_account(broker, address, group, number, people[number], histories[number]),
                range(count),
            )
        )
    at_broker.enable_all(address, unit=group.unit, logins=logins)
    Loader(version=version, group=group, by=by, now=now).load(logins, people, histories)
    return count


def _open_account(
    broker: Broker, address: BrokerAddress, group: AccountGroup, number: int, person: tuple[str, str], past: History
) -> int:
    login = at_broker.create(broker, group, marker=_marker(number), person=person)
    broker.deposit(unit=group.unit, login=login, amount=past.state.initial_balance, comment="demo")
    if past.state.last_balance != past.state.initial_balance:
        at_broker.set_balance(address, login, past.state.last_balance)
    return login


def _marker(number: int) -> str:
    return f"demo-trader-{number}@accounts.example.com"


class Loader:
    """Writes the rows of all traders, table by table, in one transaction."""

    def __init__(self, *, version: ProgramVersion, group: AccountGroup, by: Actor, now: datetime) -> None:
        self.version, self.group, self.by, self.now = version, group, by, now
        self.phase = phase_terms(version, 1)

    @transaction.atomic
    def load(self, logins: list[int], people: list[tuple[str, str]], histories: list[History]) -> None:
        customers = Customer.objects.bulk_create(
            Customer(brand=self.version.program.brand, email=_marker(n), first_name=first, last_name=last)
            for n, (first, last) in enumerate(people)
        )
        orders = AccountOrder.objects.bulk_create(
            self._order(n, person, past) for n, (person, past) in enumerate(zip(people, histories, strict=True))
        )
        accounts = TradingAccount.objects.bulk_create(
            self._account(n, login, order, past)
            for n, (login, order, past) in enumerate(zip(logins, orders, histories, strict=True))
        )
        for order, account, past in zip(orders, accounts, histories, strict=True):
            order.account, order.status, order.ready_at = account, AccountOrder.Status.READY, past.started_at
        AccountOrder.objects.bulk_update(orders, ["account", "status", "ready_at"])
        purchases = Purchase.objects.bulk_create(
            self._purchase(*row) for row in zip(customers, orders, accounts, histories, strict=True)
        )
        challenges = Challenge.objects.bulk_create(
            self._challenge(*row) for row in zip(purchases, histories, strict=True)
        )
        enrollments = Enrollment.objects.bulk_create(
            self._enrollment(*row) for row in zip(challenges, orders, accounts, histories, strict=True)
        )
        for model, rows in (
            (AccountOrderEvent, orders),
            (PurchaseEvent, purchases),
            (ChallengeEvent, challenges),
            (EnrollmentEvent, enrollments),
        ):
            self._events(model, rows, histories)
        self._observed(enrollments, histories)

    def _order(self, number: int, person: tuple[str, str], past: History) -> AccountOrder:
        return AccountOrder(
            reference=f"demo:trader:{number}",
            group=self.group,
            deposit=past.state.initial_balance,
            first_name=person[0],
            last_name=person[1],
            next_at=past.started_at,
            created_at=past.started_at,
            updated_at=past.started_at,
        )

    def _account(self, number: int, login: int, order: AccountOrder, past: History) -> TradingAccount:
        return TradingAccount(
            connection=self.group.connection,
            group=self.group,
            login=login,
            marker=_marker(number),
            order=order,
            is_enabled=True,
            is_funded=True,
            balance=past.state.last_balance,
            equity=past.state.last_equity,
            read_at=self.now,
        )

    def _purchase(self, customer: Customer, order: AccountOrder, account: TradingAccount, past: History) -> Purchase:
        return Purchase(
            kind=Purchase.Kind.GRANT,
            program=self.version.program,
            program_version=self.version,
            customer=customer,
            status=Purchase.Status.ACTIVE,
            amount=Decimal(0),
            amount_account_currency=Decimal(0),
            currency=self.version.program.price_currency,
            comment="Demo trader",
            payment_status="not_required",
            activation_status="active",
            account_order=order,
            account_login=account.login,
            next_at=past.started_at,
            created_at=past.started_at,
            updated_at=past.started_at,
        )

    def _challenge(self, purchase: Purchase, past: History) -> Challenge:
        return Challenge(
            purchase=purchase,
            program=self.version.program,
            program_version=self.version,
            customer=purchase.customer,
            account_login=purchase.account_login,
            status=ChallengeStatus.ACTIVE,
            started_at=past.started_at,
            created_at=past.started_at,
            updated_at=past.started_at,
        )

    def _enrollment(
        self, challenge: Challenge, order: AccountOrder, account: TradingAccount, past: History
    ) -> Enrollment:
        return Enrollment(
            challenge=challenge,
            phase_index=self.phase.phase_index,
            phase_type=self.phase.phase_type,
            phase_name=self.phase.name,
            account_group=self.group.name,
            order=order,
            account=account,
            status=ChallengeStatus.ACTIVE,
            initial_balance=past.state.initial_balance,
            initial_equity=past.state.initial_balance,
            started_at=past.started_at,
            created_at=past.started_at,
            updated_at=past.started_at,
        )

    def _events(self, model: type[Event], rows: Sequence[HasTransitions], histories: list[History]) -> None:
        model._default_manager.bulk_create(
            model(
                subject_id=row.pk,
                to_status=row.status,
                actor=self.by.label,
                reason="Loaded with the demo.",
                at=past.started_at,
            )
            for row, past in zip(rows, histories, strict=True)
        )

    def _observed(self, enrollments: list[Enrollment], histories: list[History]) -> None:
        pairs = list(zip(enrollments, histories, strict=True))
        states = []
        for enrollment, past in pairs:
            row = EnrollmentState.opening(enrollment, past.state, past.levels, past.progress)
            row.last_margin, row.metric_at = Decimal(0), past.state.last_at
            states.append(row)
        EnrollmentState.objects.bulk_create(states)
        DailySnapshot.objects.bulk_create(
            itertools.chain.from_iterable(_days(enrollment, past) for enrollment, past in pairs), batch_size=1000
        )
        MetricSnapshot.objects.bulk_create(
            itertools.chain.from_iterable(_metrics(enrollment, past) for enrollment, past in pairs), batch_size=1000
        )


def _days(enrollment: Enrollment, past: History) -> Iterator[DailySnapshot]:
    """The first day starts from the initial balance; each later one where the day before closed."""
    starts = [
        (
            past.first_day,
            past.started_at,
            past.state.initial_balance,
            past.state.initial_balance,
            past.started_at,
            False,
        ),
        *((d.trading_day, d.boundary_at, d.start_balance, d.start_equity, d.taken_at, d.late) for d in past.days),
    ]
    ends = {d.ended_day: d for d in past.days}
    for day, boundary_at, balance, equity, taken_at, late in starts:
        end = ends.get(day)
        yield DailySnapshot(
            enrollment=enrollment,
            trading_day=day,
            boundary_at=boundary_at,
            start_balance=balance,
            start_equity=equity,
            taken_at=taken_at,
            is_late=late,
            low_equity=end.ended_low_equity if end else None,
            high_equity=end.ended_high_equity if end else None,
            close_balance=end.start_balance if end else None,
            close_equity=end.start_equity if end else None,
        )


def _metrics(enrollment: Enrollment, past: History) -> Iterator[MetricSnapshot]:
    for observation, judgement, figures in past.points:
        yield MetricSnapshot(
            enrollment_id=enrollment.pk,
            at=observation.at,
            balance=observation.balance,
            equity=observation.equity,
            is_flat=observation.flat,
            opened=observation.opened,
            daily_loss_level=judgement.levels.daily_loss,
            total_loss_level=judgement.levels.total_loss,
            profit_target_level=judgement.levels.profit_target,
            profit_pct=figures.profit_pct,
            daily_loss_pct=figures.daily_loss_pct,
            total_loss_pct=figures.total_loss_pct,
            trading_days=judgement.state.trading_days,
        )
