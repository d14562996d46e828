"""The main job, from nothing but the public surfaces: the admin in a real browser, the HTTP API, the simulator.

Everything runs as `make run` runs it: web, worker, sweeper and simulator are processes of their own.
"""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.flows.journey import active_challenge, buy, card, status
from tests.flows.stack import Stack, running, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def propdesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running(tmp_path_factory.mktemp("journey"), PROPDESK_DEMO_TRADERS="20") as stack:
        yield stack


@pytest.fixture(scope="module")
def program_id(propdesk: Stack, browser: Browser) -> int:
    """A program of two evaluation phases and a funded one, made by staff in the admin."""
    page = browser.new_page(base_url=propdesk.url, viewport={"width": 1440, "height": 1000})
    sign_in(page, propdesk.demo["admin"])
    page.goto("/admin/programs/program/add/")
    page.fill("input[name=name]", "Two Step 100K")
    page.fill("input[name=price]", "250")
    page.select_option("select[name=price_currency]", "USD")
    fill_phase(page, 0, name="Phase one", group="PROP_DEMO_USD", daily="5", total="10", target="8")
    page.get_by_text("Add another Phase").click()
    fill_phase(page, 1, name="Phase two", group="PROP_DEMO_USD", daily="5", total="10", target="5")
    page.get_by_text("Add another Phase").click()
    fill_phase(page, 2, name="Funded", group="PROP_REAL_USD", daily="5", total="10", target="0")
    page.select_option("select[name=phases-2-phase_type]", "1")
    page.fill("input[name=phases-2-profit_split]", "0.8")
    page.locator("button[name=_save], input[name=_save]").first.click()
    page.wait_for_url("**/admin/programs/program/")
    page.close()
    rows = propdesk.mng(
        "MngGetPropProgramsByFilter", {"limit": 50, "offset": 0, "where": [["name", "=", "Two Step 100K"]]}
    )
    assert rows["count"] == 1
    return int(rows["rows"][0][0])


def sign_in(page: Page, admin: dict[str, str]) -> None:
    page.goto("/admin/")
    page.fill("input[name=username]", admin["username"])
    page.fill("input[name=password]", admin["password"])
    page.click("button[type=submit]")
    # The sign-in page's own address ends alike, with where to go next.
    page.wait_for_url(lambda url: urlsplit(url).path == "/admin/")


def fill_phase(page: Page, number: int, *, name: str, group: str, daily: str, total: str, target: str) -> None:
    field = f"name=phases-{number}-"
    page.fill(f"input[{field}name]", name)
    option = page.locator(f"select[{field}account_group] option", has_text=group).first.get_attribute("value")
    page.select_option(f"select[{field}account_group]", option)
    page.fill(f"input[{field}max_daily_loss_pct]", daily)
    page.fill(f"input[{field}max_total_loss_pct]", total)
    page.fill(f"input[{field}profit_target_pct]", target)


def test_a_breach_of_the_daily_loss_fails_the_challenge_with_the_right_numbers(
    propdesk: Stack, program_id: int, browser: Browser
) -> None:
    customer = propdesk.demo["customers"][0]
    balance_before = propdesk.account(customer["payer_login"])["balance"]

    purchase = buy(propdesk, customer, program_id=program_id, key="journey-1")
    challenge = active_challenge(propdesk, customer, purchase["id"])

    assert propdesk.account(customer["payer_login"])["balance"] == balance_before - 250
    account = propdesk.account(challenge["account_login"])
    assert (account["enabled"], account["balance"]) == (True, 100000.0)
    assert [row["amount"] for row in account["transfers"]] == ["100000.00000000"]

    propdesk.simulator("POST", f"/sim/accounts/{challenge['account_login']}", {"equity": 94999.99})
    failed = wait_until(
        lambda: (c := card(propdesk, customer, challenge["id"]))["challenge"]["status"] == 3 and c,
        what="the challenge is failed",
    )

    breach = failed["latest_breach"]
    assert (breach["rule"], breach["level"], breach["observed"]) == ("daily_loss", 95000.0, 94999.99)
    assert (breach["balance"], breach["equity"], breach["action"]) == (100000.0, 94999.99, "fail")
    assert "94,999.99 is below the level 95,000.00" in breach["explanation"]
    assert len(breach["terms_digest"]) == 64
    wait_until(
        lambda: not (a := propdesk.account(challenge["account_login"]))["enabled"] and a["positions"] == [],
        what="the account is disabled and flat at the broker",
    )
    assert propdesk.account(challenge["account_login"])["balance"] == 94999.99
    _see_in_admin(propdesk, browser, challenge["id"])


def _see_in_admin(propdesk: Stack, browser: Browser, challenge_id: int) -> None:
    page = browser.new_page(base_url=propdesk.url)
    sign_in(page, propdesk.demo["admin"])
    page.goto(f"/admin/challenges/challenge/{challenge_id}/change/")
    text = page.inner_text("body")
    assert "94,999.99 is below the level 95,000.00" in text
    page.close()


def test_a_second_customer_passes_phase_one_and_stands_in_phase_two_on_a_new_account(
    propdesk: Stack, program_id: int
) -> None:
    customer = propdesk.demo["customers"][1]
    purchase = buy(propdesk, customer, program_id=program_id, key="journey-2")
    challenge = active_challenge(propdesk, customer, purchase["id"])
    first_login = challenge["account_login"]

    propdesk.simulator("POST", f"/sim/accounts/{first_login}", {"balance": 108000, "equity": 108000, "positions": []})
    moved = wait_until(
        lambda: (
            (c := card(propdesk, customer, challenge["id"]))["challenge"]["current_phase_index"] == 2
            and c["challenge"]["account_login"] != first_login
            and c
        ),
        what="the challenge stands in phase two on a new account",
    )

    assert [(phase["phase_index"], phase["status_name"]) for phase in moved["phases"]] == [(1, "passed"), (2, "active")]
    assert moved["phases"][0]["final_balance"] == 108000.0
    assert (moved["challenge"]["status"], moved["latest_breach"]) == (1, None)
    second = propdesk.account(moved["challenge"]["account_login"])
    assert (second["enabled"], second["balance"], second["unit"]) == (True, 100000.0, propdesk.demo["broker"]["unit"])
    wait_until(lambda: not propdesk.account(first_login)["enabled"], what="the first account is disabled")


def test_the_same_key_buys_once(propdesk: Stack, program_id: int) -> None:
    customer = propdesk.demo["customers"][0]
    first = buy(propdesk, customer, program_id=program_id, key="journey-3")
    active_challenge(propdesk, customer, first["id"])
    balance = propdesk.account(customer["payer_login"])["balance"]

    again = buy(propdesk, customer, program_id=program_id, key="journey-3")

    assert (again["id"], again["status_name"]) == (first["id"], "active")
    assert propdesk.account(customer["payer_login"])["balance"] == balance


def test_a_staff_token_cannot_buy_and_a_customer_token_cannot_command(propdesk: Stack, program_id: int) -> None:
    body = {"command": "MngGetPropProgram", "extID": "1", "data": {"id": program_id}}
    refused = propdesk.call("POST", "/api/v1/mng", token="SESSION_CUSTOMER", body=body)
    assert (refused.status_code, refused.json()["error"]) == (403, "PERMISSION_DENIED")
    refused = propdesk.call("GET", "/client/prop/challenges", token="SESSION_ADMIN")
    assert (refused.status_code, refused.json()["error"]) == (403, "PERMISSION_DENIED")


def test_everything_is_ready_and_the_demo_file_is_private(propdesk: Stack) -> None:
    wait_until(lambda: status(propdesk) == "ready", what="everything is ready")
    mode = Path(propdesk.data, "demo.json").stat().st_mode & 0o777
    assert mode == 0o600
