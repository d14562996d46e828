"""The balance of a payer account, read at its broker within the time that a waiting customer has."""

import logging
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from brokers.client.errors import BrokerError
from brokers.services.connections import read_details
from purchases.models import PayerAccount

BalanceReader = Callable[[PayerAccount, datetime], Decimal | None]

logger = logging.getLogger(__name__)

# A buy answers within two seconds, so its reading has to be done well before that.
READ_SECONDS = 1.0


def read_balance(payer: PayerAccount, now: datetime) -> Decimal | None:
    """The balance, in the account's currency; None when the broker does not tell in time. Makes one broker call.

    Whether the broker has the account enabled is noted on its row, from the same answer.
    """
    try:
        return read_details(account=payer.account, clock=lambda: now, deadline=READ_SECONDS).balance
    except BrokerError as error:
        logger.warning("The balance of payer account %s is unavailable: %s", payer.account.login, error)
        return None
