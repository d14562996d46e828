"""How we stand with each broker, in the list and on its page; and ids that are names, not figures."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from brokers.models import (
    AccountGroup,
    BrokerConnection,
    BrokerOperation,
    Difference,
    TradingAccount,
    UnitReconciliation,
)
from challenges.models import Challenge, UnitWatch
from purchases.models import Purchase
from tests.brokers.pages import page_of, read
from tests.propdesk.admin.rows import NOW, Firm, make_difference, make_firm, sell

Status = BrokerOperation.Status


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm()


def list_of_connections() -> str:
    return reverse("admin:brokers_brokerconnection_changelist")


def test_a_broker_that_answers_and_was_read(boss: Client, firm: Firm) -> None:
    page = read(boss, page_of(firm.connection))
    assert "Breaker closed" in page
    assert "Operations in doubt 0 Operations in review 0" in page
    assert "Last successful reading 2026-03-04 12:00:00 UTC" in page
    assert "Open since" not in page


def test_the_latest_reading_counts_whoever_made_it(boss: Client, firm: Firm) -> None:
    later = NOW + timedelta(seconds=90)
    UnitReconciliation.objects.create(connection=firm.connection, unit=1, next_at=NOW, compared_at=later)
    UnitReconciliation.objects.create(connection=firm.connection, unit=2, next_at=NOW, compared_at=None)
    assert "2026-03-04 12:01:30 UTC" in read(boss, list_of_connections())
    UnitWatch.objects.all().delete()
    assert "Last successful reading 2026-03-04 12:01:30 UTC" in read(boss, page_of(firm.connection))
    UnitReconciliation.objects.all().delete()
    assert "Last successful reading not read yet" in read(boss, page_of(firm.connection))


def test_a_broker_that_is_left_alone_says_since_when_and_why(boss: Client, firm: Firm) -> None:
    reason = "10 calls in a row were not answered."
    BrokerConnection.objects.update(breaker_opened_at=NOW, breaker_reason=reason)
    page = read(boss, page_of(firm.connection))
    assert f"Breaker open Open since 2026-03-04 12:00:00 UTC Because {reason}" in page
    assert "open since 2026-03-04 12:00 UTC" in read(boss, list_of_connections())


def test_what_is_in_doubt_and_in_review_is_counted_and_linked(boss: Client, firm: Firm) -> None:
    doubtful = [sell(firm, number).operation.pk for number in (1, 2, 3)]
    BrokerOperation.objects.filter(pk__in=doubtful[:2]).update(status=Status.IN_DOUBT)
    BrokerOperation.objects.filter(pk=doubtful[2]).update(status=Status.NEEDS_REVIEW, review_reason="Look.")
    other = BrokerConnection.objects.create(name="Another", base_url="http://127.0.0.1:8100", api_key="x")
    connections = boss.get(list_of_connections()).context["cl"].result_list
    totals = {row.name: (row.in_doubt_total, row.in_review_total) for row in connections}
    assert totals == {"ThinkMarkets": (2, 1), "Another": (0, 0)}
    assert "Operations in doubt 2 Operations in review 1" in read(boss, page_of(firm.connection))
    behind = f"?connection__id__exact={firm.connection.pk}&status__exact={int(Status.IN_DOUBT)}"
    operations = reverse("admin:brokers_brokeroperation_changelist")
    for url in (list_of_connections(), page_of(firm.connection)):
        assert f'{operations}{behind}"'.replace("&", "&amp;") in boss.get(url).content.decode()
    assert boss.get(operations + behind).context["cl"].result_count == 2
    assert "Operations in doubt 0" in read(boss, page_of(other))


UNIT, LOGIN, POSITION = 49_490_520, 7_654_321, 8_765_432


def pages_of(model: type[Model]) -> list[str]:
    """The address of its list, and those of the first rows."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    rows = model._default_manager.all()[:2]
    return [reverse(f"{name}_changelist"), *(reverse(f"{name}_change", args=[row.pk]) for row in rows)]


def test_numbers_that_are_names_carry_no_separators_on_any_page(boss: Client, firm: Firm) -> None:
    sold = sell(firm, 1, failed=True)
    make_difference(sold.enrollment.account, 1)
    AccountGroup.objects.update(unit=UNIT)
    UnitWatch.objects.update(unit=UNIT)
    UnitReconciliation.objects.update(unit=UNIT)
    TradingAccount.objects.filter(enrollment=sold.enrollment).update(login=LOGIN)
    Challenge.objects.update(account_login=LOGIN)
    Purchase.objects.update(account_login=LOGIN)
    Difference.objects.update(unit=UNIT, login=LOGIN)
    BrokerOperation.objects.update(position_id=POSITION)
    for url in [url for model in admin.site._registry for url in pages_of(model)]:
        page = boss.get(url).content.decode()
        assert not [number for number in (UNIT, LOGIN, POSITION) if f"{number:,}" in page], url
    assert str(UNIT) in read(boss, page_of(firm.demo))
