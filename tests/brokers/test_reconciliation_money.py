"""A balance is explained by transfers and closed trades; what is left over is a difference, with its amount."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from brokers.client.thinkmarkets import ThinkMarkets
from brokers.models import AccountGroup, BalanceCheck, BrokerOperation, Difference, TradingAccount
from brokers.services import acknowledge_difference, request_disable_and_flatten
from brokers.services.ledger import record_move
from brokers.services.reconciliation import reading
from tests.brokers.driving import TESTER, JumpingClock, adopted, drive, fault, placed, run, withdrawal
from tests.brokers.test_reconciliation import compare, of, only
from tests.simulator import Simulator

Kind, Status = Difference.Kind, Difference.Status


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def account(demo_group: AccountGroup, clock: JumpingClock) -> TradingAccount:
    """An account that our order has opened, funded with 100,000 and enabled."""
    return adopted(drive(placed(demo_group), clock))


def pay(simulator: Simulator, account: TradingAccount, amount: float, way: str = "deposit") -> None:
    """Someone at the broker moves money."""
    body = {"accountNumber": account.login, "unit": account.group.unit, "amount": amount, "comment": "by hand"}
    simulator.post(f"accounts/{way}", body)


def test_a_deposit_by_hand_is_a_transfer_without_an_operation(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    pay(simulator, account, 250.5)
    compare(account.group, clock)
    difference = only(account.login)
    assert (difference.kind, difference.gap) == (Kind.TRANSFER, Decimal("250.5"))
    assert difference.theirs.startswith("250.50 USD (")
    assert difference.cause == "Made at the broker by hand, or by another system."


def test_a_withdrawal_by_hand_is_found_after_the_balance_was_explained(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    compare(account.group, clock)
    assert of(account.login) == []
    pay(simulator, account, 40, "withdraw")
    compare(account.group, clock)
    assert (only(account.login).kind, only(account.login).gap) == (Kind.TRANSFER, Decimal(-40))


def test_two_equal_transfers_by_hand_are_two_differences(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    pay(simulator, account, 10)
    pay(simulator, account, 10)
    compare(account.group, clock)
    assert [difference.gap for difference in of(account.login)] == [Decimal(10), Decimal(10)]


def test_a_transfer_stays_acknowledged_and_a_second_one_is_open(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    pay(simulator, account, 10)
    compare(account.group, clock)
    acknowledge_difference(difference_id=only(account.login).pk, reason="A gift.", by=TESTER, now=clock())
    pay(simulator, account, 20)
    compare(account.group, clock)
    assert [(each.gap, each.status) for each in of(account.login)] == [
        (Decimal(10), Status.ACKNOWLEDGED),
        (Decimal(20), Status.OPEN),
    ]


def test_a_late_effect_names_the_operation_that_asked_for_it(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    operation = withdrawal(account, "499", subject="purchase:9:payment")
    BrokerOperation.objects.filter(pk=operation.pk).update(
        status=BrokerOperation.Status.REFUSED, error_code="DECIDED_BY_STAFF", updated_at=clock()
    )
    pay(simulator, account, 499, "withdraw")
    compare(account.group, clock)
    assert only(account.login).cause == (
        f"Operation {operation.pk} is refused, and asked for just this: its effect came late."
    )


def test_money_that_an_operation_of_ours_moved_is_explained(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    compare(account.group, clock)
    run(withdrawal(account, "499", subject="purchase:9:payment"), clock)
    row = compare(account.group, clock)
    assert of(account.login) == []
    assert row.left_over == 0
    assert BalanceCheck.objects.get().balance == Decimal(99_501)


def test_what_a_closed_trade_lost_is_explained(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    compare(account.group, clock)
    simulator.set(account.login, equity=99_000)
    for operation in request_disable_and_flatten(subject="test", account=account, by=TESTER, now=clock()):
        run(operation, clock)
    assert simulator.account(account.login)["balance"] == 99_000
    compare(account.group, clock)
    assert of(account.login) == []
    assert (BalanceCheck.objects.get().balance, BalanceCheck.objects.get().gap) == (Decimal(99_000), Decimal(0))


def test_a_balance_set_by_hand_is_a_gap_of_that_amount_until_it_is_set_back(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    simulator.set(account.login, balance=101_000, equity=101_000, positions=[])
    compare(account.group, clock)
    difference = only(account.login)
    assert (difference.kind, difference.gap) == (Kind.BALANCE, Decimal(1000))
    assert (difference.ours, difference.theirs) == ("100,000.00 USD", "101,000.00 USD")
    simulator.set(account.login, balance=100_000, equity=100_000, positions=[])
    compare(account.group, clock)
    assert only(account.login).status == Status.GONE


def test_an_acknowledged_gap_that_grows_is_open_again(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    simulator.set(account.login, balance=101_000, equity=101_000, positions=[])
    compare(account.group, clock)
    acknowledge_difference(difference_id=only(account.login).pk, reason="A correction.", by=TESTER, now=clock())
    compare(account.group, clock)
    assert only(account.login).status == Status.ACKNOWLEDGED
    simulator.set(account.login, balance=101_500, equity=101_500, positions=[])
    compare(account.group, clock)
    assert (only(account.login).status, only(account.login).gap) == (Status.OPEN, Decimal(1500))


def test_an_account_whose_beginning_we_did_not_see_is_taken_as_found(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    pay(simulator, account, 123)
    TradingAccount.objects.update(marker="imported@example.com")
    compare(account.group, clock)
    assert of(account.login) == []
    pay(simulator, account, 7)
    compare(account.group, clock)
    assert only(account.login).gap == Decimal(7)


def test_the_money_of_a_customers_own_account_is_not_ours_to_explain(
    payer: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    pay(simulator, payer, 5_000)
    compare(payer.group, clock)
    assert of(payer.login) == []
    assert not BalanceCheck.objects.exists()


def test_without_closed_trades_the_money_is_left_out_and_the_rest_is_compared(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    pay(simulator, account, 10)
    simulator.post("accounts/enable", {"enable": False, "unit": account.group.unit, "accountNumbers": [account.login]})
    simulator.faults(fault("closed-positions", "error_before"))
    row = compare(account.group, clock)
    assert (row.failure, row.money_failure) == ("", "The broker answered 500.")
    assert only(account.login).kind == Kind.DISABLED
    compare(account.group, clock)
    assert {difference.kind for difference in of(account.login)} == {Kind.DISABLED, Kind.TRANSFER}


def test_money_that_one_old_answer_does_not_explain_is_gone_with_the_next(
    account: TradingAccount, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as old:
        old.setattr(ThinkMarkets, "account_transfers", lambda *_args, **_asked: [])
        compare(account.group, clock)
    difference = only(account.login)
    assert (difference.kind, difference.gap, difference.status) == (Kind.BALANCE, Decimal(100_000), Status.OPEN)
    assert difference.last_seen_at == difference.first_seen_at
    compare(account.group, clock)
    assert only(account.login).status == Status.GONE


def test_what_staff_are_to_act_on_is_read_again_until_they_have(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROUTINE", 0)
    pay(simulator, account, 10)
    examined = [compare(account.group, clock).examined for _ in range(2)]
    difference = only(account.login)
    assert difference.last_seen_at > difference.first_seen_at
    acknowledge_difference(difference_id=difference.pk, reason="A gift.", by=TESTER, now=clock())
    examined.append(compare(account.group, clock).examined)
    assert examined == [1, 1, 0]
    assert only(account.login).last_seen_at > difference.last_seen_at


def test_a_deposit_that_landed_twice_and_was_taken_out_again_is_in_the_ledger(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock
) -> None:
    pay(simulator, account, 100_000)
    pay(simulator, account, 100_000, "withdraw")
    deposit = BrokerOperation.objects.get(kind="deposit")
    with transaction.atomic():
        record_move(deposit, now=clock(), occurrence=2)
        withdrawal_of = BrokerOperation(
            pk=deposit.pk + 1000, kind="withdraw", account=account, amount=Decimal(100_000), order=account.order,
            subject="excess",
        )  # fmt: skip
        record_move(withdrawal_of, now=clock())
    row = compare(account.group, clock)
    assert (row.examined, of(account.login)) == (1, [])


def test_an_account_that_trades_while_it_is_read_is_left_for_the_next_time(
    account: TradingAccount, simulator: Simulator, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.faults()
    clock.offset += timedelta(seconds=5)
    read = ThinkMarkets.account_closed_positions

    def trade_meanwhile(self: ThinkMarkets, **asked: object) -> object:
        pay(simulator, account, 10)
        return read(self, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(ThinkMarkets, "account_closed_positions", trade_meanwhile)
    row = compare(account.group, clock)
    assert (row.examined, row.left_over) == (0, 1)
    assert of(account.login) == []
