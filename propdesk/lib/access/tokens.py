"""API tokens: issued to a user for one session type, stored as a digest, shown once."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q

from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import Session
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import PermissionDeniedError, UnauthorizedError

# `last_used_at` tells staff which tokens are alive; to the minute is enough and spares a write per request.
LAST_USED_EVERY = timedelta(minutes=1)


def grant_session(*, user: Any, session: Session) -> None:
    """Let the user hold tokens of this session type: put them into its Django group."""
    user.groups.add(Group.objects.get_or_create(name=session.group)[0])


def sessions_of(user: Any) -> list[Session]:
    """The session types that the user's Django groups carry, in the order of their numbers."""
    groups = set(user.groups.values_list("name", flat=True))
    return [session for session in Session if session.group in groups]


@transaction.atomic
def issue_token(
    *, user: Any, session: Session, name: str, by: Actor, now: datetime, lifetime: timedelta | None = None
) -> tuple[ApiToken, str]:
    """A new token and its secret, which cannot be read again. Without `lifetime` it does not expire.

    Raises PermissionDeniedError when the user is not in the session's Django group.
    """
    if session not in sessions_of(user):
        raise PermissionDeniedError(f"{user} may not hold a token of {session.documented}.")
    secret = f"pd_{secrets.token_urlsafe(32)}"
    token = ApiToken.objects.create(
        user=user,
        session=session,
        name=name,
        prefix=secret[:12],
        digest=digest_of(secret),
        issued_by=by.label,
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
    return token, secret


def revoke_token(*, token: ApiToken, by: Actor, now: datetime) -> ApiToken:
    """End a token for good. Revoking twice is a no-op."""
    if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now, revoked_by=by.label):
        token.revoked_at, token.revoked_by = now, by.label
    return token


def token_for(secret: str, *, now: datetime) -> ApiToken:
    """The live token with this secret, its user loaded.

    Raises UnauthorizedError when it is unknown, revoked or expired, or its user is disabled or left the session group.
    """
    token = ApiToken.objects.select_related("user").filter(digest=digest_of(secret), revoked_at=None).first()
    if token is None or (token.expires_at is not None and token.expires_at <= now) or not token.user.is_active:
        raise UnauthorizedError("The token is unknown, expired or revoked.")
    if Session(token.session) not in sessions_of(token.user):
        raise UnauthorizedError("The token's user no longer has this session type.")
    _mark_used(token, now)
    return token


def digest_of(secret: str) -> str:
    """What is stored of a token. It has 256 random bits, so a plain SHA-256 cannot be searched."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


def _mark_used(token: ApiToken, now: datetime) -> None:
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_EVERY)
    if token.last_used_at is None or token.last_used_at < now - LAST_USED_EVERY:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
