"""Session types: who speaks. Each is a Django group of the same lower-case name; the values are ScaleTrade's."""

from enum import IntEnum


class Session(IntEnum):
    """Source: api-facts 1.5 (session types of the manager API)."""

    MANAGER = 1
    DEALER = 2
    ADMIN = 3
    CUSTOMER = 9
    CRM_MANAGER = 10
    CRM_ADMIN = 11

    @property
    def group(self) -> str:
        """The Django group that carries this session type, such as `crm_manager`."""
        return self.name.lower()

    @property
    def documented(self) -> str:
        """The documented name, such as `SESSION_CRM_MANAGER`."""
        return f"SESSION_{self.name}"

    @classmethod
    def named(cls, documented: str) -> "Session":
        """The session type with this documented name. Raises ValueError for any other text."""
        for session in cls:
            if session.documented == documented:
                return session
        raise ValueError(f"{documented!r} is not a session type")


STAFF_SESSIONS = frozenset(Session) - {Session.CUSTOMER}
CUSTOMER_SESSIONS = frozenset({Session.CUSTOMER})
