"""The list of differences: a thousand of them stay quick to read, and many are acknowledged at once, with a reason."""

from collections.abc import Sequence

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from brokers.models import Difference, DifferenceEvent, TradingAccount, UnitReconciliation
from tests.propdesk.admin.rows import NOW, Firm, make_firm

LIST = "admin:brokers_difference_changelist"
ACKNOWLEDGE = "admin:brokers_difference_acknowledge"
Kind, Status = Difference.Kind, Difference.Status
LIST_QUERIES, UNIT_QUERIES = 6, 8


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm()


@pytest.fixture
def client(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


def differences(firm: Firm, count: int, kind: Difference.Kind = Kind.DISABLED, first: int = 1) -> list[Difference]:
    logins = range(49_000_000 + first, 49_000_000 + first + count)
    accounts = TradingAccount.objects.bulk_create(
        TradingAccount(connection=firm.connection, group=firm.demo, login=login) for login in logins
    )
    return Difference.objects.bulk_create(
        Difference(
            connection=firm.connection, unit=1, kind=kind, login=account.login, account=account, ours="enabled",
            theirs="disabled", cause="We last read it enabled.", first_seen_at=NOW, last_seen_at=NOW, updated_at=NOW,
        )
        for account in accounts
    )  # fmt: skip


def choose(client: Client, rows: Sequence[Difference], **more: object) -> HttpResponse:
    data = {"action": "acknowledge_chosen", "_selected_action": [row.pk for row in rows], **more}
    answer: HttpResponse = client.post(reverse(LIST), data)  # type: ignore[assignment]
    return answer


def confirm(client: Client, rows: Sequence[Difference], reason: str = "All of them moved.") -> HttpResponse:
    data = {"ids": ",".join(str(row.pk) for row in rows), "reason": reason}
    answer: HttpResponse = client.post(reverse(ACKNOWLEDGE), data)  # type: ignore[assignment]
    return answer


def told(answer: HttpResponse) -> str:
    """The last message: earlier ones wait for a page that shows them."""
    return str(list(get_messages(answer.wsgi_request))[-1])  # type: ignore[attr-defined]


@pytest.mark.parametrize("count", [1, 1000])
def test_the_list_takes_as_many_queries_for_a_thousand_as_for_one(
    client: Client, firm: Firm, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    differences(firm, count)
    client.get(reverse(LIST))  # content types are read once per process
    with django_assert_num_queries(LIST_QUERIES):
        page = client.get(reverse(LIST))
    assert page.status_code == 200


@pytest.mark.parametrize("count", [1, 1000])
def test_the_page_of_a_unit_takes_as_many_queries_for_a_thousand_as_for_one(
    client: Client, firm: Firm, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    differences(firm, count)
    unit = UnitReconciliation.objects.create(
        connection=firm.connection, unit=1, next_at=NOW, tried_at=NOW, compared_at=NOW, left_over=9900
    )
    url = reverse("admin:brokers_unitreconciliation_change", args=[unit.pk])
    client.get(url)
    with django_assert_num_queries(UNIT_QUERIES):
        text = client.get(url).content.decode()
    assert "9,900, for about 8 hours" in text
    assert ("50 of 1,000." in text) == (count == 1000)


def test_the_chosen_ones_are_named_before_they_are_acknowledged(client: Client, firm: Firm) -> None:
    rows = [*differences(firm, 3), *differences(firm, 1, Kind.MISSING_ACCOUNT, first=9)]
    text = choose(client, rows).content.decode()
    assert "Acknowledge 4 differences" in text
    times = "\N{MULTIPLICATION SIGN}"
    assert f"<li>3 {times} disabled, should be enabled</li><li>1 {times} account missing</li>" in text
    assert set(Difference.objects.values_list("status", flat=True)) == {Status.OPEN}

    answer = confirm(client, rows)
    assert answer.status_code == 302
    assert told(answer) == "4 differences are acknowledged."
    assert set(Difference.objects.values_list("status", flat=True)) == {Status.ACKNOWLEDGED}
    events = DifferenceEvent.objects.values_list("from_status", "to_status", "actor", "reason")
    assert list(events) == [(Status.OPEN, Status.ACKNOWLEDGED, "boss", "All of them moved.")] * 4
    assert LogEntry.objects.count() == 4


def test_all_pages_of_the_list_can_be_chosen(client: Client, firm: Firm) -> None:
    rows = differences(firm, 120)
    text = choose(client, rows[:50], select_across="1").content.decode()
    assert "Acknowledge 120 differences" in text


def test_a_thousand_are_acknowledged_in_a_few_statements(
    client: Client, firm: Firm, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rows = differences(firm, 1000)
    with django_assert_max_num_queries(20):
        assert told(confirm(client, rows)) == "1000 differences are acknowledged."


def test_what_is_gone_or_acknowledged_is_left_out_and_counted(client: Client, firm: Firm) -> None:
    gone, before, mending, open_one = differences(firm, 4)
    Difference.objects.filter(pk=gone.pk).update(status=Status.GONE, resolved_at=NOW)
    Difference.objects.filter(pk=before.pk).update(status=Status.ACKNOWLEDGED)
    Difference.objects.filter(pk=mending.pk).update(status=Status.MENDING)
    answer = confirm(client, [gone, before, mending, open_one])
    assert told(answer) == "2 differences are acknowledged. 2 were left out: gone, or acknowledged before."
    acknowledged = Difference.objects.filter(status=Status.ACKNOWLEDGED)
    assert set(acknowledged) == {before, mending, open_one}
    assert DifferenceEvent.objects.count() == 2
    assert told(confirm(client, [gone, gone])) == (
        "0 differences are acknowledged. 1 was left out: gone, or acknowledged before."
    )


def test_without_a_reason_nothing_is_acknowledged(client: Client, firm: Firm) -> None:
    rows = differences(firm, 2)
    answer = confirm(client, rows, reason=" ")
    assert answer.status_code == 200
    text = answer.content.decode()
    assert "This field is required." in text
    assert f'value="{rows[0].pk},{rows[1].pk}"' in text
    assert not DifferenceEvent.objects.exists()


@pytest.mark.parametrize("ids", ["", "1,x", "-1", "1" * 19, ",".join(["1"] * 5001)])
def test_senseless_choices_are_refused(client: Client, firm: Firm, ids: str) -> None:
    answer = client.post(reverse(ACKNOWLEDGE), {"ids": ids, "reason": "x"})
    assert answer.status_code == 302
    assert told(answer) == "Choose in the list which differences to acknowledge."  # type: ignore[arg-type]


def test_who_may_only_look_cannot_acknowledge(firm: Firm) -> None:
    rows = differences(firm, 1)
    viewer = User.objects.create(username="viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_difference"))
    client = Client()
    client.force_login(viewer)
    assert b"acknowledge_chosen" not in client.get(reverse(LIST)).content
    choose(client, rows)
    assert confirm(client, rows).status_code == 403
    assert client.get(reverse(ACKNOWLEDGE)).status_code == 405
    assert not DifferenceEvent.objects.exists()
