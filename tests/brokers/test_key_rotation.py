"""`manage.py rotate_keys`: every stored key is encrypted again with the first key of FIELD_KEYS."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from brokers.models import BrokerConnection

pytestmark = pytest.mark.django_db
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def stored(settings: Settings) -> list[BrokerConnection]:
    """Two connections with a key each, encrypted with the old key."""
    settings.FIELD_KEYS = [OLD]
    return [
        BrokerConnection.objects.create(name=name, base_url="http://127.0.0.1:1", api_key=f"key of {name}")
        for name in ("one", "two")
    ]


def tokens() -> list[bytes]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT api_key FROM brokers_brokerconnection ORDER BY name")
        return [token.encode() for (token,) in cursor.fetchall()]


def test_after_a_rotation_the_old_key_is_not_needed(settings: Settings, stored: list[BrokerConnection]):
    settings.FIELD_KEYS = [NEW, OLD]
    said = StringIO()
    call_command("rotate_keys", stdout=said)
    assert said.getvalue() == "brokers.BrokerConnection.api_key: 2 encrypted with the first key\n"
    assert [Fernet(NEW).decrypt(token) for token in tokens()] == [b"key of one", b"key of two"]
    settings.FIELD_KEYS = [NEW]
    assert [row.api_key for row in BrokerConnection.objects.all()] == ["key of one", "key of two"]


def test_nothing_else_of_the_row_is_touched(settings: Settings, stored: list[BrokerConnection]):
    before = BrokerConnection.objects.get(name="one").updated_at
    settings.FIELD_KEYS = [NEW, OLD]
    call_command("rotate_keys", stdout=StringIO())
    assert BrokerConnection.objects.get(name="one").updated_at == before


def test_a_key_that_nothing_can_read_stops_it_and_nothing_is_changed(
    settings: Settings, stored: list[BrokerConnection]
):
    before = tokens()
    settings.FIELD_KEYS = [NEW]
    with pytest.raises(InvalidToken):
        call_command("rotate_keys", stdout=StringIO())
    assert tokens() == before
