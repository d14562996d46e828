"""Admin pages of the broker side. Money, accounts and operations are read-only: only services change them."""

from brokers.admin.accounts import TradingAccountAdmin
from brokers.admin.connections import BrokerConnectionAdmin
from brokers.admin.differences import DifferenceAdmin
from brokers.admin.groups import AccountGroupAdmin
from brokers.admin.ledger import LedgerTransactionAdmin
from brokers.admin.operations import BrokerOperationAdmin
from brokers.admin.orders import AccountOrderAdmin
from brokers.admin.reconciliation import UnitReconciliationAdmin
from brokers.admin.reviews import REVIEWS

__all__ = [
    "REVIEWS",
    "AccountGroupAdmin",
    "AccountOrderAdmin",
    "BrokerConnectionAdmin",
    "BrokerOperationAdmin",
    "DifferenceAdmin",
    "LedgerTransactionAdmin",
    "TradingAccountAdmin",
    "UnitReconciliationAdmin",
]
