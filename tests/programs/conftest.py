"""Two account groups, staff who may speak, and the seeds' documents."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from brokers.models import AccountGroup, AccountMode, BrokerConnection
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token
from propdesk.lib.actors import Actor
from propdesk.lib.times import utc_now
from tests.programs.calls import Mng

SEEDS = Path(__file__).resolve().parent.parent / "fixtures" / "seeds"


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 5, 7, 13, 20, tzinfo=UTC)


@pytest.fixture
def by() -> Actor:
    return Actor("anna", 1)


@pytest.fixture
def connection(db: None) -> BrokerConnection:
    return BrokerConnection.objects.create(name="broker", base_url="http://127.0.0.1:1", api_key="key")


@pytest.fixture
def demo_group(connection: BrokerConnection) -> AccountGroup:
    return make_group(connection, "PROP_DEMO_USD", AccountMode.DEMO)


@pytest.fixture
def real_group(connection: BrokerConnection) -> AccountGroup:
    return make_group(connection, "PROP_REAL_USD", AccountMode.REAL)


@pytest.fixture
def groups(demo_group: AccountGroup, real_group: AccountGroup) -> tuple[AccountGroup, AccountGroup]:
    """The two groups that the seeds name."""
    return demo_group, real_group


def make_group(connection: BrokerConnection, name: str, mode: AccountMode, **fields: Any) -> AccountGroup:
    values = {"currency": "USD", "default_deposit": Decimal(100_000), "broker_group": "1:X", "unit": 1, **fields}
    return AccountGroup.objects.create(connection=connection, name=name, mode=mode, **values)


def seed(name: str) -> Any:
    return json.loads((SEEDS / f"{name}.json").read_text())


@pytest.fixture
def secret(db: None) -> str:
    """A manager's token."""
    return secret_for(Session.MANAGER)


def secret_for(session: Session) -> str:
    user, _ = User.objects.get_or_create(username=f"a {session.group}")
    grant_session(user=user, session=session)
    return issue_token(user=user, session=session, name="test", by=Actor("test"), now=utc_now())[1]


@pytest.fixture
def mng(secret: str) -> Mng:
    """Commands over HTTP as a manager."""
    return Mng(APIClient(), secret)
