"""Comparing our books with each broker unit, and what staff do about what differs.

`units` runs a comparison: `reading` reads and judges, with `findings` (accounts, switches, positions) and `money`
(balances and transfers), and `writing` keeps what was found. `mending` is what staff do.
"""

from brokers.services.reconciliation.mending import (
    acknowledge_difference,
    acknowledge_differences,
    mend_difference,
    way_to_mend,
)
from brokers.services.reconciliation.reading import MOST_SUSPECTS, ROUTINE
from brokers.services.reconciliation.units import EVERY, ask_for_reconciliation, reconcile_due_units, reconcile_unit

__all__ = [
    "EVERY",
    "MOST_SUSPECTS",
    "ROUTINE",
    "acknowledge_difference",
    "acknowledge_differences",
    "ask_for_reconciliation",
    "mend_difference",
    "reconcile_due_units",
    "reconcile_unit",
    "way_to_mend",
]
