"""What of an account group may be changed, and from when on it may not."""

import pytest
from django.test import Client
from django.urls import reverse

from brokers.models import AccountGroup, TradingAccount
from tests.brokers.pages import page_of
from tests.propdesk.admin.rows import Firm, make_firm, sell


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm()


def fields_of(client: Client, url: str) -> set[str]:
    """What the form lets one write."""
    return set(client.get(url).context["adminform"].form.fields)


def test_a_group_that_terms_may_name_keeps_its_name(boss: Client, firm: Firm) -> None:
    """Also before anything was ordered in it: the next phase of a running challenge finds it by its name."""
    fields = fields_of(boss, page_of(firm.real))
    assert "name" not in fields
    assert {"currency", "mode", "unit", "default_deposit", "is_enabled"} <= fields
    assert b"PROP_REAL_USD" in boss.get(page_of(firm.real)).content


def test_after_the_first_order_only_the_rest_may_change(boss: Client, firm: Firm) -> None:
    sell(firm, 1)
    assert fields_of(boss, page_of(firm.demo)) == {"broker_group", "default_deposit", "is_enabled"}


def test_a_group_that_customers_pay_from_is_fixed_without_any_order(boss: Client, firm: Firm) -> None:
    TradingAccount.objects.create(connection=firm.connection, group=firm.real, login=500_001)
    assert not firm.real.orders.exists()
    assert fields_of(boss, page_of(firm.real)) == {"broker_group", "default_deposit", "is_enabled"}
    values = {
        "connection": firm.connection.pk, "mode": 0, "currency": "EUR", "unit": "7", "default_deposit": "100000",
        "broker_group": firm.real.broker_group, "is_enabled": "on",
    }  # fmt: skip
    assert boss.post(page_of(firm.real), values).status_code == 302
    group = AccountGroup.objects.get(pk=firm.real.pk)
    assert (group.mode, group.currency, group.unit, group.is_enabled) == (1, "USD", 2, True)


def test_a_name_that_is_posted_all_the_same_is_left_out(boss: Client, firm: Firm) -> None:
    values = {
        "name": "RENAMED", "connection": firm.connection.pk, "mode": 1, "currency": "USD", "unit": "2",
        "default_deposit": "100000", "broker_group": "49295662:ThinkTrader_Proptec",
    }  # fmt: skip
    assert boss.post(page_of(firm.real), values).status_code == 302
    group = AccountGroup.objects.get(pk=firm.real.pk)
    assert (group.name, group.is_enabled) == ("PROP_REAL_USD", False)


def test_a_new_group_gets_its_name(boss: Client, firm: Firm) -> None:
    assert "name" in fields_of(boss, reverse("admin:brokers_accountgroup_add"))
