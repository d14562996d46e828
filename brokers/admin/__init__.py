"""Admin pages of the broker side. Money, accounts and operations are read-only: only services change them."""

from brokers.admin.accounts import TradingAccountAdmin
from brokers.admin.connections import BrokerConnectionAdmin
from brokers.admin.groups import AccountGroupAdmin
from brokers.admin.ledger import LedgerTransactionAdmin
from brokers.admin.operations import BrokerOperationAdmin
from brokers.admin.orders import AccountOrderAdmin

__all__ = [
    "AccountGroupAdmin",
    "AccountOrderAdmin",
    "BrokerConnectionAdmin",
    "BrokerOperationAdmin",
    "LedgerTransactionAdmin",
    "TradingAccountAdmin",
]
