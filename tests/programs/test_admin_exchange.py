"""Programs out as JSON and in again: judged and shown like every other save."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from programs.api.documents import export_document
from programs.models import Program
from programs.services import save_program, terms_of
from propdesk.lib.times import utc_now
from tests.programs.programs import everything
from tests.propdesk.admin.rows import STAFF, Firm, make_firm

pytestmark = pytest.mark.django_db
LIST = "/admin/programs/program/"


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm()


def text(response: Any) -> str:
    return response.content.decode().replace("&#x27;", "'").replace("&quot;", '"')


def document(**changes: Any) -> dict[str, Any]:
    step = {"phase_index": 1, "name": "Evaluation", "account_group": "PROP_DEMO_USD", "max_total_loss_pct": 7.5}
    return {"brand": "default", "name": "Imported", "price": 99.5, "price_currency": "USD", "steps": [step], **changes}


def put_in(boss: Client, given: Any, url: str = f"{LIST}import/", **more: str) -> Any:
    body = given if isinstance(given, str) else json.dumps(given)
    return boss.post(url, {"text": body, **more})


def confirm(boss: Client, given: Any, url: str = f"{LIST}import/") -> Any:
    """Import and confirm what the dry run shows."""
    shown = put_in(boss, given, url)
    return put_in(boss, given, url, confirmed=shown.context["fingerprint"])


def refused(boss: Client, given: Any, url: str = f"{LIST}import/") -> list[str]:
    """The places that an import refuses, after seeing that it wrote nothing."""
    before = everything()
    response = put_in(boss, given, url)
    assert everything() == before
    return [problem.field for problem in response.context["problems"]]


def test_an_export_imported_elsewhere_is_the_same_program(boss: Client, firm: Firm) -> None:
    exact = {"max_daily_loss_pct": Decimal("4.12345678"), "total_loss_lock_pct": Decimal("-0.5"),
             "max_open_lots": Decimal("12.5"), "profit_target_pct": Decimal("8.1")}  # fmt: skip
    step = {"phase_index": 1, "name": "Evaluation", "account_group": "PROP_DEMO_USD", **exact}
    source = save_program(
        data={"steps": [step], "price": Decimal("499.99")}, by=STAFF, now=utc_now(), program_id=firm.program.pk
    )
    download = boss.get(f"{LIST}{source.pk}/export/")
    assert download["Content-Disposition"] == f'attachment; filename="program-{source.pk}.json"'
    assert download["Content-Type"] == "application/json"

    assert confirm(boss, download.content.decode()).status_code == 302

    copy = Program.objects.exclude(pk=source.pk).get()
    source.refresh_from_db()
    assert terms_of(copy) == terms_of(source)
    assert (copy.sort_index, copy.status) == (source.sort_index, Program.Status.DISABLED)


def test_the_list_exports_all_programs(boss: Client, firm: Firm) -> None:
    confirm(boss, document())

    names = [program["name"] for program in boss.get(f"{LIST}export/").json()["programs"]]

    assert names == ["Evaluation 100K", "Imported"]


def test_what_is_exported_is_what_the_api_takes(firm: Firm) -> None:
    exported = json.loads(export_document(Program.objects.all()))["programs"][0]

    assert list(exported)[:5] == ["brand", "name", "description", "price", "price_currency"]
    assert exported["price"] == 499
    assert exported["steps"][1]["profit_split"] == 0.8
    assert not {"id", "status", "created_time", "version"} & set(exported)


def test_an_import_is_shown_and_saves_nothing_before_it_is_confirmed(boss: Client, firm: Firm) -> None:
    before = everything()

    page = text(put_in(boss, document()))

    assert everything() == before
    assert "<ins>99.50 USD</ins>" in page
    assert "Fail when equity falls below 92,500.00 USD, 7.5 % under the initial balance." in page


def test_a_file_is_read_like_text(boss: Client, firm: Firm) -> None:
    file = SimpleUploadedFile("programs.json", json.dumps({"programs": [document()]}).encode())
    shown = boss.post(f"{LIST}import/", {"file": file})

    again = {"confirmed": shown.context["fingerprint"], **dict(shown.context["inputs"])}
    assert boss.post(f"{LIST}import/", again).status_code == 302

    assert Program.objects.get(name="Imported").versions.get().author == "boss"


def test_several_programs_are_added_together_or_not_at_all(boss: Client, firm: Firm) -> None:
    good, bad = document(), document(name="Bad", price=0)

    assert refused(boss, {"programs": [good, bad]}) == ["programs[1].price"]
    assert confirm(boss, {"programs": [good, document(name="Second")]}).status_code == 302

    assert list(Program.objects.order_by("id").values_list("name", flat=True))[1:] == ["Imported", "Second"]


def test_a_document_for_one_program_replaces_it_and_keeps_what_it_does_not_name(boss: Client, firm: Firm) -> None:
    url = f"{LIST}{firm.program.pk}/import/"
    Program.objects.filter(pk=firm.program.pk).update(sort_index=4)

    page = text(put_in(boss, document(), url))
    assert "<del>499.00 USD</del> → <ins>99.50 USD</ins>" in page
    assert "removed" in page
    assert confirm(boss, document(), url).status_code == 302

    firm.program.refresh_from_db()
    program = firm.program
    assert (program.name, program.phases_count, program.status, program.sort_index) == ("Imported", 1, 0, 4)
    assert program.versions.count() == 2


def test_a_program_changed_between_look_and_confirmation_is_shown_again(boss: Client, firm: Firm) -> None:
    url = f"{LIST}{firm.program.pk}/import/"
    shown = put_in(boss, document(), url)
    save_program(data={"price": Decimal(450)}, by=STAFF, now=utc_now(), program_id=firm.program.pk)
    before = everything()

    again = put_in(boss, document(), url, confirmed=shown.context["fingerprint"])

    assert everything() == before
    assert "What you confirmed has changed since." in text(again)
    assert "<del>450.00 USD</del>" in text(again)


def test_a_document_that_changes_nothing_says_so(boss: Client, firm: Firm) -> None:
    url = f"{LIST}{firm.program.pk}/import/"
    before = everything()

    page = boss.post(url, {"text": export_document([firm.program])}, follow=True)

    assert everything() == before
    assert "says what Evaluation 100K is already" in text(page)


def test_going_back_brings_the_document(boss: Client, firm: Firm) -> None:
    page = put_in(boss, document(), _edit="1")

    assert page.context["form"]["text"].value() == json.dumps(document())
    assert not Program.objects.filter(name="Imported").exists()


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ("{", [""]),
        ("[]", [""]),
        ('{"programs": [], "programs": []}', [""]),
        ({"programs": []}, ["programs"]),
        ({"programs": {}}, ["programs"]),
        ({"programs": [document()] * 101}, ["programs"]),
        ({"programs": [document()], "more": 1}, ["more"]),
        ({"programs": [7]}, ["programs[0]"]),
        (document(colour="red"), ["colour"]),
        (document(id=1), ["id"]),
        (document(price="99"), ["price"]),
        (document(steps=[]), ["steps"]),
        ({"programs": [document(), document(steps=[{"phase_index": 1, "name": "E", "rules": 1}])]},
         ["programs[1].steps[0].rules"]),
        ({"programs": [document(price_currency="EUR")]}, ["programs[0].steps[0].account_group"]),
        ({"programs": [document(steps=[{"phase_index": 2, "name": "E", "account_group": "NO"}])]},
         ["programs[0].steps[0].phase_index", "programs[0].steps[0].account_group"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_place(boss: Client, firm: Firm, given: Any, places: list[str]) -> None:
    assert refused(boss, given) == places


def test_a_file_over_two_mebibytes_is_refused(boss: Client, firm: Firm) -> None:
    file = SimpleUploadedFile("programs.json", json.dumps(document(description="x" * 2**21)).encode())

    page = boss.post(f"{LIST}import/", {"file": file})

    assert [str(problem) for problem in page.context["problems"]] == ["The body is larger than 2097152 bytes."]
    assert len(page.content) < 2**18


def test_one_program_is_replaced_by_one(boss: Client, firm: Firm) -> None:
    two = {"programs": [document(), document()]}

    assert refused(boss, two, f"{LIST}{firm.program.pk}/import/") == ["programs"]


def test_an_empty_form_asks_for_a_document(boss: Client, firm: Firm) -> None:
    assert "Choose a file or paste a document." in text(boss.post(f"{LIST}import/", {"text": ""}))


def test_there_is_nothing_to_export_or_replace_without_a_program(boss: Client, firm: Firm) -> None:
    nobodys = firm.program.pk + 1
    assert boss.get(f"{LIST}{nobodys}/export/").status_code == 404
    assert boss.get(f"{LIST}{nobodys}/import/").status_code == 404
