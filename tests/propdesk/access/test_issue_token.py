import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, token_for
from propdesk.lib.times import utc_now

pytestmark = pytest.mark.django_db


def test_it_prints_a_token_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    user = User.objects.create_user("sync")
    grant_session(user=user, session=Session.CRM_ADMIN)

    call_command("issue_token", "sync", "SESSION_CRM_ADMIN", "--name", "CRM sync")

    token = token_for(capsys.readouterr().out.strip(), now=utc_now())
    assert (token.user, token.session, token.name, token.expires_at) == (user, Session.CRM_ADMIN, "CRM sync", None)


@pytest.mark.parametrize(("username", "reason"), [("nobody", "no user 'nobody'"), ("sync", "Django group")])
def test_it_says_why_not(username: str, reason: str) -> None:
    User.objects.create_user("sync")

    with pytest.raises(CommandError, match=reason):
        call_command("issue_token", username, "SESSION_ADMIN")

    assert not ApiToken.objects.exists()
