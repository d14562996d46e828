"""Addresses of the broker pages, and what staff read on them."""

import html
import re
from typing import Any

from django.db.models import Model
from django.test import Client
from django.urls import reverse

from brokers.models import BrokerOperation, TradingAccount


def page_of(row: Model) -> str:
    return reverse(f"admin:brokers_{row._meta.model_name}_change", args=[row.pk])


def button_of(row: Model, name: str) -> str:
    return reverse(f"admin:brokers_{row._meta.model_name}_button", args=[row.pk, name])


def read(client: Client, url: str) -> str:
    """The page's words, one space between them."""
    content = client.get(url).content.decode()
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", content)).split())


def token_of(client: Client, url: str) -> str:
    """The token of a confirmation page, another one each time it is shown."""
    return str(client.get(url).context["form"]["token"].value())


def press(client: Client, url: str, reason: str = "Asked by the trader.", token: str = "") -> Any:
    """Confirm it, and follow to the page behind it."""
    return client.post(url, {"reason": reason, "token": token or token_of(client, url)}, follow=True)


def told(response: Any) -> list[str]:
    """What staff are told at the top of the page."""
    return [str(message) for message in response.context["messages"]]


def operations_of(account: TradingAccount) -> list[tuple[str, int]]:
    return list(BrokerOperation.objects.filter(account=account).order_by("id").values_list("kind", "status"))
