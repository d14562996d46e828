"""Programs are saved as one aggregate; a refusal stands at its field and writes nothing."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from programs.models import DeletionRecord, Program, ProgramEvent, ProgramVersion
from programs.services import save_program
from propdesk.lib.times import utc_now
from tests.propdesk.admin.program_forms import ADD, change_url, phase_data, posted, save, two_phases
from tests.propdesk.admin.rows import STAFF, Firm, make_firm, make_program, sell

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(db) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def firm(db) -> Firm:
    return make_firm()


def test_a_program_with_two_phases_is_created_in_one_save(client: Client, firm: Firm) -> None:
    assert save(client, ADD, posted(*two_phases(firm))).status_code == 302
    program = Program.objects.get(name="Two steps")
    assert (program.price, program.phases_count, program.demo_group) == (Decimal(499), 2, "PROP_DEMO_USD")
    assert list(program.phases.values_list("phase_index", "name", "profit_split")) == [
        (1, "Evaluation", Decimal(0)),
        (2, "Funded", Decimal("0.8")),
    ]
    version = program.versions.get()
    assert (version.number, version.author) == (1, "boss")
    assert ProgramEvent.objects.filter(subject_id=program.pk, actor="boss").count() == 1


def test_dragging_sets_the_order_and_indexes_count_from_one(client: Client, firm: Firm) -> None:
    first = phase_data(firm.demo.pk, name="Was first", place=7)
    second = phase_data(firm.demo.pk, name="Now first", place=0)
    added = phase_data(firm.demo.pk, name="Added last", place="")
    save(client, ADD, posted(first, second, added))
    program = Program.objects.get(name="Two steps")
    names = list(program.phases.values_list("phase_index", "name"))
    assert names == [(1, "Now first"), (2, "Was first"), (3, "Added last")]


def test_a_removed_phase_is_gone_and_the_rest_is_renumbered(client: Client, firm: Firm) -> None:
    first, second = two_phases(firm)
    program = firm.program
    data = posted({**first, "DELETE": "on"}, phase_data(firm.demo.pk, name="Stays"), second, initial=2)
    assert save(client, change_url(program), {**data, "read_version": program.version}).status_code == 302
    assert list(program.phases.values_list("phase_index", "name")) == [(1, "Stays"), (2, "Funded")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"price": "0"}, "Must be above 0 and at most 1000000000."),
        ({"price": "499.001"}, "USD has 2 decimals."),
        ({"day_reset_timezone": "Mars/Base"}, "Mars/Base"),
        ({"price_currency": "EUR"}, "PROP_DEMO_USD is in USD, the program in EUR."),
        ({"phases-0-account_group": "REAL"}, "An evaluation step needs a DEMO group; PROP_REAL_USD is REAL."),
        ({"phases-0-profit_split": "0.5"}, "Only a funded step has a profit split."),
        ({"phases-0-phase_type": "1", "phases-0-account_group": "REAL"}, "The funded step must be the last one."),
        ({"phases-0-max_daily_loss_pct": "101"}, "Must be between 0 and 100."),
    ],
)
def test_a_refusal_stands_on_the_page_and_nothing_is_written(
    client: Client, firm: Firm, changes: dict[str, str], message: str
) -> None:
    phases = two_phases(firm) if "phases-0-phase_type" not in changes else (two_phases(firm)[1], two_phases(firm)[0])
    data = posted(*phases)
    data.update({name: firm.real.pk if value == "REAL" else value for name, value in changes.items()})
    response = client.post(ADD, data)
    assert response.status_code == 200
    assert message in response.content.decode().replace("&#x27;", "'")
    assert Program.objects.filter(name="Two steps").count() == 0
    assert ProgramVersion.objects.count() == 1


def test_the_refusal_of_a_phase_stands_at_the_field_of_that_phase(client: Client, firm: Firm) -> None:
    first, second = two_phases(firm)
    second["account_group"] = firm.demo.pk
    response = client.post(ADD, posted(first, second))
    formset = response.context["inline_admin_formsets"][0].formset
    assert formset.forms[0].errors == {}
    assert formset.forms[1].errors == {"account_group": ["A funded step needs a REAL group; PROP_DEMO_USD is DEMO."]}


def test_a_program_without_phases_is_refused(client: Client, firm: Firm) -> None:
    response = client.post(ADD, posted())
    assert response.status_code == 200
    assert Program.objects.filter(name="Two steps").count() == 0


def test_a_stale_save_is_refused_and_changes_nothing(client: Client, firm: Firm) -> None:
    program = firm.program
    read = program.version
    save_program(data={"name": "Renamed"}, by=STAFF, now=utc_now(), program_id=program.pk)
    response = client.post(change_url(program), {**posted(*two_phases(firm), initial=2), "read_version": read})
    assert response.status_code == 200
    assert "Somebody else saved this program after you opened it." in response.content.decode()
    program.refresh_from_db()
    assert (program.name, program.version) == ("Renamed", read + 1)


def test_an_edit_writes_a_new_version_and_leaves_the_bought_one(client: Client, firm: Firm) -> None:
    bought = sell(firm, 1).purchase
    program = firm.program
    data = posted(*two_phases(firm), initial=2, name="Cheaper", price="399")
    assert save(client, change_url(program), {**data, "read_version": program.version}).status_code == 302
    bought.refresh_from_db()
    assert bought.program_version.number == 1
    newest = program.versions.get(number=2)
    assert newest.terms["program"]["price"] == "399"


def test_status_changes_by_button_with_a_reason_only(client: Client, firm: Firm) -> None:
    program = firm.program
    url = reverse("admin:programs_program_button", args=[program.pk, "disable"])
    assert client.get(url).status_code == 200
    assert client.post(url, {"reason": " "}).status_code == 200
    program.refresh_from_db()
    assert program.status == Program.Status.ACTIVE
    assert client.post(url, {"reason": "Sold out."}).status_code == 302
    program.refresh_from_db()
    assert program.status == Program.Status.DISABLED
    event = ProgramEvent.objects.get(subject_id=program.pk, to_status=1)
    assert (event.from_status, event.to_status, event.actor, event.reason) == (0, 1, "boss", "Sold out.")


def test_a_button_that_no_longer_applies_says_so(client: Client, firm: Firm) -> None:
    program = firm.program
    url = reverse("admin:programs_program_button", args=[program.pk, "activate"])
    response = client.post(url, {"reason": "again"}, follow=True)
    assert "Activate: not possible for Evaluation 100K as it stands now." in response.content.decode()
    assert ProgramEvent.objects.filter(subject_id=program.pk).count() == 1


def test_deleting_goes_through_the_service_and_leaves_a_record(client: Client, firm: Firm) -> None:
    unsold = make_program("Unsold", firm.demo, firm.real)
    url = reverse("admin:programs_program_delete", args=[unsold.pk])
    page = client.get(url).content.decode()
    assert "<li>2 phases</li>" in page
    client.post(url, {"typed_name": "Unsold", "reason": " "})
    refused = client.post(url, {"typed_name": "unsold", "reason": "Never sold."})
    assert "This is not the name of the program: Unsold." in refused.content.decode()
    assert Program.objects.filter(pk=unsold.pk).exists()
    assert client.post(url, {"typed_name": "Unsold", "reason": "Never sold."}).status_code == 302
    assert not Program.objects.filter(pk=unsold.pk).exists()
    deletion = DeletionRecord.objects.get()
    assert (deletion.program_name, deletion.actor, deletion.reason) == ("Unsold", "boss", "Never sold.")
