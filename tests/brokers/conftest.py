"""Staff in front of the broker pages."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client


@pytest.fixture
def boss(db: None) -> Client:
    """Signed in with every right."""
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def viewer(db: None) -> Client:
    """Signed in with the right to see everything of the brokers, and to change nothing."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="brokers", codename__startswith="view_")
    )
    client = Client()
    client.force_login(user)
    return client
