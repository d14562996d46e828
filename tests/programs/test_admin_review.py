"""The dry run of the program page: nothing is saved before staff confirm what they saw."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from brokers.models import AccountGroup
from programs.models import Program, ProgramVersion
from programs.services import save_program
from propdesk.lib.times import utc_now
from tests.programs.programs import everything
from tests.propdesk.admin.program_forms import ADD, change_url, posted, save, two_phases
from tests.propdesk.admin.rows import STAFF, Firm, make_firm, sell

pytestmark = pytest.mark.django_db


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def firm(db: None) -> Firm:
    return make_firm(utc_now() - timedelta(days=1))


def edit(firm: Firm, **fields: Any) -> dict[str, Any]:
    """The form of the firm's program with some fields typed over; phases as they are."""
    first, second = two_phases(firm)
    first |= {"min_trading_days": 4}
    unchanged = {"name": "Evaluation 100K", "sort_index": "0", "day_reset_time": "00:00", "day_reset_timezone": "UTC"}
    return {**posted(first, second, initial=2, **unchanged), "read_version": firm.program.version, **fields}


def text(response: Any) -> str:
    return response.content.decode().replace("&#x27;", "'")


def test_the_page_shows_field_by_field_what_changes_and_saves_nothing(boss: Client, firm: Firm) -> None:
    before = everything()

    page = text(boss.post(change_url(firm.program), edit(firm, price="549", **{"phases-0-profit_target_pct": "10"})))

    assert everything() == before
    assert "<dt>Price</dt>" in page
    assert "<del>499.00 USD</del> → <ins>549.00 USD</ins>" in page
    assert "<del>8 %</del> → <ins>10 %</ins>" in page
    assert "Pass when balance reaches 108,000.00 USD, 8 % over the initial balance." in page
    assert "Pass when balance reaches 110,000.00 USD, 10 % over the initial balance." in page
    assert "Confirming writes version 2 of the terms" in page


def test_the_page_tells_who_keeps_which_version(boss: Client, firm: Firm) -> None:
    sell(firm, 1, utc_now())
    sell(firm, 2, utc_now())
    save_program(data={"price": Decimal(450)}, by=STAFF, now=utc_now(), program_id=firm.program.pk)
    firm.version = firm.program.versions.get(number=2)
    sell(firm, 3, utc_now())
    firm.program.refresh_from_db()

    response = boss.post(change_url(firm.program), edit(firm, price="549"))

    table = next(panel for panel in response.context["panels"] if panel.title == "Who keeps the terms they bought")
    assert table.note == "3 running challenges: not one of them is changed."
    assert [row[3:] for row in table.rows] == [(1, 0), (2, 0)]


def test_the_page_tells_what_the_new_price_means(boss: Client, firm: Firm) -> None:
    sell(firm, 1, utc_now())
    sell(firm, 2, utc_now())

    response = boss.post(change_url(firm.program), edit(firm, price="549"))

    price = next(panel for panel in response.context["panels"] if panel.title == "Price")
    assert dict(price.facts) == {
        "Price now": "499.00 USD",
        "Price after": "549.00 USD",
        "Difference": "+50.00 (10.02 %)",
        "Last 30 days": "2 sales for 998.00 USD",
        "The same at the new price": "1,098.00 USD (+100.00)",
    }


def test_a_confirmation_saves_what_was_shown(boss: Client, firm: Firm) -> None:
    assert save(boss, change_url(firm.program), edit(firm, price="549")).status_code == 302

    firm.program.refresh_from_db()
    assert (firm.program.price, firm.program.version) == (Decimal(549), 2)
    assert firm.program.versions.get(number=2).author == "boss"


def test_a_confirmation_of_something_else_is_shown_again(boss: Client, firm: Firm) -> None:
    url = change_url(firm.program)
    shown = boss.post(url, edit(firm, price="549"))
    before = everything()

    again = boss.post(url, {**edit(firm, price="5"), "confirmed": shown.context["fingerprint"]})

    assert everything() == before
    assert "What you confirmed has changed since." in text(again)
    assert "<ins>5.00 USD</ins>" in text(again)


def test_a_deposit_that_changed_meanwhile_is_shown_before_it_is_saved(boss: Client, firm: Firm) -> None:
    url, data = change_url(firm.program), edit(firm, price="549")
    shown = boss.post(url, data)
    AccountGroup.objects.filter(pk=firm.demo.pk).update(default_deposit=Decimal(50_000))
    before = everything()

    again = boss.post(url, {**data, "confirmed": shown.context["fingerprint"]})

    assert everything() == before
    assert "Fail when equity falls below 47,500.00 USD" in text(again)


def test_a_confirmation_after_somebody_elses_save_is_refused(boss: Client, firm: Firm) -> None:
    url, data = change_url(firm.program), edit(firm, price="549")
    shown = boss.post(url, data)
    save_program(data={"sort_index": 7}, by=STAFF, now=utc_now(), program_id=firm.program.pk)
    before = everything()

    refused = boss.post(url, {**data, "confirmed": shown.context["fingerprint"]})

    assert everything() == before
    assert "Somebody else saved this program after you opened it." in text(refused)


def test_going_back_brings_the_input_and_saves_nothing(boss: Client, firm: Firm) -> None:
    before = everything()

    page = boss.post(change_url(firm.program), {**edit(firm, price="549"), "_edit": "1"})

    assert everything() == before
    assert page.context["adminform"].form["price"].value() == "549"
    assert "Nothing has been saved yet. These are your changes." in text(page)
    assert "Please correct" not in text(page)


def test_a_save_without_a_change_writes_nothing(boss: Client, firm: Firm) -> None:
    before = everything()

    page = boss.post(change_url(firm.program), edit(firm), follow=True)

    assert everything() == before
    assert "Nothing was changed, so nothing was saved." in text(page)


def test_a_new_program_is_saved_at_once_since_it_changes_nothing_for_anybody(boss: Client, firm: Firm) -> None:
    assert boss.post(ADD, posted(*two_phases(firm))).status_code == 302

    assert Program.objects.get(name="Two steps").versions.get().number == 1


def test_moving_phases_is_told_as_a_move(boss: Client, firm: Firm) -> None:
    second = {"phase_index": 2, "name": "Verification", "account_group": "PROP_DEMO_USD"}
    first = {"phase_index": 1, "name": "Evaluation", "account_group": "PROP_DEMO_USD"}
    save_program(data={"steps": [first, second]}, by=STAFF, now=utc_now(), program_id=firm.program.pk)
    firm.program.refresh_from_db()
    forms = [{**two_phases(firm)[0], "name": name, "place": place, "max_daily_loss_pct": 0, "max_total_loss_pct": 0,
              "profit_target_pct": 0} for name, place in (("Evaluation", 2), ("Verification", 1))]  # fmt: skip
    kept = {"name": "Evaluation 100K", "sort_index": "0", "day_reset_time": "00:00", "day_reset_timezone": "UTC"}
    data = {**posted(*forms, initial=2, **kept), "read_version": firm.program.version}

    page = text(boss.post(change_url(firm.program), data))

    assert "1. Verification" in page
    assert "was phase 2" in page
    assert save(boss, change_url(firm.program), data).status_code == 302
    assert list(firm.program.phases.values_list("phase_index", "name")) == [(1, "Verification"), (2, "Evaluation")]


# --- clones and templates -----------------------------------------------------------------------------------------


def test_a_clone_starts_with_everything_but_the_name_and_disabled(boss: Client, firm: Firm) -> None:
    page = boss.get(f"{ADD}?clone={firm.program.pk}")

    form, formset = page.context["adminform"].form, page.context["inline_admin_formsets"][0].formset
    assert (form["name"].value(), form["status"].value()) == ("Evaluation 100K (copy)", Program.Status.DISABLED)
    assert form["price"].value() == Decimal(499)
    phases = list(formset.forms)
    assert [row["name"].value() for row in phases] == ["Evaluation", "Funded"]
    assert [row["account_group"].value() for row in phases] == [firm.demo.pk, firm.real.pk]
    assert phases[0]["min_trading_days"].value() == 4
    assert Program.objects.count() == 1


def test_an_untouched_clone_is_saved_whole(boss: Client, firm: Firm) -> None:
    """Phases that nobody touched are phases too."""
    url = f"{ADD}?clone={firm.program.pk}"
    data = posted(*two_phases(firm), name="Evaluation 100K (copy)", status="1")

    assert save(boss, url, data).status_code == 302

    clone = Program.objects.get(name="Evaluation 100K (copy)")
    assert (clone.status, clone.phases_count, clone.versions.count()) == (Program.Status.DISABLED, 2, 1)


@pytest.mark.parametrize("source", ["clone=999999999", "clone=x", "template=nothing", "clone=99999999999999999999"])
def test_a_source_that_is_not_there_gives_the_empty_form(boss: Client, firm: Firm, source: str) -> None:
    page = boss.get(f"{ADD}?{source}")

    assert page.status_code == 200
    assert page.context["adminform"].form["name"].value() in {None, ""}


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("one_step", ["Evaluation", "Funded"]),
        ("two_step", ["Evaluation", "Verification", "Funded"]),
        ("three_step", ["Stage 1", "Stage 2", "Stage 3", "Funded"]),
        ("instant", ["Funded"]),
    ],
)
def test_a_template_fills_in_the_phases_and_the_groups(boss: Client, firm: Firm, key: str, names: list[str]) -> None:
    page = boss.get(f"{ADD}?template={key}")

    rows = page.context["inline_admin_formsets"][0].formset.forms
    assert [row["name"].value() for row in rows] == names
    assert rows[-1]["account_group"].value() == firm.real.pk
    assert {row["account_group"].value() for row in rows[:-1]} <= {firm.demo.pk}


def test_the_templates_are_offered_and_explained(boss: Client, firm: Firm) -> None:
    assert "?template=instant" in text(boss.get(ADD))
    page = text(boss.get(reverse("admin:programs_program_templates")))
    assert "Fail when equity falls below 97,000.00 USD" in page
    assert reverse("admin:programs_program_templates") in text(boss.get(reverse("admin:programs_program_changelist")))


# --- history and deletion -----------------------------------------------------------------------------------------


def test_a_version_shows_what_it_changed_and_who_saved_it(boss: Client, firm: Firm) -> None:
    for price in (450, 425):
        save_program(data={"price": Decimal(price)}, by=STAFF, now=utc_now(), program_id=firm.program.pk)
    version = ProgramVersion.objects.get(number=3)
    url = reverse("admin:programs_programversion_change", args=[version.pk])

    page = text(boss.get(url))
    assert "What changed since version 2" in page
    assert "<del>450.00 USD</del> → <ins>425.00 USD</ins>" in page
    assert "<del>499.00 USD</del> → <ins>425.00 USD</ins>" in text(boss.get(f"{url}?against=1"))
    assert boss.get(f"{url}?against=x").status_code == 200


def test_the_program_page_lists_versions_with_what_they_changed(boss: Client, firm: Firm) -> None:
    save_program(data={"price": Decimal(450), "name": "New"}, by=STAFF, now=utc_now(), program_id=firm.program.pk)

    panels = boss.get(change_url(firm.program)).context["panels_below"]

    rows = next(panel for panel in panels if panel.title == "Versions of the terms").rows
    assert ["Name; Price" in row[3] for row in rows] == [True, False]
    assert "first version" in rows[1][3]


def test_unfinished_operations_are_named_on_the_deletion_page_and_forbid_it(boss: Client, firm: Firm) -> None:
    sold = sell(firm, 1, utc_now())
    type(sold.purchase).objects.filter(pk=sold.purchase.pk).update(status=0)
    url = reverse("admin:programs_program_delete", args=[firm.program.pk])

    assert f"unfinished or in doubt ({sold.operation.pk})" in text(boss.get(url))
    answer = boss.post(url, {"typed_name": "Evaluation 100K", "reason": "Over."}, follow=True)

    assert f"Broker operations are unfinished or in doubt: {sold.operation.pk}." in text(answer)
    assert Program.objects.exists()


# --- rights -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["templates/", "import/", "{id}/import/", "{id}/delete/"])
def test_who_may_only_look_may_do_none_of_it(client: Client, firm: Firm, page: str) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_program"))
    client.force_login(viewer)
    url = reverse("admin:programs_program_changelist") + page.format(id=firm.program.pk)

    assert client.get(url).status_code == 403
    assert client.post(url).status_code == 403
    assert Program.objects.exists()
