from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User

from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token, revoke_token, token_for
from propdesk.lib.actors import Actor
from propdesk.lib.mng.errors import PermissionDeniedError, UnauthorizedError

NOW = datetime(2026, 5, 7, 12, 0, tzinfo=UTC)
BY = Actor("root")

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    user = User.objects.create_user("dora")
    grant_session(user=user, session=Session.DEALER)
    return user


def issue(user: User, **options: timedelta) -> tuple[ApiToken, str]:
    return issue_token(user=user, session=Session.DEALER, name="desk", by=BY, now=NOW, **options)


def test_every_session_type_has_its_group() -> None:
    names = set(Group.objects.values_list("name", flat=True))

    assert names >= {"manager", "dealer", "admin", "customer", "crm_manager", "crm_admin"}


def test_a_token_is_found_by_its_secret_which_is_not_stored(user: User) -> None:
    token, secret = issue(user)

    assert token_for(secret, now=NOW) == token
    assert (token.prefix, token.issued_by, token.expires_at) == (secret[:12], "root", None)
    stored = ApiToken.objects.values().get()
    assert secret not in map(str, stored.values())


def test_a_user_outside_the_group_gets_no_token(user: User) -> None:
    with pytest.raises(PermissionDeniedError, match="SESSION_ADMIN"):
        issue_token(user=user, session=Session.ADMIN, name="", by=BY, now=NOW)

    assert not ApiToken.objects.exists()


def test_a_token_works_until_the_second_it_expires(user: User) -> None:
    _, secret = issue(user, lifetime=timedelta(hours=12))

    token_for(secret, now=NOW + timedelta(hours=12, seconds=-1))
    with pytest.raises(UnauthorizedError):
        token_for(secret, now=NOW + timedelta(hours=12))


def test_a_revoked_token_is_refused_and_keeps_who_revoked_it_first(user: User) -> None:
    token, secret = issue(user)
    revoke_token(token=token, by=Actor("first"), now=NOW)
    revoke_token(token=token, by=Actor("second"), now=NOW + timedelta(days=1))

    with pytest.raises(UnauthorizedError):
        token_for(secret, now=NOW)
    token.refresh_from_db()
    assert (token.revoked_by, token.revoked_at) == ("first", NOW)


def test_a_disabled_users_token_is_refused(user: User) -> None:
    _, secret = issue(user)
    User.objects.update(is_active=False)

    with pytest.raises(UnauthorizedError):
        token_for(secret, now=NOW)


def test_a_user_who_left_the_group_is_refused(user: User) -> None:
    _, secret = issue(user)
    user.groups.clear()

    with pytest.raises(UnauthorizedError, match="session type"):
        token_for(secret, now=NOW)


@pytest.mark.parametrize("secret", ["", "pd_", "x" * 10_000, "\udcff", "\x00"])
def test_any_other_text_is_refused(secret: str) -> None:
    with pytest.raises(UnauthorizedError):
        token_for(secret, now=NOW)


def test_last_use_is_noted_at_most_once_a_minute(user: User) -> None:
    token, secret = issue(user)

    uses = []
    for seconds in (0, 59, 61):
        token_for(secret, now=NOW + timedelta(seconds=seconds))
        token.refresh_from_db()
        uses.append(token.last_used_at)

    assert uses == [NOW, NOW, NOW + timedelta(seconds=61)]
