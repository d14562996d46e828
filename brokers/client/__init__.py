"""How PropDesk speaks to brokers: in its own words (`Broker`), with errors grouped by what to do next."""

from brokers.client.base import AccountDetails, AccountStats, Broker, ClosedPosition, NewAccount, OpenPosition, Transfer
from brokers.client.errors import (
    BrokerError,
    KeyRefusedError,
    NoDataError,
    NotDoneError,
    NotSentError,
    OutcomeUnknownError,
    RefusedError,
    ThrottledError,
    TryLaterError,
)

__all__ = [
    "AccountDetails",
    "AccountStats",
    "Broker",
    "BrokerError",
    "ClosedPosition",
    "KeyRefusedError",
    "NewAccount",
    "NoDataError",
    "NotDoneError",
    "NotSentError",
    "OpenPosition",
    "OutcomeUnknownError",
    "RefusedError",
    "ThrottledError",
    "Transfer",
    "TryLaterError",
]
