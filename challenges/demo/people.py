"""Who can sign in to the demo: an administrator, one person per session type, and customers."""

import secrets
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User

from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import STAFF_SESSIONS, Session
from propdesk.lib.access.tokens import grant_session, issue_token, revoke_token, token_for
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import UnauthorizedError
from purchases.models import Customer

TOKEN_NAME = "demo"  # noqa: S105 (the name of the token, not the token)


def ensure_admin(previous: dict[str, Any]) -> dict[str, str]:
    """The administrator, with the password of the last start if it still opens the door, else a new one."""
    user, _ = User.objects.get_or_create(username="admin", defaults={"is_staff": True, "is_superuser": True})
    password = previous.get("admin", {}).get("password", "")
    if not password or not user.check_password(password):
        password = secrets.token_urlsafe(12)
        user.set_password(password)
        user.save(update_fields=["password"])
    # So that the name and the password also open the API.
    grant_session(user=user, session=Session.ADMIN)
    return {"username": "admin", "password": password}


def ensure_staff_tokens(previous: dict[str, Any], *, by: Actor, now: datetime) -> dict[str, str]:
    """One user and one token for each staff session, by documented session name."""
    tokens = {}
    for session in sorted(STAFF_SESSIONS):
        user = _user_in_group(f"demo_{session.group}", session, is_staff=True)
        tokens[session.documented] = _token(user, session, previous.get("tokens", {}), by=by, now=now)
    return tokens


def ensure_customer(number: int) -> Customer:
    """Demo customer 1, 2, ... with a login of its own."""
    first_name, last_name = [("Casey", "Carter"), ("Robin", "Reyes")][number - 1]
    user = _user_in_group(f"customer{number}", Session.CUSTOMER, is_staff=False)
    customer, _ = Customer.objects.get_or_create(
        brand="default",
        email=f"{first_name.lower()}@example.com",
        defaults={"user": user, "first_name": first_name, "last_name": last_name},
    )
    return customer


def customer_token(customer: Customer, previous: dict[str, str], *, by: Actor, now: datetime) -> str:
    """The customer's token: that of the last start if it is still good."""
    if customer.user is None:
        raise ValueError(f"Customer {customer.pk} has no login.")
    return _token(customer.user, Session.CUSTOMER, previous, by=by, now=now)


def _user_in_group(username: str, session: Session, *, is_staff: bool) -> User:
    user, created = User.objects.get_or_create(username=username, defaults={"is_staff": is_staff})
    if created:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    grant_session(user=user, session=session)
    return user


def _token(user: User, session: Session, previous: dict[str, str], *, by: Actor, now: datetime) -> str:
    """The token of the last start if it is still this user's, else a new one in place of the old one."""
    known = previous.get(session.documented, "")
    if known and _opens(known, user, session, now):
        return known
    for old in ApiToken.objects.filter(user=user, name=TOKEN_NAME, revoked_at=None):
        revoke_token(token=old, by=by, now=now)
    _, secret = issue_token(user=user, session=session, name=TOKEN_NAME, by=by, now=now)
    return secret


def _opens(secret: str, user: User, session: Session, now: datetime) -> bool:
    try:
        token = token_for(secret, now=now)
    except UnauthorizedError:
        return False
    return token.user_id == user.pk and token.session == session
