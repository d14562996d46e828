"""The vendor's own samples as its page prints them, figures in place of the type names. Five are not valid JSON."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.client.base import AccountDetails, NewAccount
from brokers.client.errors import NoDataError, OutcomeUnknownError
from brokers.client.thinkmarkets import ThinkMarkets
from tests.brokers.client.test_payloads import reading

SAMPLES = Path(__file__).parents[2] / "fixtures" / "thinkmarkets"
FIGURE = Decimal("100000.25")
SINCE, UNTIL = datetime(2024, 2, 10, tzinfo=UTC), datetime(2024, 2, 15, tzinfo=UTC)
NEW = NewAccount(1, "g", "p@example.com", "A", "B", "USD", "Passw0rd!")
MONEY: dict[str, Any] = {"unit": 1, "login": 2, "amount": Decimal(5), "comment": "x"}
ACCOUNT: dict[str, Any] = {"unit": 1, "login": 2}


def sample(number: str) -> str:
    (path,) = SAMPLES.glob(f"{number.replace('.', '-')}-*.txt")
    return path.read_text()


WRITES: dict[str, tuple[Callable[[ThinkMarkets], object], object]] = {
    "3.1": (lambda client: client.create_account(NEW), 49600001),
    "3.2": (lambda client: client.deposit(**MONEY), FIGURE),
    "3.3": (lambda client: client.withdraw(**MONEY), FIGURE),
    "3.4": (lambda client: client.set_enabled(**ACCOUNT, enabled=True), None),
    "3.5": (lambda client: client.close_all_positions(**ACCOUNT), None),
    "3.6": (lambda client: client.close_position(**ACCOUNT, position_id=3), None),
    "3.17": (lambda client: client.reset_password(**ACCOUNT, password="Passw0rd!"), None),
}
READS: dict[str, Callable[[ThinkMarkets], Any]] = {
    "3.7": lambda client: client.closed_positions(unit=1, since=SINCE, until=UNTIL),
    "3.8": lambda client: client.account_closed_positions(**ACCOUNT, since=SINCE, until=UNTIL),
    "3.9": lambda client: client.accounts_details(unit=1),
    "3.10": lambda client: client.account_details(login=49600001),
    "3.11": lambda client: client.accounts_stats(unit=1),
    "3.12": lambda client: client.account_stats(unit=1, login=49600001),
    "3.14": lambda client: client.opened_positions(unit=1),
    "3.15": lambda client: client.account_transfers(**ACCOUNT),
    "3.16": lambda client: client.units(),
}
NOT_JSON = ["3.7", "3.8", "3.9", "3.11", "3.14"]


def test_every_endpoint_of_the_page_has_its_sample():
    numbers = {path.name.split("-")[0] + "." + path.name.split("-")[1] for path in SAMPLES.iterdir()}
    assert numbers == {*WRITES, *READS, "3.13"}
    assert len(numbers) == 17


@pytest.mark.parametrize("number", WRITES)
def test_the_printed_answers_to_writes_are_understood(number: str):
    call, expected = WRITES[number]
    assert call(reading(sample(number))) == expected


def test_the_printed_ping_is_understood():
    reading(sample("3.13")).ping()


@pytest.mark.parametrize("number", NOT_JSON)
def test_five_samples_are_not_json_as_printed(number: str):
    with pytest.raises(ValueError):
        json.loads(sample(number))


@pytest.mark.parametrize(("number", "minutes"), [("3.7", (20, 30)), ("3.8", (30, 39))])
def test_closed_positions_are_read_as_printed(number: str, minutes: tuple[int, int]):
    bought, sold = READS[number](reading(sample(number)))
    assert (bought.login, bought.position_id, bought.quantity) == (49600001, 49600002, FIGURE)
    assert (sold.login, sold.position_id, sold.quantity) == (49600003, 49600004, -FIGURE)
    times = [datetime(2024, 2, 10, 9, minute, 47, tzinfo=UTC) for minute in minutes]
    assert [sold.opened_at, sold.closed_at] == times
    assert (sold.open_price, sold.close_price, sold.profit) == (FIGURE, FIGURE, FIGURE)


def test_details_are_read_as_printed():
    accounts = READS["3.9"](reading(sample("3.9")))
    assert list(accounts) == [49600001, 49600003]
    expected = AccountDetails(login=49600001, email="text", group="text", is_enabled=True, balance=FIGURE)
    assert accounts[49600001] == READS["3.10"](reading(sample("3.10"))) == expected


def test_stats_are_read_as_printed():
    all_stats = READS["3.11"](reading(sample("3.11")))
    assert list(all_stats) == [49600001, 49600002]
    assert all_stats[49600001] == READS["3.12"](reading(sample("3.12")))
    assert all_stats[49600001].free_margin == FIGURE


def test_open_positions_transfers_and_units_are_read_as_printed():
    assert [each.quantity for each in READS["3.14"](reading(sample("3.14")))] == [Decimal("-0.01"), Decimal("3.0")]
    assert [each.amount for each in READS["3.15"](reading(sample("3.15")))] == [Decimal(50), Decimal(50)]
    assert READS["3.16"](reading(sample("3.16"))) == {49490520: "TEST_USD_FTP"}


@pytest.mark.parametrize("number", READS)
def test_no_part_of_a_printed_sample_passes_for_the_whole(number: str):
    text = sample(number).strip()
    for end in range(len(text)):
        with pytest.raises(NoDataError):
            READS[number](reading(text[:end]))


@pytest.mark.parametrize("number", NOT_JSON)
def test_a_write_never_takes_a_tolerant_reading(number: str):
    with pytest.raises(OutcomeUnknownError):
        reading(sample(number)).create_account(NEW)


@pytest.mark.parametrize("body", ['{"status": "error"}', '{"status": "success"}', "[]", "null", ""])
def test_a_password_reset_counts_only_with_the_documented_answer(body: str):
    with pytest.raises(OutcomeUnknownError):
        reading(body).reset_password(**ACCOUNT, password="Passw0rd!")


def test_an_array_of_arrays_is_only_taken_where_the_page_prints_one():
    empty = '{"status": "success", "message": "[[]]", "result": "[[]]"}'
    assert READS["3.7"](reading(empty)) == []
    for number in ("3.8", "3.14", "3.15"):
        with pytest.raises(NoDataError):
            READS[number](reading(empty))


def test_a_document_may_not_be_nested_without_end():
    deep = '{"1": "a", "x": ' + "[" * 40 + "]" * 40 + "}"
    with pytest.raises(NoDataError, match="nested too deeply"):
        reading(deep).units()
