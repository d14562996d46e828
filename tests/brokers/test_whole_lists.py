"""Which lists of a unit's accounts are believed."""

import pytest

from brokers.client.base import AccountDetails, Broker
from brokers.client.errors import NoDataError
from brokers.models import AccountGroup, BrokerConnection, Difference, TradingAccount
from brokers.services import broker_for
from brokers.services.whole_lists import known_logins, require_whole
from propdesk.lib.times import utc_now
from tests.brokers.driving import fault
from tests.simulator import DEMO_UNIT, Simulator

# The broker knows no accounts of these numbers.
NOBODIES = range(987_654_301, 987_654_321)


@pytest.fixture
def broker(broker_connection: BrokerConnection) -> Broker:
    return broker_for(broker_connection)


def listed(broker: Broker, *, without: int = 0) -> tuple[dict[int, AccountDetails], set[int]]:
    """The unit's accounts with the last ones cut off, and the numbers of them all."""
    whole = broker.accounts_details(unit=DEMO_UNIT)
    return dict(list(whole.items())[: len(whole) - without]), set(whole)


def test_an_account_that_is_known_to_be_missing_need_not_be_in_a_list(demo_group: AccountGroup):
    for login in NOBODIES[:3]:
        TradingAccount.objects.create(connection=demo_group.connection, group=demo_group, login=login)
    Difference.objects.create(
        connection=demo_group.connection, unit=demo_group.unit, login=NOBODIES[0], kind=Difference.Kind.MISSING_ACCOUNT,
        first_seen_at=utc_now(), last_seen_at=utc_now(), updated_at=utc_now(),
    )  # fmt: skip
    assert known_logins(demo_group.connection, unit=demo_group.unit) == set(NOBODIES[1:3])


def opened(simulator: Simulator, count: int) -> None:
    for _ in range(count):
        simulator.open_account(unit=DEMO_UNIT)


def test_a_list_that_misses_one_of_few_accounts_is_no_data(simulator: Simulator, broker: Broker):
    opened(simulator, 2)
    accounts, numbers = listed(broker, without=1)
    # Two of those we know, so that one is half of them whatever else the simulator holds.
    known = set(sorted(numbers)[-2:])
    with pytest.raises(NoDataError):
        require_whole(accounts, known=known, broker=broker)


def test_accounts_that_no_longer_exist_do_not_make_a_list_unsound(simulator: Simulator, broker: Broker):
    opened(simulator, 1)
    accounts, numbers = listed(broker)
    require_whole(accounts, known={max(numbers), *NOBODIES[:5]}, broker=broker)


def test_more_than_five_missing_accounts_are_not_asked_for_one_by_one(simulator: Simulator, broker: Broker):
    opened(simulator, 1)
    accounts, numbers = listed(broker)
    simulator.faults({"endpoint": "account-details", "fault": "error_before"})
    with pytest.raises(NoDataError, match="misses too many of the 7 that we know"):
        require_whole(accounts, known={max(numbers), *NOBODIES[:6]}, broker=broker)
    assert simulator.injected() == 0


def test_one_in_twenty_may_be_missing_without_a_question(simulator: Simulator, broker: Broker):
    opened(simulator, 19)
    accounts, numbers = listed(broker)
    simulator.faults(fault("account-details", "error_before"))
    require_whole(accounts, known={*sorted(numbers)[-19:], NOBODIES[0]}, broker=broker)
    assert simulator.injected() == 0


def test_a_question_without_an_answer_leaves_the_list_in_doubt(simulator: Simulator, broker: Broker):
    opened(simulator, 1)
    accounts, numbers = listed(broker)
    simulator.faults(fault("account-details", "error_before"))
    with pytest.raises(NoDataError, match="500"):
        require_whole(accounts, known={max(numbers), NOBODIES[0]}, broker=broker)
