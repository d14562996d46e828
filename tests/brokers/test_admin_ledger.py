"""The ledger's pages: transactions by account, kind and day, and what it says of one account."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from brokers.admin.ledger import books_of
from brokers.models import LedgerEntry, LedgerTransaction, TradingAccount
from tests.propdesk.admin.rows import NOW, Firm, make_firm

LIST = "admin:brokers_ledgertransaction_changelist"


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm()


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def account(firm: Firm) -> TradingAccount:
    """An account that was paid 100,000 for, and twice 499 from."""
    account = TradingAccount.objects.create(connection=firm.connection, group=firm.demo, login=49_600_001)
    name = f"broker:{firm.connection.pk}:{account.login}"
    moves = [("deposit", name, "firm", 100_000), ("withdraw", "customer price", name, 499)]
    for number, (kind, to, source, amount) in enumerate([*moves, moves[1]], start=1):
        with transaction.atomic():
            written = LedgerTransaction.objects.create(operation_id=number, kind=kind, subject=f"test:{number}", at=NOW)
            for side, figure in ((to, amount), (source, -amount)):
                LedgerEntry.objects.create(transaction=written, account=side, currency="USD", amount=Decimal(figure))
    return account


def read(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def subjects(client: Client, **asked: str) -> list[str]:
    answer = client.get(reverse(LIST), asked)
    return [row.subject for row in answer.context["cl"].result_list]


def test_an_accounts_page_adds_up_what_was_paid_in_and_out(client: Client, account: TradingAccount) -> None:
    text = read(client, books_of(account))
    assert "What our ledger says of account 49600001" in text
    assert "<td>deposit</td><td>100,000.00 USD</td><td>1</td>" in text
    assert "<td>withdraw</td><td>-998.00 USD</td><td>2</td>" in text
    assert "<td>together</td><td>99,002.00 USD</td><td>3</td>" in text
    assert reverse("admin:brokers_tradingaccount_change", args=[account.pk]) in text


def test_the_sums_of_all_accounts_are_zero_together(client: Client, account: TradingAccount) -> None:
    text = read(client, reverse("admin:brokers_ledgertransaction_books"))
    assert "customer price</a></td><td>998.00 USD</td><td>2</td>" in text
    assert "firm</a></td><td>-100,000.00 USD</td><td>1</td>" in text
    assert "<td>all accounts at brokers</td><td>99,002.00 USD</td><td>3</td>" in text


@pytest.mark.parametrize("name", ["firm", "nobody", "broker:1:2", "broker:1", "broker:x:y", "broker:1:" + "9" * 30])
def test_any_name_can_be_asked_for(client: Client, account: TradingAccount, name: str) -> None:
    text = read(client, reverse("admin:brokers_ledgertransaction_books_of", args=[name]))
    assert ("Our ledger knows no money of this account." in text) == (name != "firm")


def test_transactions_are_found_by_account_other_side_kind_and_day(client: Client, account: TradingAccount) -> None:
    assert subjects(client, q="49600001") == ["test:3", "test:2", "test:1"]
    assert subjects(client, other_side="firm") == ["test:1"]
    assert subjects(client, other_side="staff movement") == []
    assert subjects(client, kind="withdraw") == ["test:3", "test:2"]
    assert subjects(client, at_from="2026-03-05") == []
    assert len(subjects(client, at_from="2026-03-04", at_to="2026-03-04")) == 3


def test_who_may_not_see_the_ledger_sees_no_sums(account: TradingAccount) -> None:
    client = Client()
    client.force_login(User.objects.create(username="other", is_staff=True))
    assert client.get(books_of(account)).status_code == 403
    assert client.get(reverse("admin:brokers_ledgertransaction_books")).status_code == 403
