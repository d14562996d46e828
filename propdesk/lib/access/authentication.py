"""`Authorization: Bearer TOKEN`, or the bare token: the documentation of the original API shows both."""

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from propdesk.lib.access.limits import admit
from propdesk.lib.access.models import ApiToken
from propdesk.lib.mng.errors import UnauthorizedError
from propdesk.lib.times import utc_now


def secret_in(header: str) -> str | None:
    """The secret in an Authorization header, None without one. Raises UnauthorizedError for another scheme."""
    match header.split():
        case []:
            return None
        case [secret]:
            return secret
        case [scheme, secret] if scheme.lower() == "bearer":
            return secret
    raise UnauthorizedError("Authorization: give `Bearer TOKEN`, or the token alone.")


class TokenAuthentication(BaseAuthentication):
    """Sets `request.user`, and `request.auth` to the `ApiToken`, whose `session` says what the bearer may do."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        secret = secret_in(request.META.get("HTTP_AUTHORIZATION", ""))
        if secret is None:
            return None
        token = admit(secret=secret, now=utc_now())
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
