"""A command is declared once; the Mng envelope, the TCP gateway and the REST actions all run that declaration."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import STAFF_SESSIONS, Session
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import PermissionDeniedError, UnknownCommandError
from propdesk.lib.mng.inputs import CommandInput


@dataclass(frozen=True, slots=True)
class Caller:
    """Who speaks, in which session, and when."""

    by: Actor
    session: Session
    now: datetime

    @classmethod
    def of(cls, token: ApiToken, *, now: datetime) -> "Caller":
        return cls(by=Actor.of(token.user), session=Session(token.session), now=now)


@dataclass(frozen=True, slots=True)
class Command:
    """`run` gets the validated input and the caller, and returns the JSON object that the answer carries as `data`."""

    name: str
    input: type[CommandInput]
    run: Callable[[Mapping[str, Any], Caller], dict[str, Any]]
    sessions: frozenset[Session] = STAFF_SESSIONS
    aliases: tuple[str, ...] = ()
    # Pairs of `data` as it is asked and answered, for the API's documentation.
    examples: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = field(default=(), compare=False)

    def execute(self, data: Any, caller: Caller) -> dict[str, Any]:
        """Check the session, validate the input, run. Raises CodedError (or a serializer's ValidationError)."""
        if caller.session not in self.sessions:
            raise PermissionDeniedError(f"{self.name} is not open to {caller.session.documented}.")
        given = self.input(data=data)
        given.is_valid(raise_exception=True)
        return self.run(given.validated_data, caller)


_commands: dict[str, Command] = {}


def register_command(command: Command) -> None:
    """Make the command callable by its name and aliases; called from `AppConfig.ready()`."""
    for name in (command.name, *command.aliases):
        if _commands.setdefault(name, command) is not command:
            raise ValueError(f"the command {name} is declared twice")


def command_named(name: str) -> Command:
    """Raises UnknownCommandError. Names are case-sensitive, as documented."""
    command = _commands.get(name)
    if command is None:
        raise UnknownCommandError(f"There is no command {name[:100]!r}.")
    return command


def all_commands() -> Iterator[Command]:
    """Every command once, aliases not repeated."""
    return iter(dict.fromkeys(_commands.values()))
