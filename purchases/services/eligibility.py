"""Whether a customer may buy a program with a payer account: one answer for buy, preview and the payer account list."""

from decimal import Decimal

from brokers.models import AccountMode
from programs.models import Program
from purchases.errors import SaleRefusedError
from purchases.models import Customer, PayerAccount
from purchases.reasons import BlockReason


def owned_payer(customer: Customer, login: int) -> PayerAccount:
    """The customer's own payer account with that broker account number.

    Raises `SaleRefusedError` (INVALID_PAYER_ACCOUNT) otherwise: nobody pays with another's account.
    """
    payers = PayerAccount.objects.select_related("account__group", "account__connection")
    payer = payers.filter(customer=customer, account__login=login).order_by("id").first()
    if payer is None:
        raise SaleRefusedError(BlockReason.INVALID_PAYER_ACCOUNT)
    return payer


def standing_reason(*, program: Program, payer: PayerAccount) -> BlockReason | None:
    """What our own rows say against the sale, before any balance is read; None when nothing does.

    A program that cannot be delivered (no phase, or its first account group is switched off) is not on sale either.
    """
    if program.status != Program.Status.ACTIVE or not _is_deliverable(program):
        return BlockReason.PROGRAM_DISABLED
    if not payer.is_enabled:
        return BlockReason.PAYER_ACCOUNT_DISABLED
    if not payer.account.group.is_enabled:
        return BlockReason.PAYER_GROUP_NOT_FOUND
    if payer.account.group.currency != program.price_currency:
        return BlockReason.CURRENCY_CONVERSION_REQUIRED
    if payer.account.group.mode != AccountMode.REAL:
        return BlockReason.PAYER_ACCOUNT_NOT_REAL
    return None


def block_reason(*, program: Program, payer: PayerAccount, balance: Decimal | None) -> BlockReason | None:
    """Why this sale is refused, or None. `balance` is what the broker just said; None: it cannot be read.

    Whether the account is enabled at the broker is judged here and not before, because the reading brings that too.
    """
    if reason := standing_reason(program=program, payer=payer):
        return reason
    if not payer.account.is_enabled:
        return BlockReason.PAYER_ACCOUNT_DISABLED
    if balance is None:
        return BlockReason.PAYER_BALANCE_UNAVAILABLE
    if balance < program.price:
        return BlockReason.NOT_ENOUGH_FUNDS
    return None


def _is_deliverable(program: Program) -> bool:
    first = program.phases.select_related("account_group__connection").order_by("phase_index").first()
    return first is not None and first.account_group.is_enabled and first.account_group.connection.is_enabled
