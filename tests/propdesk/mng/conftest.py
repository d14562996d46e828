"""A gateway for the tests of one module, and staff and groups that every connection to the database sees."""

from collections.abc import Iterator

import pytest

from brokers.models import AccountMode, BrokerConnection
from propdesk.lib.access.sessions import Session
from tests.programs.conftest import make_group, secret_for
from tests.propdesk.mng.gateway import Client, Gateway, running_gateway


@pytest.fixture(scope="module")
def gateway(django_db_setup: None) -> Iterator[Gateway]:
    with running_gateway() as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[Client]:
    with gateway.connect() as client:
        yield client


@pytest.fixture
def secret(transactional_db: None) -> str:
    """A manager's token."""
    return secret_for(Session.MANAGER)


@pytest.fixture
def groups(transactional_db: None) -> None:
    make_seed_groups()


def make_seed_groups() -> None:
    """The two groups that the seeds name."""
    broker = BrokerConnection.objects.create(name="broker", base_url="http://127.0.0.1:1", api_key="key")
    make_group(broker, "PROP_DEMO_USD", AccountMode.DEMO)
    make_group(broker, "PROP_REAL_USD", AccountMode.REAL)
