"""The balance of a payer account, read at its broker within the time that a waiting customer has."""

import logging
from collections.abc import Callable
from decimal import Decimal

from brokers.services import BrokerError, read_account
from purchases.models import PayerAccount

BalanceReader = Callable[[PayerAccount], Decimal | None]

logger = logging.getLogger(__name__)

# A buy answers within two seconds, so its reading has to be done well before that.
READ_SECONDS = 1.0


def read_balance(payer: PayerAccount) -> Decimal | None:
    """The balance now, in the account's currency; None when the broker does not tell in time. Makes one HTTP call."""
    try:
        return read_account(account=payer.account, deadline_seconds=READ_SECONDS).balance
    except BrokerError as error:
        logger.warning("The balance of payer account %s is unavailable: %s", payer.account.login, error)
        return None
