"""The Mng envelope: one document in, one answer out, the same for HTTP and TCP.

request   {"command", "extID", "data", "__token"}
success   {"extID", "status": 200, "data"}
failure   {"extID", "status", "error", "message", "data": {"errors": [...]}}
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from propdesk.lib.access.limits import admit
from propdesk.lib.access.models import ApiToken
from propdesk.lib.mng.commands import Caller, command_named
from propdesk.lib.mng.errors import CodedError, InvalidDataError, Problem, UnauthorizedError, coded


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: the document, and what HTTP says beside it."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


def dispatch(
    document: Any, *, clock: Callable[[], datetime], token: ApiToken | None = None, ext_id_required: bool = False
) -> Answer:
    """Run the command in `document` and answer; it never raises. Without `token`, `__token` in the document is used."""
    ext_id = ext_id_of(document)
    try:
        data = _run(document, token, clock, ext_id_required=ext_id_required)
    except Exception as error:  # noqa: BLE001  (the edge: whatever happens, the caller gets a coded answer)
        return failure(coded(error), ext_id)
    return Answer(200, {"extID": ext_id, "status": 200, "data": data}, {})


def failure(error: CodedError, ext_id: str = "") -> Answer:
    body = {
        "extID": ext_id,
        "status": error.status,
        "error": error.code,
        "message": error.message,
        "data": error.details(),
    }
    return Answer(error.status, body, error.headers())


def ext_id_of(document: Any) -> str:
    """The caller's own id of the request, `""` when it gave none."""
    ext_id = document.get("extID") if isinstance(document, dict) else None
    return ext_id if isinstance(ext_id, str) else ""


def _run(
    document: Any, token: ApiToken | None, clock: Callable[[], datetime], *, ext_id_required: bool
) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise InvalidDataError.at("", "The request must be a JSON object.")
    now = clock()
    token = token or _token_in(document, now)
    texts = {"command": document.get("command"), "extID": document.get("extID", None if ext_id_required else "")}
    problems = [Problem(name, "A text is required.") for name, value in texts.items() if not isinstance(value, str)]
    if problems:
        raise InvalidDataError(problems)
    return command_named(document["command"]).execute(document.get("data", {}), Caller.of(token, now=now))


def _token_in(document: dict[str, Any], now: datetime) -> ApiToken:
    secret = document.get("__token")
    if not isinstance(secret, str) or not secret:
        raise UnauthorizedError("A token is required.")
    return admit(secret=secret, now=now)
