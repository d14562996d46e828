"""What is believed of a broker's figures, before any rule looks at them."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar, cast

import pytest

from brokers.client.base import AccountStats, Broker
from brokers.client.errors import BrokerError, NoDataError
from challenges.services.gate import Reading, are_too_many, confirms, doubt
from challenges.services.reading import Known, UnitReading, read_unit
from tests.challenges.firm import START, Clock

T = TypeVar("T")
LAST = {"balance": Decimal(100000), "equity": Decimal(100000)}


def reading(balance: str, equity: str) -> Reading:
    return Reading(balance=Decimal(balance), equity=Decimal(equity), margin=Decimal(0))


def stats(login: int, balance: str, equity: str, margin: str = "0") -> AccountStats:
    figures = (Decimal(balance), Decimal(equity), Decimal(margin), Decimal(0), Decimal(0))
    return AccountStats(login, *figures)


@dataclass
class ScriptedBroker:
    """Answers as told, one answer per call: rows, or an error. A list and a single answer take as long as told."""

    unit_answers: list[dict[int, AccountStats] | BrokerError]
    account_answers: list[AccountStats | BrokerError] = field(default_factory=list)
    clock: Clock = field(default_factory=Clock)
    slow: timedelta = timedelta(0)
    list_takes: timedelta = timedelta(0)

    def accounts_stats(self, *, unit: int) -> dict[int, AccountStats]:
        self.clock.now += self.list_takes
        return given(self.unit_answers.pop(0))

    def account_stats(self, *, unit: int, login: int) -> AccountStats:
        self.clock.now += self.slow
        return given(self.account_answers.pop(0))


def given(answer: T | BrokerError) -> T:
    if isinstance(answer, BrokerError):
        raise answer
    return answer


def look(broker: ScriptedBroker, *logins: int) -> UnitReading:
    accounts = [Known(login=login, **LAST) for login in logins]
    return read_unit(cast(Broker, broker), unit=1, accounts=accounts, clock=broker.clock)


@pytest.mark.parametrize(
    ("balance", "equity", "why"),
    [
        ("100000", "100000", ""),
        ("100000", "70000", ""),
        ("100000", "69999.99", "equity went from 100000 to 69999.99 at once"),
        ("100000", "130000", ""),
        ("100000", "130000.01", "equity went from 100000 to 130000.01 at once"),
        ("0", "100000", "balance fell to zero"),
        ("100000", "0", "equity fell to zero"),
        ("100000", "-5", "equity went from 100000 to -5 at once"),
    ],
)
def test_zeros_and_jumps_of_more_than_30_percent_want_a_second_reading(balance: str, equity: str, why: str) -> None:
    assert doubt(reading(balance, equity), **LAST) == why


def test_figures_that_were_believed_before_are_not_doubted_again() -> None:
    assert doubt(reading("0", "0"), balance=Decimal(0), equity=Decimal(0)) == ""


@pytest.mark.parametrize(
    ("second", "holds"),
    [("50000", True), ("49000", True), ("0", False), ("20000", False), ("99000", True)],
)
def test_a_second_reading_must_say_what_the_first_or_the_last_one_said(second: str, holds: bool) -> None:
    assert confirms(reading("100000", second), first=reading("100000", "50000"), **LAST) is holds


@pytest.mark.parametrize(
    ("taken_out", "watched", "too_many"),
    [(19, 19, False), (20, 400, False), (20, 399, True), (21, 400, True), (500, 10_000, False)],
)
def test_more_than_5_percent_and_at_least_20_accounts_at_once_are_too_many(
    taken_out: int, watched: int, too_many: bool
) -> None:
    assert are_too_many(taken_out=taken_out, watched=watched) is too_many


def test_an_account_that_the_answer_leaves_out_has_no_figures() -> None:
    result = look(ScriptedBroker([{1: stats(1, "100000", "99000")}]), 1, 2)

    assert set(result.figures) == {1}
    assert result.missing == {2: "the broker's answer has no readable figures of this account"}


def test_a_jump_that_the_second_reading_repeats_is_believed_as_of_the_second_reading() -> None:
    broker = ScriptedBroker([{1: stats(1, "100000", "60000")}], [stats(1, "100000", "59000")])

    result = look(broker, 1)

    figures, at = result.figures[1]
    assert figures.equity == Decimal(59000)
    assert START < result.read_at < at
    assert result.missing == {}


def test_a_zero_that_the_second_reading_takes_back_is_forgotten() -> None:
    broker = ScriptedBroker([{1: stats(1, "0", "0")}], [stats(1, "100000", "99500")])

    result = look(broker, 1)

    assert result.figures[1][0].equity == Decimal(99500)


def test_a_jump_that_cannot_be_read_again_is_no_data() -> None:
    broker = ScriptedBroker([{1: stats(1, "0", "0")}], [NoDataError("the broker answered 502")])

    result = look(broker, 1)

    assert result.figures == {}
    assert result.missing == {1: "balance fell to zero, and no second reading in time confirms it"}


def test_a_second_reading_that_comes_too_late_confirms_nothing() -> None:
    broker = ScriptedBroker([{1: stats(1, "0", "0")}], [stats(1, "0", "0")], slow=timedelta(seconds=10, microseconds=1))

    assert look(broker, 1).figures == {}


def test_an_account_of_a_unit_whose_list_takes_long_is_confirmed_within_10_seconds_of_the_list() -> None:
    slow_list, slow = timedelta(seconds=12), timedelta(seconds=1)
    broker = ScriptedBroker([{1: stats(1, "0", "0")}], [stats(1, "0", "0")], slow=slow, list_takes=slow_list)

    figures, at = look(broker, 1).figures[1]

    assert figures.equity == 0
    assert START + slow_list < at < START + slow_list + slow


def test_many_doubtful_accounts_of_a_unit_whose_list_takes_long_are_confirmed_by_the_second_list() -> None:
    zeros = {login: stats(login, "0", "0") for login in range(1, 7)}

    result = look(ScriptedBroker([zeros, zeros], list_takes=timedelta(seconds=12)), *range(1, 7))

    assert set(result.figures) == set(range(1, 7))


def test_many_doubtful_accounts_are_read_again_by_one_call() -> None:
    zeros = {login: stats(login, "0", "0") for login in range(1, 7)}
    fine = {login: stats(login, "100000", "100000") for login in range(1, 7)}

    result = look(ScriptedBroker([zeros, fine]), *range(1, 7))

    assert {figures.equity for figures, _ in result.figures.values()} == {Decimal(100000)}


def test_a_unit_that_cannot_be_read_is_an_error_and_no_figures() -> None:
    with pytest.raises(NoDataError):
        look(ScriptedBroker([NoDataError("not JSON")]), 1)
