"""Two terms documents side by side, in words for staff."""

from copy import deepcopy
from typing import Any

from programs.terms import Change, Section, differences, summary

PROGRAM = {
    "brand": "default", "name": "Two steps", "description": "", "price": "499", "price_currency": "USD",
    "day_reset_time": "00:00", "day_reset_timezone": "UTC",
}  # fmt: skip


def phase(index: int, name: str, **fields: Any) -> dict[str, Any]:
    return {
        "phase_index": index, "phase_type": 0, "name": name, "account_group": "PROP_DEMO_USD",
        "initial_balance": "100000", "profit_split": "0", "max_total_loss_pct": "10", "profit_target_pct": "8",
        "consistency_pct": None, "weekend_holding_allowed": True, "daily_loss_pct_of": "base", **fields,
    }  # fmt: skip


TERMS: dict[str, Any] = {"program": PROGRAM, "phases": [phase(1, "Evaluation"), phase(2, "Verification")]}


def changed(**program: Any) -> dict[str, Any]:
    return {**deepcopy(TERMS), "program": {**PROGRAM, **program}}


def test_equal_terms_differ_nowhere() -> None:
    assert differences(TERMS, deepcopy(TERMS)) == []
    assert summary([]) == ""


def test_a_price_is_shown_with_its_currency() -> None:
    [section] = differences(TERMS, changed(price="549.5"))

    assert section == Section("General", changes=(Change("Price", "499.00 USD", "549.50 USD"),))


def test_a_new_currency_is_named_on_each_side() -> None:
    [general, *_] = differences(TERMS, changed(price_currency="EUR", price="450"))

    assert general.changes == (Change("Price", "499.00 USD", "450.00 EUR"), Change("Currency", "USD", "EUR"))


def test_rules_are_shown_by_their_labels_and_in_plain_sentences() -> None:
    after = deepcopy(TERMS)
    after["phases"][0].update(
        profit_target_pct="6", consistency_pct="30", weekend_holding_allowed=False, daily_loss_pct_of="initial_balance"
    )
    [section] = differences(TERMS, after)

    assert (section.title, section.note) == ("1. Evaluation", "")
    assert section.changes == (
        Change("Percentage of (daily loss)", "the figure that the loss is counted from", "the initial balance"),
        Change("Profit target, %", "8 %", "6 %"),
        Change("Best day at most, %", "off", "30 %"),
        Change("Positions may stay open over the weekend", "yes", "no"),
    )
    assert section.lost == ("Pass when balance reaches 108,000.00 USD, 8 % over the initial balance.",)
    assert section.gained[0] == "Pass when balance reaches 106,000.00 USD, 6 % over the initial balance."
    assert len(section.gained) == 3


def test_a_funded_phase_shows_its_split_as_a_percentage() -> None:
    before = {"program": PROGRAM, "phases": [phase(1, "Funded", phase_type=1, profit_split="0.8")]}
    after = {"program": PROGRAM, "phases": [phase(1, "Funded", phase_type=1, profit_split="0.855")]}

    assert differences(before, after)[0].changes == (Change("Profit split", "80 %", "85.5 %"),)


def test_a_phase_in_front_is_added_and_the_others_keep_their_identity() -> None:
    after = {"program": PROGRAM, "phases": [phase(1, "Warm-up"), phase(2, "Evaluation"), phase(3, "Verification")]}

    sections = differences(TERMS, after)

    assert [(section.title, section.note) for section in sections] == [
        ("1. Warm-up", "added"),
        ("2. Evaluation", "was phase 1"),
        ("3. Verification", "was phase 2"),
    ]
    assert Change("Initial balance", "-", "100,000.00 USD") in sections[0].changes
    assert sections[1].changes == ()


def test_a_removed_phase_is_named_with_what_it_said() -> None:
    [section] = differences(TERMS, {"program": PROGRAM, "phases": [phase(1, "Evaluation")]})

    assert (section.title, section.note, section.gained) == ("2. Verification", "removed", ())
    assert "Pass when balance reaches 108,000.00 USD, 8 % over the initial balance." in section.lost


def test_a_renamed_phase_is_the_one_at_its_place() -> None:
    after = {"program": PROGRAM, "phases": [phase(1, "Evaluation"), phase(2, "Check")]}

    [section] = differences(TERMS, after)

    assert (section.title, section.note) == ("2. Check", "")
    assert section.changes == (Change("Name", "Verification", "Check"),)


def test_swapped_phases_moved_and_did_not_change() -> None:
    after = {"program": PROGRAM, "phases": [phase(1, "Verification"), phase(2, "Evaluation")]}

    notes = [(section.title, section.note, section.changes) for section in differences(TERMS, after)]

    assert notes == [("1. Verification", "was phase 2", ()), ("2. Evaluation", "was phase 1", ())]


def test_a_moved_day_is_told_in_every_phase() -> None:
    sections = differences(TERMS, changed(day_reset_time="17:00"))

    assert [section.title for section in sections] == ["General", "1. Evaluation", "2. Verification"]
    assert sections[1].gained == ("A trading day starts at 17:00 UTC time.",)


def test_a_new_program_is_all_new() -> None:
    sections = differences(None, TERMS)

    assert [(section.title, section.note) for section in sections] == [
        ("General", ""),
        ("1. Evaluation", "added"),
        ("2. Verification", "added"),
    ]
    assert Change("Price", "-", "499.00 USD") in sections[0].changes


def test_a_summary_names_the_first_changes_and_counts_the_rest() -> None:
    after = changed(price="1", name="Other")
    after["phases"][1].update(profit_target_pct="5", max_total_loss_pct="9")

    assert summary(differences(TERMS, after)) == "Name; Price; 2. Verification: Max total loss, %; and 1 more"
