"""Every page opens, reads as many rows as it likes with the same number of queries, and respects permissions."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from brokers.models import AccountMode, BrokerConnection
from challenges.models import Breach, Challenge
from programs.models import DeletionRecord, Program
from propdesk.lib.access.models import ApiToken
from propdesk.lib.access.sessions import Session
from propdesk.lib.access.tokens import grant_session, issue_token
from propdesk.lib.actors import Actor
from propdesk.lib.processes.models import InvariantViolation, ProcessHeartbeat
from tests.propdesk.admin.rows import NOW, make_difference, make_firm, make_group, make_program, sell

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


def list_url(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page_url(row: Model | None) -> str:
    assert row is not None
    return _url_of(row)


def _url_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


@pytest.fixture
def boss(db) -> User:
    return User.objects.create_superuser("boss", "boss@example.com", "secret")


@pytest.fixture
def client(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


def fill(firm, boss: User, numbers: range) -> None:
    """Rows in every table of the admin."""
    for number in numbers:
        sold = sell(firm, number, failed=number % 3 == 0)
        make_difference(sold.enrollment.account, number)
        make_group(firm.connection, f"GROUP_{number}", mode=AccountMode.DEMO, unit=number + 10)
        make_program(f"Program {number}", firm.demo, firm.real)
        BrokerConnection.objects.create(name=f"Broker {number}", base_url="http://127.0.0.1:8100", api_key="x")
        user = User.objects.create_user(f"user {number}")
        grant_session(user=user, session=Session.MANAGER)
        issue_token(user=user, session=Session.MANAGER, name="test", by=Actor("boss"), now=NOW)
        ProcessHeartbeat.objects.create(name=f"worker {number}", pid=number + 1, beat_at=NOW)
        InvariantViolation.objects.create(invariant="I1", row_id=number, detail="two accounts", found_at=NOW)
        DeletionRecord.objects.create(
            program_id=number + 900, program_name="Old", counters={"phases": 2}, removed={}, actor="boss", at=NOW
        )


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get(url)
    assert response.status_code == 200, url
    return len(captured)


def test_lists_take_the_same_queries_for_three_rows_and_for_thirty(client: Client, boss: User) -> None:
    firm = make_firm()
    fill(firm, boss, range(1, 4))
    queries_of(client, list_url(Program))  # content types and the session are read once
    few = {model: queries_of(client, list_url(model)) for model in MODELS}
    fill(firm, boss, range(4, 31))
    many = {model: queries_of(client, list_url(model)) for model in MODELS}
    assert many == few
    assert max(many.values()) <= 12


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_page_opens(client: Client, boss: User, model: type[Model]) -> None:
    firm = make_firm()
    fill(firm, boss, range(1, 4))
    row = model._default_manager.first()
    assert row is not None, f"the test firm has no {model._meta.label}"
    response = client.get(page_url(row))
    assert response.status_code == 200
    assert client.get(f"{page_url(row)[: -len('change/')]}history/").status_code == 200


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_opens_empty_and_searches(client: Client, model: type[Model]) -> None:
    assert client.get(list_url(model)).status_code == 200
    assert client.get(f"{list_url(model)}?q=123456").status_code == 200


def test_the_front_page_opens_with_a_fixed_number_of_queries(client: Client, boss: User) -> None:
    firm = make_firm()
    fill(firm, boss, range(1, 4))
    few = queries_of(client, reverse("admin:index"))
    fill(firm, boss, range(4, 13))
    assert queries_of(client, reverse("admin:index")) == few


def test_a_challenge_page_takes_the_same_queries_with_one_breach_and_with_ten(client: Client) -> None:
    firm = make_firm()
    sold = sell(firm, 1, failed=True)
    one = queries_of(client, page_url(sold.challenge))
    breach = sold.breach
    assert breach is not None
    for day in range(1, 10):
        breach.pk, breach.trading_day = Breach().pk, NOW.date().replace(day=10 + day)
        breach.save(force_insert=True)
    assert Breach.objects.count() == 10
    assert queries_of(client, page_url(sold.challenge)) == one


def test_a_program_page_takes_the_same_queries_with_two_phases_and_with_ten(client: Client) -> None:
    firm = make_firm()
    two = queries_of(client, page_url(firm.program))
    step = {"phase_type": 0, "name": "Evaluation", "account_group": firm.demo.name}
    steps = [{**step, "phase_index": index} for index in range(1, 11)]
    ten = make_program("Ten steps", firm.demo, firm.real, steps=steps)
    assert ten.phases_count == 10
    assert queries_of(client, page_url(ten)) == two


def test_the_challenge_page_names_levels_and_what_is_left(client: Client) -> None:
    sold = sell(make_firm(), 0)
    page = client.get(page_url(sold.challenge)).content.decode()
    assert "95,000.00" in page  # the daily loss level
    assert "90,000.00" in page  # the total loss level
    assert "11,250.00" in page  # what is left to the total loss level
    assert "108,000.00" in page  # the profit target


def test_the_breach_page_shows_the_evidence(client: Client) -> None:
    sold = sell(make_firm(), 3, failed=True)
    page = client.get(page_url(sold.breach)).content.decode()
    assert "Equity 94,999.99 is below 95,000.00 = 100,000.00 - 5 % of 100,000.00." in page
    assert "The reading before was 3 s earlier, with equity 95,020.00." in page
    assert "0.01" in page


def test_the_key_of_a_connection_is_on_no_page(client: Client) -> None:
    firm = make_firm()
    assert "not shown anywhere" not in client.get(page_url(firm.connection)).content.decode()
    assert "not shown anywhere" not in client.get(list_url(BrokerConnection)).content.decode()


def test_staff_with_view_rights_see_but_cannot_change(boss: User) -> None:
    sold = sell(make_firm(), 1)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(
        Permission.objects.filter(codename__in=["view_challenge", "view_program", "view_phase"])
    )
    client = Client()
    client.force_login(viewer)
    program = sold.challenge.program
    assert client.get(page_url(sold.challenge)).status_code == 200
    assert client.get(page_url(program)).status_code == 200
    assert client.get(list_url(Challenge)).status_code == 200
    assert client.get(list_url(ApiToken)).status_code == 403
    url = reverse("admin:programs_program_button", args=[program.pk, "disable"])
    assert client.get(url).status_code == 403
    assert client.post(url, {"reason": "no"}).status_code == 403
    program.refresh_from_db()
    assert program.status == Program.Status.ACTIVE


def test_the_sidebar_offers_only_what_may_be_seen(boss: User) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename="view_challenge"))
    client = Client()
    client.force_login(viewer)
    page = client.get(reverse("admin:index")).content.decode()
    assert list_url(Challenge) in page
    assert list_url(Program) not in page
    assert list_url(ApiToken) not in page


def test_a_record_that_is_not_there_is_said_so(client: Client) -> None:
    response = client.get(reverse("admin:challenges_challenge_change", args=[999]), follow=True)
    assert response.status_code == 200
    assert "exist. Perhaps it was deleted?" in response.content.decode()


def test_a_date_range_includes_both_of_its_days(client: Client) -> None:
    sell(make_firm(), 1)  # its challenge started on 1 March at noon, three days before NOW

    def found(first: str, last: str) -> int:
        url = f"{list_url(Challenge)}?started_at_from={first}&started_at_to={last}"
        return client.get(url).context["cl"].result_count

    assert found("2026-03-01", "2026-03-01") == 1
    assert found("2026-03-02", "2026-03-09") == 0
    assert found("2026-02-01", "2026-02-28") == 0
    assert found("yesterday", "") == 1  # what is no date filters nothing
