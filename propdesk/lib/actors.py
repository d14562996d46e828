"""Who did it: every service takes `by`, and every event row keeps it as text, so it survives the user's deletion."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Actor:
    """`label` is what staff read ("admin", "customer 7", "monitor"); `user_id` is set for people."""

    label: str
    user_id: int | None = None

    @classmethod
    def of(cls, user: Any) -> "Actor":
        """The actor for a signed-in Django user."""
        return cls(label=user.get_username(), user_id=user.pk)


def system(name: str) -> Actor:
    """The actor for one of our own processes, such as `system("monitor")`."""
    return Actor(label=name)
