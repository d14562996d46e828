"""An account as the broker shows it at this moment. Each reading stands alone: one that fails hides no other."""

from collections.abc import Callable, Sequence
from functools import partial

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html

from brokers.admin.closing import being_closed, closings_table, open_positions, side_of
from brokers.client.base import Broker, OpenPosition
from brokers.client.errors import BrokerError
from brokers.models import BrokerOperation, TradingAccount
from brokers.services import broker_for
from propdesk.lib.admin import Colour, Facts, Panel, Table, label, link_to
from propdesk.lib.money import as_text

Read = Callable[[Broker, TradingAccount], Panel]


def live_panels(account: TradingAccount, *, may_close: bool) -> list[Panel]:
    """Balance and equity, state, open positions and transfers, read now. Makes HTTP calls; changes nothing.

    `may_close` puts a way to close it beside each position.
    """
    try:
        broker = broker_for(account.connection)
    except BrokerError as failure:
        return [_failed("At the broker", failure)]
    return [
        _try("Figures", _figures, broker, account),
        _try("State", _state, broker, account),
        _try("Open positions", partial(_positions, may_close=may_close), broker, account),
        closings_table(account),
        _try("Transfers", _transfers, broker, account),
    ]


def _try(title: str, read: Read, broker: Broker, account: TradingAccount) -> Panel:
    try:
        return read(broker, account)
    except BrokerError as failure:
        return _failed(title, failure)


def _failed(title: str, failure: BrokerError) -> Panel:
    return Table(title=title, columns=(), rows=(), empty=f"No answer to trust: {failure}")


def _figures(broker: Broker, account: TradingAccount) -> Panel:
    stats = broker.account_stats(unit=account.group.unit, login=account.login)
    currency = account.group.currency
    figures = (("Balance", stats.balance), ("Equity", stats.equity), ("Margin", stats.margin),
               ("Free margin", stats.free_margin), ("Floating profit", stats.pnl))  # fmt: skip
    return Facts(title="Figures", facts=[(name, as_text(figure, currency)) for name, figure in figures])


def _state(broker: Broker, account: TradingAccount) -> Panel:
    details = broker.account_details(login=account.login)
    state = label("enabled", Colour.GREEN) if details.is_enabled else label("disabled")
    ours = "enabled" if account.is_enabled else "disabled"
    same = details.is_enabled == account.is_enabled
    foreign = account.marker and details.email.lower() != account.marker.lower()
    return Facts(
        title="State",
        facts=[
            ("At the broker", state),
            ("In our books", ours if same else label(ours, Colour.ORANGE, "Differs from the broker.")),
            ("E-mail", label(details.email, Colour.ORANGE, "Not our marker.") if foreign else details.email),
            ("Group", details.group),
        ],
    )


def _positions(broker: Broker, account: TradingAccount, *, may_close: bool) -> Panel:
    currency = account.group.currency
    closings = being_closed(account)
    return Table(
        title="Open positions",
        # What decides comes first: a phone shows the first columns only.
        columns=("Position", "", "Symbol", "Side", "Lots", "Floating profit", "Opened", "Open price"),
        rows=[
            (
                str(each.position_id),
                _way_to_close(account, each, closings.get(each.position_id) or closings.get(0), may_close=may_close),
                each.symbol,
                side_of(each),
                f"{each.lots.normalize():f}",
                as_text(each.profit, currency),
                each.opened_at,
                f"{each.open_price.normalize():f}",
            )
            for each in open_positions(account, broker)
        ],
        empty="Flat: no position is open.",
    )


def _way_to_close(
    account: TradingAccount, position: OpenPosition, closing: BrokerOperation | None, *, may_close: bool
) -> str:
    """A link to the confirmation, or to the operation that closes it already."""
    if closing is not None:
        return link_to(closing, f"being closed: {closing.get_status_display()}")
    if not may_close:
        return ""
    url = reverse("admin:brokers_tradingaccount_close", args=[account.pk, position.position_id])
    return format_html('<a class="pd-link" href="{}">Close</a>', url)


def _transfers(broker: Broker, account: TradingAccount) -> Panel:
    """Newest first, each with the operation that has made it, where the amounts tell."""
    currency = account.group.currency
    done = account.operations.filter(kind__in=BrokerOperation.MONEY, status=BrokerOperation.Status.DONE)
    made_by = _by_amount(done)
    transfers = sorted(broker.account_transfers(unit=account.group.unit, login=account.login), key=lambda each: each.at)
    rows: list[Sequence[object]] = []
    for transfer in transfers:
        queue = made_by.get(transfer.amount, [])
        operation = link_to(queue[0], f"operation {queue.pop(0).pk}") if queue else "not by PropDesk"
        rows.append((transfer.at, as_text(transfer.amount, currency), transfer.kind, operation))
    return Table(
        title="Transfers",
        note="Money that came or went, other than by trading.",
        columns=("Time", "Amount", "Kind", "Made by"),
        rows=rows[::-1][:100],
        empty="No money has been moved.",
    )


def _by_amount(operations: QuerySet[BrokerOperation]) -> dict[object, list[BrokerOperation]]:
    found: dict[object, list[BrokerOperation]] = {}
    for operation in operations.order_by("id"):
        sign = 1 if operation.kind == BrokerOperation.Kind.DEPOSIT else -1
        found.setdefault(sign * (operation.amount or 0), []).append(operation)
    return found
