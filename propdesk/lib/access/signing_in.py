"""A token for a username and password, with a lock after repeated failures."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.contrib.auth import authenticate
from django.db.models import F

from propdesk.lib.access.models import ApiToken, SignInAttempts
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import issue_token, sessions_of
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import (
    InvalidDataError,
    PermissionDeniedError,
    TooManyRequestsError,
    UnauthorizedError,
)

LIFETIME = timedelta(hours=12)
MAX_FAILURES = 10
LOCKED_FOR = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SignedIn:
    token: ApiToken
    secret: str


def sign_in(*, username: str, password: str, session: Session | None, now: datetime) -> SignedIn:
    """Issue a token for 12 hours. `session` may be left out by users who have only one.

    Raises UnauthorizedError for a wrong name or password or a disabled user, TooManyRequestsError while the name is
    locked, PermissionDeniedError when the user does not have the session type, InvalidDataError when it must be chosen.
    """
    _refuse_while_locked(username, now)
    user = authenticate(username=username, password=password)
    if user is None:
        _count_failure(username, now)
        raise UnauthorizedError("Wrong username or password.")
    SignInAttempts.objects.filter(username=username).delete()
    chosen = session or _only_session(user)
    token, secret = issue_token(
        user=user, session=chosen, name="sign-in", by=Actor.of(user), now=now, lifetime=LIFETIME
    )
    return SignedIn(token, secret)


def _only_session(user: Any) -> Session:
    match sessions_of(user):
        case [session]:
            return session
        case []:
            raise PermissionDeniedError("This user has no session type.")
        case several:
            names = ", ".join(session.documented for session in several)
            raise InvalidDataError.at("session", f"choose one of {names}")


def _refuse_while_locked(username: str, now: datetime) -> None:
    attempts = SignInAttempts.objects.filter(username=username, failures__gte=MAX_FAILURES).first()
    if attempts is not None and attempts.failed_at + LOCKED_FOR > now:
        wait = ceil((attempts.failed_at + LOCKED_FOR - now).total_seconds())
        raise TooManyRequestsError("Too many failed attempts; try again later.", retry_after=wait)


def _count_failure(username: str, now: datetime) -> None:
    # Attempts are forgotten after the lock's time, which also keeps made-up names from filling the table.
    SignInAttempts.objects.filter(failed_at__lte=now - LOCKED_FOR).delete()
    SignInAttempts.objects.get_or_create(username=username, defaults={"failed_at": now})
    SignInAttempts.objects.filter(username=username).update(failures=F("failures") + 1, failed_at=now)
