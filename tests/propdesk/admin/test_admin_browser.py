"""Staff create and edit a program by clicking, as they would."""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import cycle

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser, Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from programs.models import Program
from tests.propdesk.admin.rows import Firm, make_firm, sell

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A page of the admin's front page, signed in by the form; errors of the page's scripts fail the test."""
    make_firm()
    User.objects.create_superuser("boss", password="secret")
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    # The server runs beside the test, on a machine that may be busy.
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: problems.append(request.url) if live_server.url not in request.url else None)
    page.goto(f"{live_server.url}/admin/login/")
    page.get_by_label("Username").fill("boss")
    page.get_by_label("Password").fill("secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    yield page
    context.close()
    assert [problem for problem in problems if not problem.startswith(("data:", "blob:"))] == []


def fill_phase(page: Page, number: int, **values: str) -> None:
    for name, value in values.items():
        page.locator(f"#id_phases-{number}-{name}").fill(value)


def choose(page: Page, number: int, name: str, text: str) -> None:
    box = page.locator(f"#id_phases-{number}-{name}")
    option = box.locator("option", has_text=text)
    box.select_option(option.get_attribute("value"))


def test_staff_create_a_program_with_two_phases_and_edit_it(page: Page) -> None:
    page.locator('a[href="/admin/programs/program/"]').first.click()
    page.locator('a[href^="/admin/programs/program/add/"]').first.click()
    page.wait_for_url("**/admin/programs/program/add/**")  # the list before it has names to fill in as well
    page.get_by_label("Name").first.fill("Clicked")
    page.locator("#id_price").fill("249.50")
    fill_phase(page, 0, name="Evaluation", max_daily_loss_pct="5", max_total_loss_pct="10", profit_target_pct="8")
    choose(page, 0, "account_group", "PROP_DEMO_USD")
    page.get_by_text("Add another Phase").click()
    fill_phase(page, 1, name="Funded", max_daily_loss_pct="5", max_total_loss_pct="10", profit_split="0.8")
    choose(page, 1, "phase_type", "funded")
    choose(page, 1, "account_group", "PROP_DEMO_USD")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_text("A funded step needs a REAL group; PROP_DEMO_USD is DEMO.")).to_be_visible()
    assert not Program.objects.filter(name="Clicked").exists()

    choose(page, 1, "account_group", "PROP_REAL_USD")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    program = Program.objects.get(name="Clicked")
    assert program.price == Decimal("249.50")
    assert list(program.phases.values_list("phase_index", "name")) == [(1, "Evaluation"), (2, "Funded")]

    page.get_by_role("link", name="Clicked", exact=True).first.click()
    page.locator("#id_price").fill("199")
    fill_phase(page, 0, profit_target_pct="6")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Confirm and save").click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    program.refresh_from_db()
    assert program.price == Decimal(199)
    assert program.phases.get(phase_index=1).profit_target_pct == Decimal(6)
    assert program.versions.count() == 2


def drag_until(page: Page, row: Locator, *, above: Locator, is_there: Callable[[], bool]) -> None:
    """Drag a folded phase by its handle, and hold it there until the theme's sorting has taken notice."""
    row.evaluate("row => row.scrollIntoView({block: 'center'})")  # clear of the bars at top and bottom
    start = row.locator("h3 .material-symbols-outlined").first.bounding_box()
    target = above.locator("h3 .material-symbols-outlined").first.bounding_box()
    assert start is not None
    assert target is not None
    x, y = start["x"] + 8, start["y"] + 8
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 8, steps=4)  # a drag begins with a first movement
    trembling = cycle((0, 2))
    give_up = time.monotonic() + 60
    while not is_there():
        assert time.monotonic() < give_up, "the phase does not follow the mouse"
        page.mouse.move(x, target["y"] - 4 + next(trembling), steps=6)
    page.mouse.up()


def test_dragging_a_phase_changes_the_order(page: Page, live_server: LiveServer) -> None:
    program = Program.objects.get()
    page.goto(f"{live_server.url}/admin/programs/program/{program.pk}/change/")
    page.get_by_role("button", name="Fold to sort").click()
    rows = page.locator("#phases-data > .form-group")
    name = rows.first.locator('input[name$="-name"]')
    drag_until(page, rows.nth(1), above=rows.nth(0), is_there=lambda: name.input_value() == "Funded")
    expect(name).to_have_value("Funded")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The funded step must be the last one.")).to_be_visible()
    first = page.locator("#phases-data > .form-group").first
    expect(first.locator('input[name$="-name"]')).to_have_value("Funded")


def test_staff_disable_a_program_with_a_reason(page: Page, live_server: LiveServer) -> None:
    program = Program.objects.get()
    page.goto(f"{live_server.url}/admin/programs/program/{program.pk}/change/")
    page.get_by_role("link", name="Disable").click()
    page.get_by_label("Reason").fill("Sold out.")
    page.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("Evaluation 100K is off sale.")).to_be_visible()
    expect(page.get_by_text("Sold out.")).to_be_visible()
    program.refresh_from_db()
    assert program.status == Program.Status.DISABLED


@pytest.mark.parametrize("width", [1280, 420])
def test_the_challenge_page_draws_its_chart_and_fits(page: Page, live_server: LiveServer, width: int) -> None:
    program = Program.objects.get()
    group = program.phases.get(phase_index=1).account_group
    real = program.phases.get(phase_index=2).account_group
    sold = sell(Firm(group.connection, group, real, program, program.versions.get()), 1)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{live_server.url}/admin/challenges/challenge/{sold.challenge.pk}/change/")
    drawn = page.evaluate(
        "() => Chart.getChart(document.querySelector('canvas[data-chart]')).data.datasets.map(d => d.label)"
    )
    assert drawn == ["Equity", "Balance", "Daily loss level", "Total loss level", "Profit target"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
