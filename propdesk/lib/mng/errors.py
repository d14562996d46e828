"""Errors with a code, and the one place where they become answers.

Services raise `CodedError`s. The Mng envelope and the REST surfaces print the same code and message:

    Mng   {"extID", "status", "error", "message", "data": {"errors": [...]}}
    REST  {"error", "message", "errors": [...]}

Whatever is not foreseen becomes 500 INTERNAL_ERROR and goes to the log, never to the caller.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from propdesk.lib.transitions import IllegalTransitionError

logger = logging.getLogger(__name__)


class CodedError(Exception):
    """A refusal that the caller is told about: HTTP status, machine code, and a message in plain English."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "INVALID_DATA"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def details(self) -> dict[str, Any]:
        """What the answer holds beside code and message, as JSON values."""
        return {}

    def headers(self) -> dict[str, str]:
        return {}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the input; `field` is its path, such as `steps[1].account_group`."""

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class InvalidDataError(CodedError):
    """The input is wrong; every problem that was found is named."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems[:5]))

    @classmethod
    def at(cls, field: str, message: str) -> "InvalidDataError":
        return cls([Problem(field, message)])

    def details(self) -> dict[str, Any]:
        return {"errors": [{"field": problem.field, "message": problem.message} for problem in self.problems]}


class UnauthorizedError(CodedError):
    status = 401
    code = "UNAUTHORIZED"

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class PermissionDeniedError(CodedError):
    status = 403
    code = "PERMISSION_DENIED"


class NotFoundError(CodedError):
    status = 404
    code = "NOT_FOUND"


class UnknownCommandError(CodedError):
    status = 405
    code = "UNKNOWN_COMMAND"


class ConflictError(CodedError):
    """The state does not allow it. Named conflicts subclass it with their own code."""

    status = 409
    code = "CONFLICT"


class TooLargeError(CodedError):
    status = 413
    code = "TOO_LARGE"


class TooManyRequestsError(CodedError):
    status = 429
    code = "TOO_MANY_REQUESTS"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    def headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.retry_after)}


class InternalError(CodedError):
    status = 500
    code = "INTERNAL_ERROR"

    def __init__(self) -> None:
        super().__init__("Something went wrong on our side; it has been logged.")


class _FrameworkError(CodedError):
    """A refusal of the framework's own: wrong method, media type or version."""

    def __init__(self, error: exceptions.APIException) -> None:
        super().__init__(str(error.detail))
        self.status = error.status_code  # type: ignore[misc]
        self.code = str(error.default_code).upper()  # type: ignore[misc]


_FOREIGN: tuple[tuple[tuple[type[Exception], ...], Callable[[Any], CodedError]], ...] = (
    ((IllegalTransitionError,), lambda error: ConflictError(str(error))),
    ((exceptions.ValidationError,), lambda error: InvalidDataError(problems_in(error.detail))),
    ((exceptions.ParseError,), lambda error: InvalidDataError.at("", str(error.detail))),
    (
        (exceptions.NotAuthenticated, exceptions.AuthenticationFailed),
        lambda error: UnauthorizedError("A token is required."),
    ),
    ((exceptions.PermissionDenied, PermissionDenied), lambda error: PermissionDeniedError("Not allowed.")),
    ((exceptions.NotFound, Http404), lambda error: NotFoundError("Not found.")),
    ((RequestDataTooBig,), lambda error: TooLargeError("The body is too large.")),
    ((exceptions.APIException,), _FrameworkError),
)


def coded(error: Exception) -> CodedError:
    """The coded form of any exception. Unforeseen ones are logged with their traceback."""
    if isinstance(error, CodedError):
        return error
    for kinds, translate in _FOREIGN:
        if isinstance(error, kinds):
            return translate(error)
    logger.error("Unforeseen error", exc_info=error)
    return InternalError()


def rest_body(error: CodedError) -> dict[str, Any]:
    return {"error": error.code, "message": error.message, **error.details()}


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's hook: every error of the REST surfaces as JSON (settings: EXCEPTION_HANDLER)."""
    refusal = coded(error)
    return Response(rest_body(refusal), status=refusal.status, headers=refusal.headers())


def problems_in(detail: Any, path: str = "") -> Iterator[Problem]:
    """Flatten a serializer's nested errors into problems with a path each."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from problems_in(inner, _below(path, name))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from problems_in(inner, f"{path}[{index}]" if nested else path)
    else:
        yield Problem(path, str(detail))


def _below(path: str, name: Any) -> str:
    if name == "non_field_errors":
        return path
    return f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}".lstrip(".")
