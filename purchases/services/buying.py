"""Buying: one short transaction that writes the sale and the intent to take its price."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import IntegrityError, transaction

from brokers.services import request_withdrawal
from programs.models import Program
from programs.services import ProgramNotFoundError, current_version
from propdesk.lib.actors import Actor
from propdesk.lib.nudge import nudge
from propdesk.lib.transitions import record
from purchases.errors import IdempotencyKeyReusedError, SaleRefusedError
from purchases.models import Customer, PayerAccount, Purchase
from purchases.services.balances import BalanceReader, read_balance
from purchases.services.eligibility import block_reason, owned_payer, standing_reason

PENDING_COMMENT = "PROP_CHALLENGE_PURCHASE_PENDING"


@dataclass(frozen=True, slots=True)
class Sale:
    """The answer to a buy: the purchase, and whether an earlier request with the same key had made it."""

    purchase: Purchase
    idempotent: bool


class Key(NamedTuple):
    """A customer's idempotency key, and the digest of the request it was used for."""

    text: str
    digest: str


def buy(
    *,
    customer: Customer,
    program_id: int,
    payer_login: int,
    idempotency_key: str,
    by: Actor,
    now: datetime,
    balance_reader: BalanceReader = read_balance,
) -> Sale:
    """Sell a program to a customer. It returns at once, with a pending purchase; payment and account come later.

    A key that the customer used before returns the purchase of then, whatever has changed since. Must not be called
    inside a transaction: it reads the payer account's balance at the broker first. Raises `SaleRefusedError`,
    `IdempotencyKeyReusedError` or `ProgramNotFoundError`, having written nothing.
    """
    key = Key(idempotency_key, _request_digest(program_id=program_id, payer_login=payer_login))
    if earlier := _earlier_sale(customer, key):
        return earlier
    balance = balance_reader(_accepted_payer(customer, program_id, payer_login), now)
    try:
        purchase = _sell(customer, program_id, payer_login, balance, key, by, now)
    except (IntegrityError, SaleRefusedError):
        # Another request with this key may have been quicker, and have spent the money that is missing now.
        if earlier := _earlier_sale(customer, key):
            return earlier
        raise
    return Sale(purchase=purchase, idempotent=False)


@transaction.atomic(durable=True)
def _sell(
    customer: Customer, program_id: int, payer_login: int, balance: Decimal | None, key: Key, by: Actor, now: datetime
) -> Purchase:
    program = _lock_program(program_id)
    payer = owned_payer(customer, payer_login)
    if reason := block_reason(program=program, payer=payer, balance=balance):
        raise SaleRefusedError(reason)
    purchase = _create(program, payer, key, now)
    record(purchase, source=None, by=by, reason=f"bought {program.name}", now=now)
    purchase.payment = request_withdrawal(
        subject=f"purchase:{purchase.pk}:payment",
        account=payer.account,
        amount=purchase.amount_account_currency,
        comment=f"Purchase {purchase.pk}",
        by=by,
        now=now,
    )
    purchase.save(update_fields=["payment"])
    nudge("purchases.advance", purchase.pk)
    return purchase


def _request_digest(**request: int) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _earlier_sale(customer: Customer, key: Key) -> Sale | None:
    if not key.text:
        return None
    earlier = Purchase.objects.filter(customer=customer, idempotency_key=key.text).first()
    if earlier is None:
        return None
    if earlier.request_digest != key.digest:
        raise IdempotencyKeyReusedError
    return Sale(purchase=earlier, idempotent=True)


def _accepted_payer(customer: Customer, program_id: int, payer_login: int) -> PayerAccount:
    """The payer account, when nothing in our own rows speaks against the sale: only then is the broker asked."""
    program = Program.objects.filter(pk=program_id).first()
    if program is None:
        raise ProgramNotFoundError(program_id)
    payer = owned_payer(customer, payer_login)
    if reason := standing_reason(program=program, payer=payer):
        raise SaleRefusedError(reason)
    return payer


def _lock_program(program_id: int) -> Program:
    """The program as it is sold: no edit, switch-off or deletion gets in between until this transaction ends.

    FOR SHARE, which Django cannot spell, lets any number of sales of one program run side by side.
    """
    locked = Program.objects.raw("SELECT * FROM programs_program WHERE id = %s FOR SHARE", [program_id])
    for program in locked:
        return program
    raise ProgramNotFoundError(program_id)


def _create(program: Program, payer: PayerAccount, key: Key, now: datetime) -> Purchase:
    return Purchase.objects.create(
        program=program,
        program_version=current_version(program, now=now),
        customer=payer.customer,
        payer=payer,
        amount=program.price,
        currency=program.price_currency,
        conversion_rate=1,
        amount_account_currency=program.price,
        comment=PENDING_COMMENT,
        idempotency_key=key.text,
        request_digest=key.digest,
        next_at=now,
        created_at=now,
        updated_at=now,
    )
