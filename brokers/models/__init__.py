"""Broker-side records: where accounts live, how they come to be, and every call that changes something at a broker."""

from brokers.models.accounts import TradingAccount
from brokers.models.connections import AccountGroup, AccountMode, BrokerConnection
from brokers.models.ledger import LedgerEntry, LedgerTransaction
from brokers.models.operations import BrokerOperation, BrokerOperationEvent
from brokers.models.orders import AccountOrder, AccountOrderEvent
from brokers.models.reconciliation import BalanceCheck, Difference, DifferenceEvent, UnitReconciliation

__all__ = [
    "AccountGroup",
    "AccountMode",
    "AccountOrder",
    "AccountOrderEvent",
    "BalanceCheck",
    "BrokerConnection",
    "BrokerOperation",
    "BrokerOperationEvent",
    "Difference",
    "DifferenceEvent",
    "LedgerEntry",
    "LedgerTransaction",
    "TradingAccount",
    "UnitReconciliation",
]
