"""Tokens are issued and revoked in the admin; a secret is shown once."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import digest_of, grant_session

pytestmark = pytest.mark.django_db
ADD = "/admin/access/apitoken/add/"


@pytest.fixture
def boss() -> User:
    return User.objects.create_superuser("boss")


@pytest.fixture
def client(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


def test_the_secret_of_a_new_token_is_shown_once_and_kept_nowhere(client: Client, boss: User) -> None:
    grant_session(user=boss, session=Session.MANAGER)
    response = client.post(ADD, {"user": boss.pk, "session": Session.MANAGER.value, "name": "CRM sync", "days": "30"})
    secret = response.context["secret"]
    assert secret.startswith("pd_")
    assert secret in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    token = ApiToken.objects.get()
    assert token.digest == digest_of(secret)
    assert token.expires_at is not None
    assert (token.expires_at - token.created_at).days == 30
    page = client.get(reverse("admin:access_apitoken_change", args=[token.pk])).content.decode()
    assert secret not in page
    assert token.prefix in page


def test_a_token_needs_the_group_of_its_session(client: Client, boss: User) -> None:
    response = client.post(ADD, {"user": boss.pk, "session": Session.DEALER.value, "name": "no", "days": ""})
    assert "boss is not in the group dealer. Add them to it first." in response.content.decode()
    assert not ApiToken.objects.exists()


def test_revoking_ends_a_token_and_its_button(client: Client, boss: User) -> None:
    grant_session(user=boss, session=Session.MANAGER)
    client.post(ADD, {"user": boss.pk, "session": Session.MANAGER.value, "name": "CRM sync", "days": ""})
    token = ApiToken.objects.get()
    url = reverse("admin:access_apitoken_button", args=[token.pk, "revoke"])
    assert url in client.get(reverse("admin:access_apitoken_change", args=[token.pk])).content.decode()
    assert client.post(url, {"reason": "Leaked."}).status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert token.revoked_by == "boss"
    assert url not in client.get(reverse("admin:access_apitoken_change", args=[token.pk])).content.decode()
