"""The ledger of money moved at brokers: written with the outcome, once, balanced, and never changed."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from brokers.models import AccountGroup, BrokerOperation, LedgerEntry, LedgerTransaction, TradingAccount
from brokers.services import (
    advance_order,
    decide_operation,
    request_refund,
    request_withdrawal,
    run_operation,
)
from brokers.services.calls import Evidence
from brokers.services.ledger import record_move
from brokers.services.procedures import MoneyMove
from brokers.services.work import Work
from propdesk.lib.times import utc_now
from tests.brokers.driving import (
    TESTER,
    JumpingClock,
    LateClock,
    adopted,
    drive,
    fault,
    late_effect,
    placed,
    run,
    settles_at,
    withdrawal,
)
from tests.simulator import Simulator

Purpose, Status = BrokerOperation.Purpose, BrokerOperation.Status


def entries(operation: BrokerOperation) -> dict[str, tuple[Decimal, str]]:
    written = LedgerTransaction.objects.get(operation_id=operation.pk)
    return {each.account: (each.amount, each.currency) for each in written.entries.all()}


def test_a_deposit_comes_from_the_firm(simulator: Simulator, demo_group: AccountGroup):
    order = advance_order(order_id=placed(demo_group).pk, clock=utc_now)
    deposit = order.operations.get(kind="deposit")
    name = f"broker:{demo_group.connection_id}:{adopted(order).login}"
    assert entries(deposit) == {name: (Decimal(100000), "USD"), "firm": (Decimal(-100000), "USD")}
    written = LedgerTransaction.objects.get()
    assert (written.kind, written.subject, written.at) == ("deposit", f"order:{order.pk}", deposit.finished_at)


def test_a_price_comes_from_the_payer_and_a_refund_goes_back(simulator: Simulator, payer: TradingAccount):
    price = run(withdrawal(payer))
    refund = request_refund(
        subject="purchase:1:refund", account=payer, amount=Decimal(499), comment="Refund", by=TESTER, now=utc_now()
    )  # fmt: skip
    run(refund)
    name = f"broker:{payer.connection_id}:{payer.login}"
    assert entries(price) == {name: (Decimal(-499), "USD"), "customer price": (Decimal(499), "USD")}
    assert entries(refund) == {name: (Decimal(499), "USD"), "customer price": (Decimal(-499), "USD")}


@pytest.mark.parametrize(
    ("purpose", "other_side"),
    [
        (Purpose.PRICE, "customer price"), (Purpose.DIFFERENCE, "mended difference"), (Purpose.STAFF, "staff movement")
    ],
)  # fmt: skip
def test_the_other_side_is_named_after_the_purpose(
    simulator: Simulator, payer: TradingAccount, purpose: BrokerOperation.Purpose, other_side: str
):
    subject, now = "test:1", utc_now()
    taken = request_withdrawal(
        subject=subject, account=payer, amount=Decimal(7), comment="", by=TESTER, now=now, purpose=purpose
    )
    given = request_refund(
        subject=subject, account=payer, amount=Decimal(7), comment="", by=TESTER, now=now, purpose=purpose
    )
    run(taken)
    run(given)
    assert entries(taken)[other_side] == (Decimal(7), "USD")
    assert entries(given)[other_side] == (Decimal(-7), "USD")
    assert sum(LedgerEntry.objects.values_list("amount", flat=True)) == 0


def test_money_without_a_purpose_or_an_order_has_no_better_name(payer: TradingAccount):
    operation = withdrawal(payer)
    operation.purpose = ""
    with transaction.atomic():
        record_move(operation, now=utc_now())
    assert entries(operation)["other"] == (Decimal(499), "USD")


def test_money_that_did_not_move_is_not_in_the_ledger(simulator: Simulator, payer: TradingAccount):
    run(withdrawal(payer, amount="10000.01"))
    assert not LedgerTransaction.objects.exists()


def test_the_ledger_agrees_with_the_broker_after_a_deposit_that_landed_twice(
    simulator: Simulator, demo_group: AccountGroup
):
    clock = LateClock(simulator)
    simulator.faults(late_effect("deposit"))
    order = drive(placed(demo_group), clock)
    account = adopted(order)
    written = list(LedgerTransaction.objects.order_by("id").values_list("kind", "occurrence"))
    assert written == [("deposit", 1), ("deposit", 2), ("withdraw", 1)]
    booked = LedgerEntry.objects.filter(account=f"broker:{account.connection_id}:{account.login}").order_by("id")
    at_broker = simulator.account(account.login)
    assert [each.amount for each in booked] == [Decimal(100000), Decimal(100000), Decimal(-100000)]
    assert [each["type"] for each in at_broker["transfers"]] == ["DEPOSIT", "DEPOSIT", "WITHDRAWAL"]
    assert at_broker["balance"] == 100000.0


@pytest.mark.parametrize("happened", [True, False])
def test_what_staff_decide_about_money_is_booked(simulator: Simulator, payer: TradingAccount, happened: bool):
    simulator.faults(fault("withdraw", "drop_after"))
    operation = withdrawal(payer)
    run_operation(operation_id=operation.pk, clock=utc_now)
    by_hand = {"accountNumber": payer.login, "unit": payer.group.unit, "amount": 5.0, "comment": "top-up"}
    simulator.post("accounts/deposit", by_hand)
    operation = run(operation, JumpingClock())
    assert operation.status == Status.NEEDS_REVIEW
    now = settles_at(operation)
    decide_operation(operation_id=operation.pk, happened=happened, reason="Looked.", by=TESTER, now=now)
    assert LedgerTransaction.objects.filter(operation_id=operation.pk).count() == happened


def test_an_outcome_and_its_booking_are_written_together(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    def failing(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("The database went away.")

    operation = withdrawal(payer)
    monkeypatch.setattr("brokers.services.ledger.LedgerEntry.objects.bulk_create", failing)
    with pytest.raises(RuntimeError):
        run_operation(operation_id=operation.pk, clock=utc_now)
    operation.refresh_from_db()
    assert operation.status == Status.CALLING
    assert not LedgerTransaction.objects.exists()

    monkeypatch.undo()
    assert run(operation).status == Status.DONE
    assert LedgerTransaction.objects.count() == 1
    assert simulator.account(payer.login)["balance"] == 9501.0


def done(payer: TradingAccount) -> BrokerOperation:
    return run(withdrawal(payer))


def test_an_operation_is_booked_once(payer: TradingAccount):
    operation = done(payer)
    with pytest.raises(IntegrityError), transaction.atomic():
        record_move(operation, now=utc_now())
    assert LedgerTransaction.objects.count() == 1


def booked(*figures: tuple[str, str, str]) -> None:
    with transaction.atomic():
        written = LedgerTransaction.objects.create(operation_id=7, kind="deposit", subject="test", at=utc_now())
        for account, amount, currency in figures:
            LedgerEntry.objects.create(transaction=written, account=account, amount=Decimal(amount), currency=currency)


@pytest.mark.parametrize(
    "figures",
    [
        (),
        (("a", "1", "USD"),),
        (("a", "1", "USD"), ("b", "-0.99999999", "USD")),
        (("a", "1", "USD"), ("b", "-1", "EUR")),
        (("a", "1", "USD"), ("b", "-1", "USD"), ("c", "1", "EUR")),
    ],
    ids=["no entry", "one entry", "a trifle missing", "two currencies", "a third entry"],
)
def test_the_database_refuses_what_does_not_balance(transactional_db: None, figures: tuple[tuple[str, str, str], ...]):
    with pytest.raises(IntegrityError, match="does not balance"):
        booked(*figures)
    assert not LedgerTransaction.objects.exists()


def test_it_may_be_unbalanced_until_the_transaction_ends(transactional_db: None):
    booked(("a", "1.5", "USD"), ("b", "-1", "USD"), ("c", "-0.5", "USD"), ("a", "2", "EUR"), ("b", "-2", "EUR"))
    assert LedgerEntry.objects.count() == 5


def test_an_entry_cannot_be_added_afterwards(transactional_db: None):
    booked(("a", "1", "USD"), ("b", "-1", "USD"))
    with pytest.raises(IntegrityError, match="does not balance"):
        LedgerEntry.objects.create(
            transaction=LedgerTransaction.objects.get(), account="c", amount=Decimal(1), currency="USD"
        )


@pytest.mark.parametrize("model", [LedgerTransaction, LedgerEntry])
@pytest.mark.parametrize("change", ["update", "delete"])
def test_the_ledger_cannot_be_changed(
    transactional_db: None, model: type[LedgerTransaction] | type[LedgerEntry], change: str
):
    booked(("a", "1", "USD"), ("b", "-1", "USD"))
    rows = model._default_manager.all()
    with pytest.raises(IntegrityError, match="is append-only"):
        rows.update(id=99) if change == "update" else rows._raw_delete(rows.db)


def test_the_ledger_outlives_what_it_tells_about(payer: TradingAccount):
    operation = done(payer)
    BrokerOperation.objects.filter(pk=operation.pk).delete()
    assert LedgerTransaction.objects.get().operation_id == operation.pk


def test_a_worker_that_comes_after_the_decision_of_staff_books_nothing(
    simulator: Simulator, payer: TradingAccount, monkeypatch: pytest.MonkeyPatch
):
    operation = withdrawal(payer)
    honest = MoneyMove.send

    def overtaken(self: MoneyMove, operation: BrokerOperation, work: Work) -> Evidence:
        evidence = honest(self, operation, work)
        BrokerOperation.objects.filter(pk=operation.pk).update(status=Status.NEEDS_REVIEW, review_reason="Look.")
        decide_operation(operation_id=operation.pk, happened=True, reason="Looked.", by=TESTER, now=utc_now())
        return evidence

    monkeypatch.setattr(MoneyMove, "send", overtaken)
    operation = run_operation(operation_id=operation.pk, clock=utc_now)
    assert (operation.status, operation.leased_until) == (Status.DONE, None)
    assert LedgerTransaction.objects.count() == 1
