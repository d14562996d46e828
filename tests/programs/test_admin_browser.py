"""Staff look at a dry run, go back, confirm; start from a template; import; delete: by clicking, as they would."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from programs.models import DeletionRecord, Program
from programs.services import save_program
from propdesk.lib.times import utc_now
from tests.propdesk.admin.rows import STAFF, Firm, make_firm, sell

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def firm(transactional_db: None) -> Firm:
    return make_firm()


@pytest.fixture
def page(browser: Browser, live_server: LiveServer, firm: Firm) -> Iterator[Page]:
    """The list of programs, as a superuser; errors of the page's scripts fail the test."""
    User.objects.create_superuser("boss", password="secret")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    # The server runs beside the test, on a machine that may be busy.
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{live_server.url}/admin/login/?next=/admin/programs/program/")
    page.get_by_label("Username").fill("boss")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/programs/program/")
    expect(page.get_by_role("link", name="Evaluation 100K", exact=True)).to_be_visible()
    yield page
    context.close()
    assert problems == []


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def open_program(page: Page) -> None:
    """From the list; its page is there, and so are its scripts: without them nothing opens at a click."""
    page.get_by_role("link", name="Evaluation 100K", exact=True).click()
    page.wait_for_url("**/change/")


def more(page: Page, name: str) -> None:
    page.locator("li a", has_text="More").first.click()
    page.get_by_role("link", name=name).click()


def test_a_dry_run_can_be_gone_back_from_and_confirmed(page: Page, firm: Firm) -> None:
    sell(firm, 1, utc_now())
    open_program(page)
    page.locator("#id_price").fill("549")
    page.locator("#id_phases-0-profit_target_pct").fill("10")
    press(page, "Save")

    expect(page.get_by_text("Confirming writes version 2 of the terms")).to_be_visible()
    expect(page.get_by_text("1 running challenge: not one of them is changed.")).to_be_visible()
    press(page, "Back to editing")
    expect(page.locator("#id_price")).to_have_value("549")
    expect(page.locator("#id_phases-0-profit_target_pct")).to_have_value("10")
    assert Program.objects.get().price == Decimal(499)

    page.locator("#id_price").fill("529")
    press(page, "Save")
    expect(page.locator("ins", has_text="529.00 USD")).to_be_visible()
    press(page, "Confirm and save")
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    program = Program.objects.get()
    assert (program.price, program.versions.count()) == (Decimal(529), 2)
    assert list(program.phases.values_list("phase_index", "name")) == [(1, "Evaluation"), (2, "Funded")]


def test_a_save_of_somebody_else_between_look_and_confirmation_is_not_overwritten(page: Page, firm: Firm) -> None:
    open_program(page)
    page.locator("#id_price").fill("549")
    press(page, "Save")
    expect(page.get_by_text("Confirming writes version 2 of the terms")).to_be_visible()
    save_program(data={"price": Decimal(450)}, by=STAFF, now=utc_now(), program_id=firm.program.pk)
    press(page, "Confirm and save")

    expect(page.get_by_text("Somebody else saved this program after you opened it.")).to_be_visible()
    assert Program.objects.get().price == Decimal(450)


def test_a_program_starts_from_a_template(page: Page) -> None:
    more(page, "Start from a template")
    page.locator("section", has_text="3-step").get_by_role("link", name="Start from this").click()
    expect(page.locator("#id_phases-3-name")).to_have_value("Funded")
    page.locator("#id_price").fill("299")
    press(page, "Save")

    expect(page.get_by_text("was added successfully")).to_be_visible()
    program = Program.objects.get(name="3-step")
    assert (program.status, program.phases_count) == (Program.Status.DISABLED, 4)
    assert program.phases.get(phase_index=2).profit_target_pct == Decimal(6)


def test_a_program_is_cloned_under_a_new_name(page: Page) -> None:
    open_program(page)
    more(page, "Clone")
    expect(page.locator("#id_name")).to_have_value("Evaluation 100K (copy)")
    page.locator("#id_name").fill("Evaluation 100K, summer")
    press(page, "Save")

    expect(page.get_by_text("was added successfully")).to_be_visible()
    clone = Program.objects.get(name="Evaluation 100K, summer")
    source = Program.objects.get(name="Evaluation 100K")
    assert clone.status == Program.Status.DISABLED
    assert clone.versions.get().terms["phases"] == source.versions.get().terms["phases"]


def test_an_export_is_imported(page: Page, tmp_path: Path) -> None:
    open_program(page)
    page.locator("li a", has_text="More").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export JSON").click()
    exported = json.loads(download.value.path().read_text())
    exported["programs"][0] |= {"name": "Elsewhere", "price": 0}
    path = tmp_path / "programs.json"
    path.write_text(json.dumps(exported))

    page.goto(page.url.split("/programs/program/")[0] + "/programs/program/")
    more(page, "Import JSON")
    page.locator("#id_file").set_input_files(path)
    press(page, "Show what changes")
    expect(page.locator(".pd-problems")).to_contain_text("programs[0].price")
    exported["programs"][0]["price"] = 75
    page.locator("#id_text").fill(json.dumps(exported))
    press(page, "Show what changes")
    press(page, "Confirm and save")

    expect(page.get_by_text("Imported: Elsewhere.")).to_be_visible()
    assert Program.objects.get(name="Elsewhere").status == Program.Status.DISABLED


def test_a_deletion_wants_the_name_and_a_reason(page: Page) -> None:
    open_program(page)
    page.get_by_role("link", name="Delete program").click()
    expect(page.get_by_text("2 phases")).to_be_visible()
    page.get_by_label("Name of the program").fill("Evaluation")
    page.get_by_label("Reason").fill("Never sold.")
    press(page, "Delete for good")
    expect(page.get_by_text("This is not the name of the program")).to_be_visible()
    assert Program.objects.exists()

    page.get_by_label("Name of the program").fill("Evaluation 100K")
    press(page, "Delete for good")
    expect(page.get_by_text("Evaluation 100K was deleted.")).to_be_visible()
    assert DeletionRecord.objects.get().reason == "Never sold."


@pytest.mark.parametrize("width", [1280, 420])
def test_the_dry_run_fits(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    program = Program.objects.get()
    page.goto(f"{page.url}{program.pk}/change/")
    page.locator("#id_price").fill("299")
    press(page, "Save")
    expect(page.get_by_text("Confirming writes version 2 of the terms")).to_be_visible()
    page.wait_for_load_state()  # with its style sheets
    assert page.evaluate("document.documentElement.scrollWidth") <= width
