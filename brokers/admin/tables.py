"""Tables that several pages show."""

from collections.abc import Iterable

from brokers.admin import colours
from brokers.models import BrokerOperation
from propdesk.lib.admin import NOTHING, Table, link_to, status_label


def operations_table(
    title: str, operations: Iterable[BrokerOperation], *, note: str = "", more: str = "", empty: str = ""
) -> Table:
    """Broker operations, each with a link, where it stands and how long it took."""
    return Table(
        title=title,
        note=note,
        more=more,
        columns=("Operation", "Status", "Amount", "Attempts", "Created", "Finished"),
        rows=[
            (
                link_to(operation, _words(operation)),
                status_label(operation, colours.OPERATION),
                NOTHING if operation.amount is None else f"{operation.amount:,.2f}",
                operation.attempts,
                operation.created_at,
                operation.finished_at or NOTHING,
            )
            for operation in operations
        ],
        empty=empty,
    )


def _words(operation: BrokerOperation) -> str:
    position = f" {operation.position_id}" if operation.position_id else ""
    return f"{operation.pk}: {operation.get_kind_display()}{position}"
