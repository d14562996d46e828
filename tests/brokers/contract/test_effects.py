"""What every adapter's writes do, told by its own reads."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from brokers.client.base import NewAccount
from brokers.client.errors import OutcomeUnknownError, RefusedError, ThrottledError
from tests.brokers.contract.conftest import Bench

NOBODY = 999_999_999


def test_an_account_is_created_as_asked_for(bench: Bench):
    email = f"p-{uuid4().hex}.1@accounts.example"
    login = bench.opened(email)
    details = bench.broker.account_details(login=login)
    assert (details.login, details.email, details.is_enabled, details.balance) == (login, email, False, Decimal(0))
    assert bench.broker.account_transfers(unit=bench.unit, login=login) == []


def test_two_creations_are_two_accounts(bench: Bench):
    assert bench.opened() != bench.opened()


@pytest.mark.parametrize("change", ["group", "unit", "password"])
def test_a_creation_that_the_broker_refuses_is_a_definite_no(bench: Bench, change: str):
    good = bench.new(f"p-{uuid4().hex}@accounts.example")
    values = {name: getattr(good, name) for name in NewAccount.__dataclass_fields__}
    bad = NewAccount(**values | {change: {"group": "nowhere", "unit": NOBODY, "password": "weak"}[change]})
    with pytest.raises(RefusedError) as caught:
        bench.broker.create_account(bad)
    assert "weak" not in re.split(r"\W+", str(caught.value))
    assert good.email not in {row.email for row in bench.broker.accounts_details(unit=bench.unit).values()}


def test_money_goes_in_and_out_to_the_cent(bench: Bench):
    login = bench.opened()
    account = {"unit": bench.unit, "login": login}
    assert bench.broker.deposit(**account, amount=Decimal("1000.10"), comment="in") == Decimal("1000.10")
    assert bench.broker.withdraw(**account, amount=Decimal("0.07"), comment="out") == Decimal("1000.03")
    transfers = bench.broker.account_transfers(**account)
    assert [each.amount for each in transfers] == [Decimal("1000.10"), Decimal("-0.07")]
    assert all(abs(each.at - datetime.now(UTC)) < timedelta(minutes=1) for each in transfers)
    stats = bench.broker.account_stats(**account)
    assert stats.balance == stats.equity == Decimal("1000.03")
    assert stats.margin == stats.pnl == Decimal(0)


def test_more_than_there_is_cannot_be_taken(bench: Bench):
    login = bench.opened()
    with pytest.raises(RefusedError):
        bench.broker.withdraw(unit=bench.unit, login=login, amount=Decimal(1), comment="x")
    assert bench.broker.account_transfers(unit=bench.unit, login=login) == []


def test_an_amount_that_the_wire_cannot_carry_is_never_sent(bench: Bench):
    login = bench.opened()
    with pytest.raises(RefusedError, match="more digits"):
        bench.broker.deposit(unit=bench.unit, login=login, amount=Decimal("123456789012.12345678"), comment="x")
    assert bench.broker.account_transfers(unit=bench.unit, login=login) == []


def test_an_account_is_enabled_and_disabled_any_number_of_times(bench: Bench):
    login = bench.opened()
    for enabled in (True, True, False, False):
        bench.broker.set_enabled(unit=bench.unit, login=login, enabled=enabled)
        assert bench.broker.account_details(login=login).is_enabled == enabled


def test_one_position_is_closed_or_all_of_them(bench: Bench):
    login = bench.opened()
    account = {"unit": bench.unit, "login": login}
    rows = bench.hand.set(login, balance=1000, positions=[{"realTimePL": profit} for profit in (-10, 20, 30)])
    first = rows["positions"][0]["positionId"]
    bench.broker.close_position(**account, position_id=first)
    left = [each for each in bench.broker.opened_positions(unit=bench.unit) if each.login == login]
    assert [each.profit for each in left] == [Decimal(20), Decimal(30)]
    bench.broker.close_all_positions(**account)
    assert not [each for each in bench.broker.opened_positions(unit=bench.unit) if each.login == login]
    assert bench.broker.account_stats(**account).balance == Decimal(1040)


def test_closing_a_position_that_is_not_there_is_refused(bench: Bench):
    with pytest.raises(RefusedError):
        bench.broker.close_position(unit=bench.unit, login=bench.opened(), position_id=NOBODY)


def test_a_password_is_reset_unless_it_is_too_weak(bench: Bench):
    login = bench.opened()
    bench.broker.reset_password(unit=bench.unit, login=login, password="Passw0rd!")
    with pytest.raises(RefusedError):
        bench.broker.reset_password(unit=bench.unit, login=login, password="weak")


WRITES = {
    "deposit": lambda bench, login: bench.broker.deposit(
        unit=bench.unit, login=login, amount=Decimal(5), comment="x"
    ),
    "withdraw": lambda bench, login: bench.broker.withdraw(
        unit=bench.unit, login=login, amount=Decimal(5), comment="x"
    ),
    "enable": lambda bench, login: bench.broker.set_enabled(unit=bench.unit, login=login, enabled=True),
    "close-all-positions": lambda bench, login: bench.broker.close_all_positions(unit=bench.unit, login=login),
    "reset-password": lambda bench, login: bench.broker.reset_password(
        unit=bench.unit, login=login, password="Passw0rd!"
    ),
}  # fmt: skip


@pytest.mark.parametrize("endpoint", WRITES)
def test_an_account_that_does_not_exist_is_refused(bench: Bench, endpoint: str):
    with pytest.raises(RefusedError):
        WRITES[endpoint](bench, NOBODY)


@pytest.mark.parametrize("kind", ["drop_after", "error_after", "truncate_after", "error_before", "string_json"])
@pytest.mark.parametrize("endpoint", WRITES)
def test_a_write_whose_answer_is_lost_or_unclear_is_in_doubt(bench: Bench, endpoint: str, kind: str):
    login = bench.opened()
    bench.broker.deposit(unit=bench.unit, login=login, amount=Decimal(10), comment="x")
    bench.hand.faults({"endpoint": endpoint, "fault": kind, "times": 1})
    with pytest.raises(OutcomeUnknownError):
        WRITES[endpoint](bench, login)


@pytest.mark.parametrize("endpoint", WRITES)
def test_throttling_means_that_nothing_happened(bench: Bench, endpoint: str):
    login = bench.opened()
    bench.hand.faults({"endpoint": endpoint, "fault": "too_many_requests", "times": 1})
    with pytest.raises(ThrottledError):
        WRITES[endpoint](bench, login)
    assert not bench.broker.account_details(login=login).is_enabled
