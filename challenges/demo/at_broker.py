"""What the demo does at its broker beside the ordinary account order: accounts by the hundred, figures set by hand."""

import json
import secrets
import urllib.request
from decimal import Decimal
from typing import Any

from brokers.client.base import Broker, NewAccount
from brokers.models import AccountGroup
from challenges.demo.firm import BrokerAddress


def create(broker: Broker, group: AccountGroup, *, marker: str, person: tuple[str, str]) -> int:
    """A disabled account; nobody ever knows its password. Returns its login."""
    return broker.create_account(
        NewAccount(
            unit=group.unit,
            group=group.broker_group,
            email=marker,
            first_name=person[0],
            last_name=person[1],
            currency=group.currency,
            password=f"Aa1!{secrets.token_urlsafe(16)}",
        )
    )


def set_balance(address: BrokerAddress, login: int, balance: Decimal) -> None:
    """Put a flat account's balance where its made-up history ended, through the simulator's control surface."""
    figures = {"balance": float(balance), "equity": float(balance), "positions": []}
    for body in (figures, {"frozen": False}):
        _post(address, f"/sim/accounts/{login}", body)


def enable_all(address: BrokerAddress, *, unit: int, logins: list[int]) -> None:
    """Enable many accounts in one call, as the seed's endpoint takes an array."""
    body = {"enable": True, "unit": unit, "accountNumbers": logins}
    _post(address, "/cportal/prop/demo/accounts/enable", body)


def _post(address: BrokerAddress, path: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(  # noqa: S310 (http only: the simulator on this machine)
        address.base_url + path,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {address.api_key}"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
        reply.read()
