"""How we stand with a broker: whether it answers, what is open with it, and when it was last read."""

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Greatest
from django.utils.html import format_html

from brokers.models import BrokerConnection, BrokerOperation
from propdesk.lib.admin import Colour, Facts, count_of, label, latest_of, list_of

Status = BrokerOperation.Status


def with_standing(connections: QuerySet[BrokerConnection]) -> QuerySet[BrokerConnection]:
    """The connections with `in_doubt_total`, `in_review_total` and `last_reading_at`.

    The monitor's readings belong to an app above: they are followed through the reverse relation, for display only.
    """
    return connections.annotate(
        in_doubt_total=count_of(BrokerConnection, "operations", status=Status.IN_DOUBT),
        in_review_total=count_of(BrokerConnection, "operations", status=Status.NEEDS_REVIEW),
        # PostgreSQL's GREATEST leaves out what is null.
        last_reading_at=Greatest(
            latest_of(BrokerConnection, "reconciliations", "compared_at"),
            latest_of(BrokerConnection, "watches", "last_read_at"),
        ),
    )


def breaker_label(connection: BrokerConnection, *, with_time: bool = True) -> str:
    """Whether our processes call the broker, or leave it alone for a while because it did not answer."""
    if connection.breaker_opened_at is None:
        return label("closed", Colour.GREEN, "The broker is called whenever there is something to do.")
    since = f" since {connection.breaker_opened_at:%Y-%m-%d %H:%M} UTC" if with_time else ""
    return label(f"open{since}", Colour.RED, connection.breaker_reason)


def operations_link(connection: BrokerConnection, status: BrokerOperation.Status, total: int) -> str:
    """How many operations of that status there are, with a link to them."""
    if not total:
        return "0"
    url = list_of(BrokerOperation, connection__id__exact=connection.pk, status__exact=int(status))
    return format_html('<a class="pd-link" href="{}">{}</a>', url, label(total, Colour.ORANGE))


def reading_of(connection: Any) -> str:
    at = connection.last_reading_at
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "not read yet"


def standing_panel(connection: Any) -> Facts:
    """The same on the connection's page, with the reason where the broker is left alone."""
    facts: list[tuple[str, object]] = [("Breaker", breaker_label(connection, with_time=False))]
    if opened_at := connection.breaker_opened_at:
        facts += [("Open since", f"{opened_at:%Y-%m-%d %H:%M:%S} UTC"), ("Because", connection.breaker_reason)]
    facts += [
        ("Operations in doubt", operations_link(connection, Status.IN_DOUBT, connection.in_doubt_total)),
        ("Operations in review", operations_link(connection, Status.NEEDS_REVIEW, connection.in_review_total)),
        ("Last successful reading", reading_of(connection)),
    ]
    return Facts(
        title="How it stands",
        note="While the breaker is open the broker is left alone but for a try every few seconds; nothing is lost.",
        facts=facts,
    )
