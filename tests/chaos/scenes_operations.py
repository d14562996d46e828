"""Operations that stand alone: money, taking accounts out of trading, closing one position, passwords."""

from decimal import Decimal
from typing import Any

from brokers.models import BrokerOperation, TradingAccount
from brokers.models.operations import BrokerOperationQuerySet
from brokers.services import (
    ResetUnderWayError,
    conclude_operation,
    decide_operation,
    request_close_position,
    request_disable_and_flatten,
    request_refund,
    request_withdrawal,
    reset_password,
    resume_operation,
)
from propdesk.lib.times import utc_now
from tests.brokers.driving import TESTER, JumpingClock, fault
from tests.chaos.crashing import LONG, Scene, Stage, around, of, work_off

Status = BrokerOperation.Status
PRICE = Decimal(499)


def account(stage: Stage, *faults: dict[str, Any], is_trading: bool = False) -> TradingAccount:
    """One with 1,000 on it, known to us; `is_trading` with a position that has lost 100."""
    group = stage.demo if is_trading else stage.real
    login = stage.simulator.open_account(unit=group.unit, balance=1000)
    if is_trading:
        stage.simulator.set(login, equity=900)
    stage.simulator.faults(*faults)
    return TradingAccount.objects.create(
        connection=group.connection, group=group, login=login, is_enabled=True, is_funded=True
    )


def with_faults(*faults: dict[str, Any], is_trading: bool = False) -> Any:
    return lambda stage, key: account(stage, *faults, is_trading=is_trading)


def of_account(account: TradingAccount, kind: str) -> BrokerOperation:
    return BrokerOperation.objects.filter(account=account, kind=kind).latest("generation")


# Money


def withdraw(stage: Stage, account: TradingAccount) -> None:
    request_withdrawal(
        subject=f"test:{account.pk}", account=account, amount=PRICE, comment="Price", by=TESTER, now=utc_now()
    )  # fmt: skip
    work_off(JumpingClock())


def was_withdrawn(stage: Stage, account: TradingAccount) -> None:
    assert of_account(account, "withdraw").status == Status.DONE
    assert stage.simulator.account(account.login)["balance"] == 501.0


def refund(stage: Stage, account: TradingAccount) -> None:
    request_refund(
        subject=f"test:{account.pk}:refund", account=account, amount=PRICE, comment="Refund", by=TESTER, now=utc_now()
    )  # fmt: skip
    work_off(JumpingClock())


def was_refunded(stage: Stage, account: TradingAccount) -> None:
    assert of_account(account, "deposit").status == Status.DONE
    assert stage.simulator.account(account.login)["balance"] == 1499.0


def withdraw_beside_staff(stage: Stage, account: TradingAccount) -> None:
    """Somebody pays in by hand while the withdrawal is in doubt, so staff have to say what has happened."""
    clock = JumpingClock()
    request_withdrawal(
        subject=f"test:{account.pk}", account=account, amount=PRICE, comment="Price", by=TESTER, now=clock()
    )  # fmt: skip
    operation = of_account(account, "withdraw")
    same = BrokerOperation.objects.filter(pk=operation.pk)
    work_off(clock, until=lambda: same.filter(status=Status.IN_DOUBT).exists())
    transfers = stage.simulator.account(account.login)["transfers"]
    if same.filter(status=Status.IN_DOUBT) and not any(each["comment"] == "by hand" for each in transfers):
        body = {"accountNumber": account.login, "unit": stage.real.unit, "amount": 7.0, "comment": "by hand"}
        stage.simulator.post("accounts/deposit", body)
    work_off(clock)
    if same.filter(status=Status.NEEDS_REVIEW):
        decide_operation(operation_id=operation.pk, happened=True, reason="It is there.", by=TESTER, now=clock())


def was_withdrawn_beside_staff(stage: Stage, account: TradingAccount) -> None:
    assert of_account(account, "withdraw").status == Status.DONE
    assert stage.simulator.account(account.login)["balance"] == 508.0


# Out of trading


def take_out(stage: Stage, account: TradingAccount) -> None:
    request_disable_and_flatten(subject=f"test:{account.pk}", account=account, by=TESTER, now=utc_now())
    work_off(JumpingClock())


def take_out_with_staff(stage: Stage, account: TradingAccount) -> None:
    """Neither disabling nor closing helps until staff have spoken to the broker."""
    clock = JumpingClock()
    request_disable_and_flatten(subject=f"test:{account.pk}", account=account, by=TESTER, now=clock())
    operations = BrokerOperation.objects.filter(account=account)
    for same in (operations.filter(kind="disable"), operations.filter(kind="close_all")):
        work_off(clock, until=same.filter(attempts__gt=0).exists)
        clock.offset += LONG
        _work_off_all_of(same, clock)
    stage.simulator.faults()
    for operation in operations.filter(status=Status.NEEDS_REVIEW).order_by("id"):
        resume_operation(operation_id=operation.pk, reason="The broker was called.", by=TESTER, now=clock())
    work_off(clock)


def _work_off_all_of(operations: BrokerOperationQuerySet, clock: JumpingClock) -> None:
    work_off(clock, until=lambda: not operations.open().exists())


def is_out(stage: Stage, account: TradingAccount) -> None:
    row = stage.simulator.account(account.login)
    assert (row["enabled"], row["positions"], row["balance"]) == (False, [], 900.0)
    for kind in ("disable", "close_all"):
        assert of_account(account, kind).status == Status.DONE


# One position


def position_id(stage: Stage, account: TradingAccount) -> int:
    known = BrokerOperation.objects.filter(account=account, kind="close_one").values_list("position_id", flat=True)
    found = known.first() or stage.simulator.account(account.login)["positions"][0]["positionId"]
    return int(found)


def close_one(stage: Stage, account: TradingAccount, clock: JumpingClock | None = None) -> None:
    clock = clock or JumpingClock()
    request_close_position(
        subject=f"test:{account.pk}", account=account, position_id=position_id(stage, account), by=TESTER, now=clock()
    )  # fmt: skip


def close_one_and_work(stage: Stage, account: TradingAccount) -> None:
    close_one(stage, account)
    work_off(JumpingClock())


def is_closed(stage: Stage, account: TradingAccount) -> None:
    row = stage.simulator.account(account.login)
    assert (row["enabled"], row["positions"], row["balance"]) == (True, [], 900.0)
    assert of_account(account, "close_one").status == Status.DONE


def close_one_until_staff_drop_it(stage: Stage, account: TradingAccount) -> None:
    clock = JumpingClock()
    close_one(stage, account, clock)
    operation = of_account(account, "close_one")
    same = BrokerOperation.objects.filter(pk=operation.pk)
    work_off(clock, until=lambda: same.filter(attempts__gt=0).exists())
    clock.offset += LONG
    work_off(clock)
    if same.filter(status=Status.NEEDS_REVIEW):
        conclude_operation(operation_id=operation.pk, happened=False, reason="It may stay.", by=TESTER, now=clock())


def stays_open(stage: Stage, account: TradingAccount) -> None:
    assert len(stage.simulator.account(account.login)["positions"]) == 1
    assert of_account(account, "close_one").status == Status.CANCELLED


# Passwords


def reset(stage: Stage, account: TradingAccount) -> None:
    """Staff press the button until a password is shown, or the broker has said no."""
    clock = JumpingClock()
    for _ in range(5):
        try:
            outcome = reset_password(account=account, by=TESTER, clock=clock)
        except ResetUnderWayError:
            work_off(clock)
            continue
        if outcome.operation.status in {Status.DONE, Status.REFUSED}:
            return
    raise AssertionError("No password could be set.")


def has_a_password(stage: Stage, account: TradingAccount) -> None:
    resets = BrokerOperation.objects.filter(account=account, kind="reset_password").order_by("generation")
    *earlier, last = resets.values_list("status", flat=True)
    assert (set(earlier) <= {Status.DONE, Status.CANCELLED}, last) == (True, Status.DONE)
    assert not any("assword" in str(each.evidence) for each in resets)


def unknown_account(stage: Stage, key: str) -> TradingAccount:
    """One that is ours alone: the broker has never heard of it."""
    login = 7_100_000 + TradingAccount.objects.count()
    return TradingAccount.objects.create(connection=stage.real.connection, group=stage.real, login=login)


def was_refused_a_password(stage: Stage, account: TradingAccount) -> None:
    assert of_account(account, "reset_password").status == Status.REFUSED


OUT = ("intended", "calling", "in doubt", "done")

SCENES = (
    Scene("a withdrawal whose answer is lost",
          (*of("withdraw", *OUT), *around("call withdraw", "lease brokeroperation")),
          with_faults(fault("withdraw", "error_after")), withdraw, was_withdrawn),
    Scene("a withdrawal that is made the second time",
          (*of("withdraw", "intended:2", "calling:2"), *around("call withdraw:2")),
          with_faults(fault("withdraw", "error_before")), withdraw, was_withdrawn),
    Scene("a withdrawal that staff decide about", of("withdraw", "needs review", "done"),
          with_faults(fault("withdraw", "drop_after")), withdraw_beside_staff, was_withdrawn_beside_staff),
    Scene("a refund whose answer is lost", (*of("deposit", *OUT), *around("call deposit")),
          with_faults(fault("deposit", "error_after")), refund, was_refunded),
    Scene("an account taken out while answers are lost",
          (*of("disable", *OUT), *of("close_all", *OUT), *around("call enable", "call close-all-positions")),
          with_faults(fault("enable", "error_after"), fault("close-all-positions", "error_after"), is_trading=True),
          take_out, is_out),
    Scene("an account that can be taken out with the help of staff only",
          (*of("disable", "needs review", "done"), *of("close_all", "needs review", "done")),
          with_faults({"endpoint": "enable", "fault": "partial_enable"},
                      {"endpoint": "close-all-positions", "fault": "error_before"}, is_trading=True),
          take_out_with_staff, is_out),
    Scene("a position whose closing is not answered", (*of("close_one", *OUT), *around("call close-position")),
          with_faults(fault("close-position", "error_after"), is_trading=True), close_one_and_work, is_closed),
    Scene("a position that staff leave open", of("close_one", "needs review", "cancelled"),
          with_faults({"endpoint": "close-position", "fault": "error_before"}, is_trading=True),
          close_one_until_staff_drop_it, stays_open),
    Scene("a password",
          (*of("reset_password", "intended", "calling", "done"),
           *around("call reset-password", "lease brokeroperation")),
          with_faults(), reset, has_a_password),
    Scene("a password whose answer is lost", of("reset_password", "in doubt", "cancelled", "done"),
          with_faults(fault("reset-password", "error_after")), reset, has_a_password),
    Scene("a password that is refused", of("reset_password", "refused"),
          unknown_account, reset, was_refused_a_password),
)  # fmt: skip
