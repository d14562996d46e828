"""The double-entry ledger of money moved at brokers: one balanced transaction per money operation that is done.

One side is the account at the broker, "broker:CONNECTION:LOGIN". The other says where the money came from or went:

    firm               what orders fund accounts with, and take out of them again
    customer price     the price of a purchase, taken from a payer account or given back to it
    mended difference  money moved so that the broker agrees with our books
    staff movement     what staff moved for a reason of their own
    other              anything else

What was moved before operations had a purpose is in "customer price", whatever it was for.
"""

from datetime import datetime
from decimal import Decimal

from brokers.models import BrokerOperation, LedgerEntry, LedgerTransaction, TradingAccount

FIRM, OTHER = "firm", "other"
BY_PURPOSE = {
    BrokerOperation.Purpose.PRICE: "customer price",
    BrokerOperation.Purpose.DIFFERENCE: "mended difference",
    BrokerOperation.Purpose.STAFF: "staff movement",
}
# Every ledger account that is not an account at a broker.
COUNTER_ACCOUNTS = (FIRM, *BY_PURPOSE.values(), OTHER)


def ledger_account(account: TradingAccount) -> str:
    """The ledger's name of a broker account."""
    return f"broker:{account.connection_id}:{account.login}"


def record_move(operation: BrokerOperation, *, now: datetime, occurrence: int = 1) -> LedgerTransaction:
    """Write down the money that a deposit or withdrawal has moved, in the transaction that makes the operation done.

    The database refuses the same occurrence a second time, and an unbalanced one at commit.
    """
    account, amount = operation.account, operation.amount
    if account is None or amount is None:
        raise ValueError(f"{operation} moves no money.")
    moved: Decimal = amount if operation.kind == BrokerOperation.Kind.DEPOSIT else -amount
    written = LedgerTransaction.objects.create(
        operation_id=operation.pk, occurrence=occurrence, kind=operation.kind, subject=operation.subject, at=now
    )
    other = _counter_account(operation)
    LedgerEntry.objects.bulk_create(
        LedgerEntry(transaction=written, account=name, currency=account.group.currency, amount=figure)
        for name, figure in ((ledger_account(account), moved), (other, -moved))
    )
    return written


def _counter_account(operation: BrokerOperation) -> str:
    if operation.order_id is not None:
        return FIRM
    return BY_PURPOSE[BrokerOperation.Purpose(operation.purpose)] if operation.purpose else OTHER


def record_late_deposits(withdrawal: BrokerOperation, *, now: datetime) -> None:
    """Write down the late deposits of an order whose money this withdrawal has taken out again."""
    deposit = BrokerOperation.objects.select_related("account__group").get(
        order=withdrawal.order, kind=BrokerOperation.Kind.DEPOSIT
    )
    known = LedgerTransaction.objects.filter(operation_id=deposit.pk).count()
    for late in range(int(withdrawal.amount / deposit.amount)):
        record_move(deposit, now=now, occurrence=known + 1 + late)
