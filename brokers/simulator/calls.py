"""What the oracle remembers of a call that changes something: what it asked for, and what really became of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from brokers.simulator.fields import Fields
from brokers.simulator.refusals import RefusedError

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """One mutating call. `accounts` are the ones it names, `applied_to` those it was carried out on.

    What the request leaves out or spells wrongly is None, or no account. Passwords are not kept.
    """

    id: int
    endpoint: str
    received_at: datetime
    fault: str | None
    unit: int | None
    accounts: list[int]
    email: str | None
    amount: Decimal | None
    comment: str | None
    enable: bool | None
    position: int | None
    applied_to: list[int]
    applied_at: datetime | None = None

    @classmethod
    def read(cls, number: int, endpoint: str, fields: Fields, *, fault: str | None, now: datetime) -> "Call":
        """Take down what the request says, however wrong it is."""
        account = _perhaps(fields.integer, "accountNumber")
        return cls(
            number, endpoint, now, fault,
            unit=_perhaps(fields.integer, "unit"),
            accounts=[account] if account is not None else _perhaps(fields.integers, "accountNumbers") or [],
            email=_perhaps(fields.text, "email"),
            amount=_perhaps(fields.money, "amount"),
            comment=_perhaps(fields.remark, "comment"),
            enable=_perhaps(fields.flag, "enable"),
            position=_perhaps(fields.integer, "orderrequestid"),
            applied_to=[],
        )  # fmt: skip

    def apply(self, accounts: Iterable[int], *, now: datetime) -> None:
        """Note that the call is carried out; to be saved in one transaction with its effect."""
        self.applied_to = list(accounts)
        self.applied_at = now

    def row(self) -> dict[str, Any]:
        """The call as the oracle prints it; times are ISO 8601 in UTC with microseconds."""
        return {
            "id": self.id,
            "endpoint": self.endpoint,
            "receivedAt": _text(self.received_at),
            "fault": self.fault,
            "unit": self.unit,
            "accounts": self.accounts,
            "email": self.email,
            "amount": None if self.amount is None else float(self.amount),
            "comment": self.comment,
            "enable": self.enable,
            "position": self.position,
            "applied": self.applied_at is not None,
            "appliedTo": self.applied_to,
            "appliedAt": self.applied_at and _text(self.applied_at),
        }


def _perhaps(read: Callable[[str], T], name: str) -> T | None:
    try:
        return read(name)
    except RefusedError:
        return None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
