"""A firm with something to find: groups, programs, a customer who has bought; and a token of every session."""

from datetime import datetime
from decimal import Decimal

from django.contrib.auth.models import User

from brokers.models import AccountMode, BrokerConnection, TradingAccount
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token
from propdesk.lib.actors import Actor
from purchases.models import PayerAccount
from tests.programs.conftest import make_group
from tests.purchases.rooms import make_customer, make_program

BY = Actor("fuzz")


def make_firm(*, now: datetime) -> dict[Session, str]:
    """The secret of a token for each session type."""
    # Nothing listens there: a broker that cannot be reached is an answer like any other.
    broker = BrokerConnection.objects.create(name="broker", base_url="http://127.0.0.1:1", api_key="key")
    demo = make_group(broker, "PROP_DEMO_USD", AccountMode.DEMO)
    real = make_group(broker, "PROP_REAL_USD", AccountMode.REAL)
    for number in range(3):
        make_program(first=demo, funded=real, price=Decimal(499 + number), now=now, name=f"Evaluation {number}")
    users = {session: User.objects.create(username=f"a {session.group}") for session in Session}
    customer = make_customer("ann@example.com", user=users[Session.CUSTOMER])
    account = TradingAccount.objects.create(connection=broker, group=real, login=7001, is_enabled=True)
    PayerAccount.objects.create(customer=customer, account=account)
    return {session: _token(user, session, now) for session, user in users.items()}


def _token(user: User, session: Session, now: datetime) -> str:
    grant_session(user=user, session=session)
    return issue_token(user=user, session=session, name="fuzz", by=BY, now=now)[1]
