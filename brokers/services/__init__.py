"""Everything that changes something at a broker goes through here."""

from brokers.services.batches import advance_due_orders, run_due_operations
from brokers.services.connections import ConnectionTest, broker_for, read_account, save_connection, test_connection
from brokers.services.enabling import enable_by_hand, objection_to_enabling
from brokers.services.intents import SubjectReusedError
from brokers.services.late_effects import late_enabling_until
from brokers.services.leases import ClockError
from brokers.services.objections import register_objection
from brokers.services.operations import (
    decide_operation,
    request_close_position,
    request_enable,
    request_refund,
    request_withdrawal,
    resume_operation,
    run_operation,
)
from brokers.services.orders import advance_order, cancel_order, place_order, resume_order
from brokers.services.password_resets import ResetOutcome, ResetUnderWayError, reset_password
from brokers.services.reconciliation import (
    acknowledge_difference,
    acknowledge_differences,
    ask_for_reconciliation,
    mend_difference,
    reconcile_due_units,
    reconcile_unit,
    way_to_mend,
)
from brokers.services.reviewing import Review, conclude_operation, review_of
from brokers.services.taking_out import persist_in_taking_out, request_disable_and_flatten

__all__ = [
    "ClockError",
    "ConnectionTest",
    "ResetOutcome",
    "ResetUnderWayError",
    "Review",
    "SubjectReusedError",
    "acknowledge_difference",
    "acknowledge_differences",
    "advance_due_orders",
    "advance_order",
    "ask_for_reconciliation",
    "broker_for",
    "cancel_order",
    "conclude_operation",
    "decide_operation",
    "enable_by_hand",
    "late_enabling_until",
    "mend_difference",
    "objection_to_enabling",
    "persist_in_taking_out",
    "place_order",
    "read_account",
    "reconcile_due_units",
    "reconcile_unit",
    "register_objection",
    "request_close_position",
    "request_disable_and_flatten",
    "request_enable",
    "request_refund",
    "request_withdrawal",
    "reset_password",
    "resume_operation",
    "resume_order",
    "review_of",
    "run_due_operations",
    "run_operation",
    "save_connection",
    "test_connection",
    "way_to_mend",
]
