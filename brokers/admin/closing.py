"""Closing one open position of an account by hand, and what has become of it."""

from functools import partial

from brokers.admin.account_buttons import subject_of
from brokers.admin.tables import operations_table
from brokers.client.base import Broker, OpenPosition
from brokers.models import BrokerOperation, TradingAccount
from brokers.models.operations import BrokerOperationQuerySet
from brokers.services import request_close_position
from propdesk.lib.actors import Actor
from propdesk.lib.admin import Button, Table, list_of
from propdesk.lib.money import as_text
from propdesk.lib.times import utc_now

Kind = BrokerOperation.Kind


def open_positions(account: TradingAccount, broker: Broker) -> list[OpenPosition]:
    """The account's open positions, read now. Raises `BrokerError`."""
    return [each for each in broker.opened_positions(unit=account.group.unit) if each.login == account.login]


def side_of(position: OpenPosition) -> str:
    return "sell" if position.quantity < 0 else "buy"


def being_closed(account: TradingAccount) -> dict[int, BrokerOperation]:
    """The closings that are not over, by position; one of all positions is under 0."""
    unfinished = _closings(account).unfinished()
    return {operation.position_id or 0: operation for operation in unfinished}


def closing_button(position: OpenPosition, currency: str) -> Button:
    """The button that closes that position."""
    size = f"{position.symbol}, {side_of(position)} {position.lots.normalize():f} lots"
    return Button(
        name="close",
        text=f"Close position {position.position_id}",
        explanation="The position is closed at the market's price, and that it is gone is read back at the broker. "
        "Closing cannot be undone.",
        about=lambda account: f"Account {account}: {size}. Floating profit now: {as_text(position.profit, currency)}.",
        run_once=partial(_close, position.position_id),
        variant="danger",
    )


def _close(position_id: int, account: TradingAccount, by: Actor, reason: str, token: str) -> str:
    operation = request_close_position(
        subject=subject_of(account, token), account=account, position_id=position_id, by=by, now=utc_now(),
        reason=reason,
    )  # fmt: skip
    return f"Operation {operation.pk} closes position {position_id}; where it stands is shown below."


def closings_table(account: TradingAccount) -> Table:
    """The latest closings that were asked for here, with where each stands."""
    return operations_table(
        "Closings",
        _closings(account).order_by("-id")[:10],
        note="The latest ten that were asked for. Reload the page to see how they go on.",
        more=list_of(BrokerOperation, account__id__exact=account.pk),
        empty="None was asked for.",
    )


def _closings(account: TradingAccount) -> BrokerOperationQuerySet:
    return BrokerOperation.objects.filter(account=account, kind__in=(Kind.CLOSE_ONE, Kind.CLOSE_ALL))
