"""What every adapter's reads say, and that they say nothing rather than something wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from brokers.client.base import AccountStats
from brokers.client.errors import NoDataError, RefusedError
from tests.brokers.contract.conftest import Bench

NOBODY = 999_999_999


def test_the_broker_is_there_and_names_its_units(bench: Bench):
    bench.broker.ping()
    assert bench.unit in bench.broker.units()


def test_one_account_reads_the_same_alone_and_in_the_list(bench: Bench):
    login = bench.opened(f"p-{uuid4().hex}@accounts.example", is_enabled=True)
    bench.hand.set(login, balance=1000, equity=900.5)
    assert bench.broker.accounts_details(unit=bench.unit)[login] == bench.broker.account_details(login=login)
    stats = bench.broker.account_stats(unit=bench.unit, login=login)
    assert bench.broker.accounts_stats(unit=bench.unit)[login] == stats
    assert (stats.balance, stats.equity, stats.pnl) == (Decimal(1000), Decimal("900.5"), Decimal("-99.5"))
    assert stats.free_margin == stats.equity - stats.margin
    assert stats.margin > 0


def test_an_open_position_and_then_the_closed_one_are_the_same_trade(bench: Bench):
    begun = datetime.now(UTC)
    login = bench.opened()
    position = {"symbol": "XAUUSD", "lots": 0.5, "quantity": -50.0, "openPrice": 2439.05, "realTimePL": 12.34}
    bench.hand.set(login, balance=1000, positions=[position])
    (opened,) = [each for each in bench.broker.opened_positions(unit=bench.unit) if each.login == login]
    assert (opened.symbol, opened.lots, opened.quantity) == ("XAUUSD", Decimal("0.5"), Decimal(-50))
    assert (opened.open_price, opened.profit) == (Decimal("2439.05"), Decimal("12.34"))

    bench.broker.close_position(unit=bench.unit, login=login, position_id=opened.position_id)
    between: dict[str, Any] = {"since": begun - timedelta(minutes=1), "until": datetime.now(UTC) + timedelta(minutes=1)}
    (closed,) = bench.broker.account_closed_positions(unit=bench.unit, login=login, **between)
    assert (closed.position_id, closed.symbol, closed.quantity) == (opened.position_id, "XAUUSD", Decimal(-50))
    assert closed.profit == Decimal("12.34")
    # Printed in milliseconds, rounded, while it is open, and in whole seconds, cut off, once it is closed.
    assert abs(closed.opened_at - opened.opened_at) <= timedelta(seconds=1)
    assert closed.opened_at <= closed.closed_at
    everyone = bench.broker.closed_positions(unit=bench.unit, **between)
    assert [each for each in everyone if each.login == login] == [closed]


def test_what_was_closed_at_another_time_is_left_out(bench: Bench):
    login, long_ago = bench.opened(), datetime(2020, 1, 1, tzinfo=UTC)
    bench.hand.set(login, balance=1000, positions=[{"realTimePL": 1.0}])
    bench.broker.close_all_positions(unit=bench.unit, login=login)
    between: dict[str, Any] = {"since": long_ago, "until": long_ago + timedelta(days=1)}
    assert bench.broker.account_closed_positions(unit=bench.unit, login=login, **between) == []
    assert bench.broker.closed_positions(unit=bench.unit, **between) == []


Read = Callable[[Bench, int], Any]
# Asked twice, a period must hold the same: "until now" would take in a trade of this very second only later.
EVER: dict[str, Any] = {"since": datetime(2024, 1, 1, tzinfo=UTC), "until": datetime(2099, 1, 1, tzinfo=UTC)}
READS: dict[str, Read] = {
    "account-details": lambda bench, login: bench.broker.account_details(login=login),
    "accounts-details": lambda bench, login: bench.broker.accounts_details(unit=bench.unit),
    "account-stats": lambda bench, login: bench.broker.account_stats(unit=bench.unit, login=login),
    "accounts-stats": lambda bench, login: bench.broker.accounts_stats(unit=bench.unit),
    "opened-positions": lambda bench, login: bench.broker.opened_positions(unit=bench.unit),
    "closed-positions": lambda bench, login: bench.broker.closed_positions(unit=bench.unit, **EVER),
    "account-closed-positions": lambda bench, login: bench.broker.account_closed_positions(
        unit=bench.unit, login=login, **EVER
    ),
    "account-transfers": lambda bench, login: bench.broker.account_transfers(unit=bench.unit, login=login),
    "get-all": lambda bench, login: bench.broker.units(),
}


@pytest.mark.parametrize("endpoint", ["account-details", "account-stats", "account-transfers"])
def test_an_account_that_does_not_exist_is_refused(bench: Bench, endpoint: str):
    with pytest.raises(RefusedError):
        READS[endpoint](bench, NOBODY)


@pytest.mark.parametrize("kind", ["drop_after", "error_before", "truncate_after", "string_json"])
@pytest.mark.parametrize("endpoint", READS)
def test_a_read_without_a_clear_answer_is_no_data(bench: Bench, endpoint: str, kind: str):
    login = bench.opened()
    bench.hand.faults({"endpoint": endpoint, "fault": kind, "times": 1})
    with pytest.raises(NoDataError):
        READS[endpoint](bench, login)


PRINTED = ["accounts-details", "accounts-stats", "opened-positions", "closed-positions", "account-closed-positions"]


@pytest.mark.parametrize("endpoint", PRINTED)
def test_the_broker_s_own_mistakes_in_writing_are_read_over(bench: Bench, endpoint: str):
    login = bench.opened()
    bench.hand.set(login, balance=1000, positions=[{"realTimePL": 1.0}, {"realTimePL": 2.0}])
    bench.hand.faults({"endpoint": endpoint, "fault": "printed_form", "times": 1})
    printed = READS[endpoint](bench, login)
    assert bench.hand.injected() == 1
    assert printed == READS[endpoint](bench, login)


@pytest.mark.parametrize("endpoint", ["accounts-details", "accounts-stats"])
def test_the_same_row_twice_is_one_account(bench: Bench, endpoint: str):
    login = bench.opened()
    bench.hand.faults({"endpoint": endpoint, "fault": "duplicate_rows", "times": 1})
    assert READS[endpoint](bench, login) == READS[endpoint](bench, login)


@pytest.mark.parametrize("kind", ["conflicting_rows", "numbers_as_strings", "null_balance", "nan_balance"])
def test_a_row_that_says_nothing_certain_makes_no_account_of_the_list_wrong(bench: Bench, kind: str):
    bench.opened()
    true: dict[int, AccountStats] = bench.broker.accounts_stats(unit=bench.unit)
    bench.hand.faults({"endpoint": "accounts-stats", "fault": kind, "times": 1})
    read = bench.broker.accounts_stats(unit=bench.unit)
    assert len(read) == len(true) - 1
    assert read.items() <= true.items()


@pytest.mark.parametrize("kind", ["conflicting_rows", "numbers_as_strings", "null_balance", "nan_balance"])
def test_a_list_that_decides_about_absence_is_taken_whole_or_not_at_all(bench: Bench, kind: str):
    bench.opened()
    bench.hand.faults({"endpoint": "accounts-details", "fault": kind, "times": 1})
    with pytest.raises(NoDataError):
        bench.broker.accounts_details(unit=bench.unit)
