"""What a customer can look at before buying: the same judgement as a buy, without effects."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from programs.models import Program
from programs.services import ProgramNotFoundError
from purchases.errors import SaleRefusedError
from purchases.models import Customer, PayerAccount
from purchases.reasons import BlockReason
from purchases.services.balances import BalanceReader, read_balance
from purchases.services.eligibility import block_reason, owned_payer


@dataclass(frozen=True, slots=True)
class Offer:
    """A program, and the payer account with this number to pay for it; `reason` says why not, None: a buy would do.

    `balance` is None when it cannot be read; `currency` is empty for an account that is not the customer's.
    """

    program: Program
    login: int
    currency: str
    balance: Decimal | None
    reason: BlockReason | None


def preview(
    *,
    customer: Customer,
    program_id: int,
    payer_login: int,
    now: datetime,
    balance_reader: BalanceReader = read_balance,
) -> Offer:
    """What a buy would say now. Raises ProgramNotFoundError. Makes one broker call."""
    program = program_by_id(program_id)
    try:
        payer = owned_payer(customer, payer_login)
    except SaleRefusedError as refusal:
        return Offer(program=program, login=payer_login, currency="", balance=None, reason=refusal.reason)
    return _offer(program, payer, balance_reader(payer, now))


def offers_for(
    *, customer: Customer, program_id: int, now: datetime, balance_reader: BalanceReader = read_balance
) -> list[Offer]:
    """One offer for each of the customer's payer accounts; a broker call each.

    Raises ProgramNotFoundError.
    """
    program = program_by_id(program_id)
    payers = list(customer.payer_accounts.select_related("account__group", "account__connection").order_by("id"))
    return [_offer(program, payer, balance_reader(payer, now)) for payer in payers]


def program_by_id(program_id: int) -> Program:
    program = Program.objects.filter(pk=program_id).first()
    if program is None:
        raise ProgramNotFoundError(program_id)
    return program


def _offer(program: Program, payer: PayerAccount, balance: Decimal | None) -> Offer:
    return Offer(
        program=program,
        login=payer.account.login,
        currency=payer.account.group.currency,
        balance=balance,
        reason=block_reason(program=program, payer=payer, balance=balance),
    )
