"""Everything that changes something at a broker goes through here."""

from brokers.services.batches import advance_due_orders, run_due_operations
from brokers.services.connections import ConnectionTest, broker_for, read_account, save_connection, test_connection
from brokers.services.operations import (
    SubjectReusedError,
    decide_operation,
    request_disable_and_flatten,
    request_enable,
    request_withdrawal,
    resume_operation,
    run_operation,
)
from brokers.services.orders import advance_order, place_order, resume_order

__all__ = [
    "ConnectionTest",
    "SubjectReusedError",
    "advance_due_orders",
    "advance_order",
    "broker_for",
    "decide_operation",
    "place_order",
    "read_account",
    "request_disable_and_flatten",
    "request_enable",
    "request_withdrawal",
    "resume_operation",
    "resume_order",
    "run_due_operations",
    "run_operation",
    "save_connection",
    "test_connection",
]
