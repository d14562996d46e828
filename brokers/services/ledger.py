"""The double-entry ledger of money moved at brokers: one balanced transaction per money operation that is done."""

from datetime import datetime
from decimal import Decimal

from brokers.models import BrokerOperation, LedgerEntry, LedgerTransaction, TradingAccount

# What orders fund accounts with is the firm's; what is taken from or given back to payers is the price of a purchase.
FIRM, CUSTOMER_PRICE = "firm", "customer price"


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
    other = CUSTOMER_PRICE if operation.order_id is None else FIRM
    LedgerEntry.objects.bulk_create(
        LedgerEntry(transaction=written, account=name, currency=account.group.currency, amount=figure)
        for name, figure in ((ledger_account(account), moved), (other, -moved))
    )
    return written


def record_late_deposits(withdrawal: BrokerOperation, *, now: datetime) -> None:
    """Write down the late deposits of an order whose money this withdrawal has taken out again."""
    deposit = BrokerOperation.objects.select_related("account__group").get(
        order=withdrawal.order, kind=BrokerOperation.Kind.DEPOSIT
    )
    known = LedgerTransaction.objects.filter(operation_id=deposit.pk).count()
    for late in range(int(withdrawal.amount / deposit.amount)):
        record_move(deposit, now=now, occurrence=known + 1 + late)
