"""What the statuses of the broker side look like."""

from brokers.models import AccountMode, AccountOrder, BrokerOperation, Difference
from propdesk.lib.admin import Colour

ORDER: dict[int, Colour] = {
    AccountOrder.Status.REQUESTED: Colour.BLUE,
    AccountOrder.Status.OPENING: Colour.BLUE,
    AccountOrder.Status.READY: Colour.GREEN,
    AccountOrder.Status.FAILED: Colour.RED,
    AccountOrder.Status.NEEDS_REVIEW: Colour.ORANGE,
    AccountOrder.Status.CANCELLED: Colour.GREY,
}
OPERATION: dict[int, Colour] = {
    BrokerOperation.Status.INTENDED: Colour.BLUE,
    BrokerOperation.Status.CALLING: Colour.BLUE,
    BrokerOperation.Status.DONE: Colour.GREEN,
    BrokerOperation.Status.REFUSED: Colour.RED,
    BrokerOperation.Status.IN_DOUBT: Colour.ORANGE,
    BrokerOperation.Status.NEEDS_REVIEW: Colour.ORANGE,
    BrokerOperation.Status.CANCELLED: Colour.GREY,
}
MODE: dict[int, Colour] = {AccountMode.DEMO: Colour.GREY, AccountMode.REAL: Colour.GREEN}
DIFFERENCE: dict[int, Colour] = {
    Difference.Status.OPEN: Colour.ORANGE,
    Difference.Status.MENDING: Colour.BLUE,
    Difference.Status.ACKNOWLEDGED: Colour.GREY,
    Difference.Status.GONE: Colour.GREEN,
}
# Red: money or trading is at stake now.
DIFFERENCE_KIND: dict[str, Colour] = {
    Difference.Kind.ENABLED: Colour.RED,
    Difference.Kind.OPEN_POSITIONS: Colour.RED,
    Difference.Kind.BALANCE: Colour.RED,
    Difference.Kind.TRANSFER: Colour.RED,
    Difference.Kind.DISABLED: Colour.ORANGE,
    Difference.Kind.MISSING_ACCOUNT: Colour.ORANGE,
    Difference.Kind.UNKNOWN_ACCOUNT: Colour.GREY,
}
