"""Orders and purchases: each is killed on its good way, when answers are lost, and on every way that ends badly."""

from decimal import Decimal
from typing import Any

from brokers.models import AccountOrder, BrokerOperation, TradingAccount
from brokers.services import cancel_order, place_order, resume_order
from brokers.services.operations import decide_operation
from challenges.models import Challenge
from challenges.services.opening import open_due_challenges
from propdesk.lib.times import utc_now
from purchases.models import PayerAccount, Purchase
from purchases.services import advance_purchase
from tests.brokers.driving import TESTER, JumpingClock, fault, placed
from tests.chaos.crashing import LONG, Scene, Stage, around, of, work_off

Status, Order = BrokerOperation.Status, AccountOrder.Status
UNDER_WAY = (Purchase.Status.PENDING, Purchase.Status.PAID, Purchase.Status.ACCOUNT_CREATED)


def order(stage: Stage, key: str) -> AccountOrder:
    return placed(stage.demo, key)


def troubled(*faults: dict[str, Any]) -> Any:
    def prepare(stage: Stage, key: str) -> AccountOrder:
        stage.simulator.faults(*faults)
        return order(stage, key)

    return prepare


def work_on(stage: Stage, subject: Any) -> None:
    work_off(JumpingClock())


def is_ready(stage: Stage, order: AccountOrder) -> None:
    order.refresh_from_db()
    assert order.account is not None
    assert (order.status, order.account.is_funded, order.account.is_enabled) == (Order.READY, True, True)
    row = stage.simulator.account(order.account.login)
    assert (row["enabled"], row["balance"]) == (True, 100000.0)


def has_failed(stage: Stage, order: AccountOrder) -> None:
    order.refresh_from_db()
    assert (order.status, order.account) == (Order.FAILED, None)
    assert not TradingAccount.objects.filter(order=order, is_enabled=True).exists()


def is_cancelled(stage: Stage, order: AccountOrder) -> None:
    order.refresh_from_db()
    assert (order.status, order.account) == (Order.CANCELLED, None)
    assert not TradingAccount.objects.filter(order=order, is_enabled=True).exists()
    assert not order.operations.unfinished().exists()


def account_of(order: AccountOrder) -> TradingAccount | None:
    return TradingAccount.objects.filter(order=order, is_orphan=False).first()


# Purchases


def buy(stage: Stage, key: str) -> str:
    return key


def buy_and_open(stage: Stage, key: str) -> None:
    """The customer presses the button, again if it must be; then workers go on."""
    clock = JumpingClock()
    stage.shop.buy(key=key, now=clock())
    while (purchase := Purchase.objects.get(idempotency_key=key)).status in UNDER_WAY:
        advance_purchase(purchase_id=purchase.pk, clock=clock)
        work_off(clock)
        open_due_challenges(now=clock())


def is_active(stage: Stage, key: str) -> None:
    purchase = Purchase.objects.get(idempotency_key=key)
    assert purchase.status == Purchase.Status.ACTIVE
    assert Challenge.objects.get(purchase=purchase).enrollments.count() == 1
    assert purchase.account_order is not None
    is_ready(stage, purchase.account_order)


def poor_payer(stage: Stage, key: str) -> str:
    """The balance that was read is spent by the time the price is taken."""
    login = stage.simulator.open_account(unit=stage.real.unit, balance=10)
    account = TradingAccount.objects.create(
        connection=stage.real.connection, group=stage.real, login=login, is_enabled=True, is_funded=True
    )
    stage.shop.payer = PayerAccount.objects.create(customer=stage.shop.customer, account=account)
    return key


def was_not_paid(stage: Stage, key: str) -> None:
    purchase = Purchase.objects.get(idempotency_key=key)
    assert (purchase.status, purchase.failure_reason) == (Purchase.Status.FAILED, "NOT_ENOUGH_FUNDS")
    assert (purchase.account_order, purchase.review_reason) == (None, "")
    assert stage.simulator.account(stage.shop.payer.account.login)["balance"] == 10.0


# Ends that are not good


def order_in_no_group(stage: Stage, key: str) -> AccountOrder:
    stage.demo.broker_group = "no such group"
    stage.demo.save()
    return order(stage, key)


def order_of_too_many_digits(stage: Stage, key: str) -> AccountOrder:
    """The broker's number format cannot carry the deposit, so it is refused before it is sent."""
    return place_order(
        reference=key, group=stage.demo, deposit=Decimal("1234567890.12345678"), first_name="Tilda",
        last_name="Trader", by=TESTER, now=utc_now(),
    )  # fmt: skip


def let_staff_resume(stage: Stage, order: AccountOrder) -> None:
    """Nothing helps until the machine gives up; staff mend the broker and let it go on."""
    clock = JumpingClock()
    work_off(clock, until=lambda: order.operations.exclude(error_message="").exists())
    clock.offset += LONG
    work_off(clock)
    order.refresh_from_db()
    if order.status == Order.NEEDS_REVIEW:
        stage.simulator.faults()
        resume_order(order_id=order.pk, reason="It answers again.", by=TESTER, now=clock())
    work_off(clock)


def let_staff_decide(stage: Stage, order: AccountOrder) -> None:
    """Somebody pays in by hand just when the deposit is in doubt; staff look, decide, and take it out again."""
    clock = JumpingClock()
    work_off(
        clock,
        until=lambda: (
            _is_in_doubt(order) or order.operations.filter(kind="deposit", status=Status.NEEDS_REVIEW).exists()
        ),
    )
    account = account_of(order)
    assert account is not None
    hand = {"accountNumber": account.login, "unit": stage.demo.unit, "amount": 7.0, "comment": "by hand"}
    if _is_in_doubt(order) and not _by_hand(stage, account):
        stage.simulator.post("accounts/deposit", hand)
    work_off(clock)
    for deposit in order.operations.filter(kind="deposit", status=Status.NEEDS_REVIEW):
        decide_operation(operation_id=deposit.pk, happened=True, reason="It is there.", by=TESTER, now=clock())
    if _by_hand(stage, account) == 1:
        stage.simulator.post("accounts/withdraw", hand)
    order.refresh_from_db()
    if order.status == Order.NEEDS_REVIEW:
        resume_order(order_id=order.pk, reason="Decided.", by=TESTER, now=clock())
    work_off(clock)


def _is_in_doubt(order: AccountOrder) -> bool:
    return order.operations.filter(kind="deposit", status=Status.IN_DOUBT).exists()


def _by_hand(stage: Stage, account: TradingAccount) -> int:
    return sum(each["comment"] == "by hand" for each in stage.simulator.account(account.login)["transfers"])


def cancel_while_throttled(kind: str) -> Any:
    """The broker wants us to slow down; meanwhile the order is cancelled."""

    def act(stage: Stage, order: AccountOrder) -> None:
        clock = JumpingClock()
        waiting = order.operations.filter(kind=kind, status=Status.INTENDED).exclude(error_message="")
        work_off(
            clock,
            until=lambda: waiting.exists() or order.operations.filter(kind=kind, status=Status.CANCELLED).exists(),
        )
        cancel_order(order_id=order.pk, reason="The buyer left.", by=TESTER, now=clock())
        work_off(clock)

    return act


def cancel_with_too_much_on_it(stage: Stage, order: AccountOrder) -> None:
    """A deposit that was called absent lands after all; while the excess is taken out, the order is cancelled."""
    clock = JumpingClock()
    work_off(clock, until=lambda: order.operations.filter(kind="deposit", status=Status.DONE).exists())
    account = account_of(order)
    assert account is not None
    if not _by_hand(stage, account):
        body = {"accountNumber": account.login, "unit": stage.demo.unit, "amount": 100000.0, "comment": "by hand"}
        stage.simulator.post("accounts/deposit", body)
    cancel_while_throttled("withdraw")(stage, order)


THROTTLE = {"fault": "too_many_requests"}
IN_DOUBT_FIRST = (fault("create", "error_before"), fault("deposit", "error_before"), fault("enable", "error_before"))
LOST = tuple(fault(endpoint, "error_after") for endpoint in ("create", "deposit", "enable", "withdraw"))
CALLS = ("call create", "call deposit", "call enable")
GOOD = tuple(f"brokeroperation {kind} {status}" for kind in ("create", "deposit", "enable")
             for status in ("intended", "calling", "done"))  # fmt: skip

SCENES = (
    Scene("a purchase", around(
        "purchase pending", "brokeroperation withdraw intended", "lease brokeroperation",
        "brokeroperation withdraw calling", "call withdraw", "brokeroperation withdraw done", "purchase paid",
        "accountorder requested", "purchase account_created", "challenge active", "enrollment pending",
        "enrollment active", "purchase active",
    ), buy, buy_and_open, is_active),
    Scene("an order", around("lease accountorder", "accountorder opening", *GOOD, *CALLS, "accountorder ready"),
          order, work_on, is_ready),
    Scene("an order whose answers are lost",
          (*of("create", "in doubt"), *of("deposit", "in doubt"), *of("enable", "in doubt"), *around(*CALLS),
           *around("accountorder ready")),
          troubled(*LOST), work_on, is_ready),
    Scene("an order that is done the second time",
          (*of("create", "cancelled", "calling:2", "done"), *of("deposit", "intended:2", "calling:2", "done"),
           *of("enable", "intended:2"), *around("call create:2", "call deposit:2")),
          troubled(*IN_DOUBT_FIRST), work_on, is_ready),
    Scene("a price that cannot be paid", (*of("withdraw", "refused"), *around("purchase failed")),
          poor_payer, buy_and_open, was_not_paid),
    Scene("an account that is refused", (*of("create", "refused"), *around("accountorder failed")),
          order_in_no_group, work_on, has_failed),
    Scene("a deposit that is refused",
          (*of("deposit", "refused"), *around("accountorder failed"), *of("disable", "intended"),
           *of("close_all", "done")),
          order_of_too_many_digits, work_on, has_failed),
    Scene("an account that nobody can find",
          (*of("create", "needs review", "in doubt:2"), *around("accountorder needs review", "accountorder opening:2")),
          troubled(fault("create", "drop_after"), {"endpoint": "accounts-details", "fault": "truncate_after"}),
          let_staff_resume, is_ready),
    Scene("an enabling that does nothing",
          (*of("enable", "needs review", "done"), *around("accountorder needs review")),
          troubled({"endpoint": "enable", "fault": "partial_enable"}), let_staff_resume, is_ready),
    Scene("a deposit that staff decide about",
          (*of("deposit", "needs review", "done"), *around("accountorder opening:2")),
          troubled(fault("deposit", "drop_after")), let_staff_decide, is_ready),
    Scene("an order cancelled before its deposit",
          (*of("deposit", "cancelled"), *around("accountorder opening:2", "accountorder cancelled"),
           *of("disable", "done"), *of("close_all", "done")),
          troubled({"endpoint": "deposit", **THROTTLE}), cancel_while_throttled("deposit"), is_cancelled),
    Scene("an order cancelled before it is enabled",
          (*of("enable", "cancelled"), *around("accountorder cancelled"), *of("disable", "intended")),
          troubled({"endpoint": "enable", **THROTTLE, "times": 2}), cancel_while_throttled("enable"), is_cancelled),
    Scene("an order cancelled with too much on its account",
          (*of("withdraw", "intended:2", "cancelled"), *around("accountorder cancelled")),
          troubled(fault("deposit", "error_before"), {"endpoint": "withdraw", **THROTTLE}),
          cancel_with_too_much_on_it, is_cancelled),
)  # fmt: skip
