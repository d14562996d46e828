"""Reading replies: exact figures, strict types, and the forms that the vendor's page prints."""

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from brokers.client.errors import NoDataError
from brokers.client.payloads import MalformedError, decode, decode_read
from brokers.client.thinkmarkets import ThinkMarkets
from brokers.client.transport import SMALL, Allowance, Reply, Transport


class Canned(Transport):
    """A transport that has its answer already."""

    def __init__(self, body: str) -> None:
        object.__setattr__(self, "body", body)

    def send(self, method: str, path: str, body: object = None, *, allowance: Allowance = SMALL) -> Reply:
        return Reply(200, self.body.encode())  # type: ignore[attr-defined]


def reading(body: str) -> ThinkMarkets:
    return ThinkMarkets(Canned(body))


STATS = (
    '{"accountNumber": 7, "balance": 100000.1, "equity": 95000.07, "margin": 0, '
    '"freeMargin": 95000.07, "pnl": -5000.03}'
)


@pytest.mark.parametrize(
    "body",
    [f"[{STATS}]", f"[{STATS}, {STATS}]", f"{{ [ {STATS} ] }}", f"{{\n [\n {STATS},\n ]\n}} \n", f"[{STATS},]"],
    ids=["valid", "the same row twice", "array in braces", "as printed in 3.11", "trailing comma"],
)
def test_the_printed_forms_of_all_stats_are_read(body: str):
    stats = reading(body).accounts_stats(unit=1)
    assert list(stats) == [7]
    assert (stats[7].balance, stats[7].equity) == (Decimal("100000.1"), Decimal("95000.07"))


@pytest.mark.parametrize(
    "body",
    ["", "{}", "null", '"[]"', "{ [", f"[{STATS}", f"[{STATS}, ", "[[]]", "[1]", '{"status": "success"}', "{ [ ] ",
     "<html>",
     f"[{STATS}, {STATS.replace('95000.07', '94000')}]", f"[{STATS.replace('7', 'true', 1)}]",
     f"[{STATS.replace('100000.1', 'null')}]", f"[{STATS.replace('100000.1', '1e16')}]",
     f"[{STATS.replace('100000.1', '1e999999999')}]", f"[{STATS.replace(': 7', ': -7')}]"],
)  # fmt: skip
def test_garbage_is_no_data_and_never_an_empty_list(body: str):
    with pytest.raises(NoDataError):
        reading(body).accounts_stats(unit=1)


OTHER_STATS = STATS.replace(": 7,", ": 8,")


@pytest.mark.parametrize(
    "row",
    [STATS.replace("100000.1", "NaN"), STATS.replace("100000.1", "-Infinity"), STATS.replace("100000.1", "null"),
     STATS.replace("100000.1", '"100000.1"'), STATS.replace("100000.1", "1e16"), STATS.replace('"pnl"', '"PnL"'),
     f"{STATS}, {STATS.replace('95000.07', '94000')}", f"{STATS}, {STATS.replace('95000.07', 'NaN')}",
     f"{STATS.replace('95000.07', 'NaN')}, {STATS}"],
    ids=["NaN", "minus infinity", "null", "a string", "too large", "a field missing",
         "twice with other figures", "good, then NaN", "NaN, then good"],
)  # fmt: skip
def test_an_account_without_certain_figures_is_left_out_and_the_others_are_read(row: str):
    assert list(reading(f"[{row}, {OTHER_STATS}]").accounts_stats(unit=1)) == [8]


@pytest.mark.parametrize("row", ["null", "1", "[]", "{}", '{"accountNumber": [7]}', STATS.replace("7", "true", 1)])
def test_a_row_that_names_no_account_spoils_no_other(row: str):
    assert list(reading(f"[{row}, {OTHER_STATS}]").accounts_stats(unit=1)) == [8]


def test_details_are_read_whole_or_not_at_all():
    """An account that is left out there counts as absent, and is opened again."""
    good = '{"accountNumber": 7, "email": "a@example.com", "group": "1:A", "enabled": true, "balance": 1}'
    assert list(reading(f"[{good}]").accounts_details(unit=1)) == [7]
    with pytest.raises(NoDataError):
        reading(f"[{good}, {good.replace(': 7,', ': 8,').replace(': 1}', ': NaN}')}]").accounts_details(unit=1)


def test_a_write_answered_with_nan_is_malformed():
    with pytest.raises(MalformedError):
        decode(b'{"status": "success", "accountBalance": NaN}')


def test_a_comma_before_a_bracket_inside_a_name_stays():
    assert decode_read(b'{ [ {"a": "x,]", "b": "\\",}"}, ] }') == [{"a": "x,]", "b": '",}'}]


def test_writes_are_read_strictly():
    with pytest.raises(MalformedError):
        decode(b'{"status": "success",}')


def test_figures_keep_every_digit_up_to_eight_decimals():
    body = STATS.replace("-5000.03", "51.48889999999992").replace("100000.1", "0.10000000000000000555")
    stats = reading(body).account_stats(unit=1, login=7)
    assert (stats.pnl, stats.balance) == (Decimal("51.4889"), Decimal("0.1"))


def test_another_account_than_the_one_asked_for_is_no_data():
    with pytest.raises(NoDataError, match="not the account that was asked for"):
        reading(STATS).account_stats(unit=1, login=8)


TRANSFERS = (
    r'"[{\"amount\":\"50.00000000\",\"createdDate\":\"2024-06-18 14:30:16.273\",\"type\":\"DEPOSIT\"},'
    r'{\"amount\":\"20.50000000\",\"createdDate\":\"2024-06-18 14:30:28.41\",\"type\":\"WITHDRAWAL\"}]"'
)


def test_transfers_come_as_text_in_text_and_withdrawals_count_below_zero():
    transfers = reading(f'{{"status": "success", "result": {TRANSFERS}}}').account_transfers(unit=1, login=7)
    assert [each.amount for each in transfers] == [Decimal(50), Decimal("-20.5")]
    assert transfers[1].at == datetime(2024, 6, 18, 14, 30, 28, 410_000, tzinfo=UTC)


POSITION = (
    '{"accountId":49513940,"positionId":100776741,"symbol":"BTCUSD","lots":0.01,"quantity":-0.01,"usdQuantity":-616.043,'
    '"direction":"Sell","openTime":1716190353400,"openPrice":66779.79,"realTimePL":51.48889999999992}'
)


@pytest.mark.parametrize(
    "result",
    [POSITION.replace('"', '\\"'), POSITION, POSITION + ",\n"],
    ids=["escaped", "as printed in 3.14", "with a trailing comma"],
)
def test_open_positions_are_read_with_and_without_escaped_quotes(result: str):
    body = f'{{"status": "success", "result": "[{result}]"}}'
    (position,) = reading(body).opened_positions(unit=1)
    assert (position.login, position.quantity, position.profit) == (49513940, Decimal("-0.01"), Decimal("51.4889"))
    assert position.opened_at == datetime(2024, 5, 20, 7, 32, 33, 400_000, tzinfo=UTC)


def test_units_are_a_map_from_id_to_name():
    assert reading('{"49490520": "TEST_USD_FTP"}').units() == {49490520: "TEST_USD_FTP"}


def test_a_ping_wants_status_200_in_the_body():
    reading('{"status": 200}').ping()
    with pytest.raises(NoDataError):
        reading('{"status": 503}').ping()


def test_a_hundred_thousand_rows_are_read_within_seconds():
    rows = ",".join(STATS.replace(": 7,", f": {number},") for number in range(1, 100_001))
    begun = time.process_time()
    assert len(reading(f"[{rows}]").accounts_stats(unit=1)) == 100_000
    # One second or two; what looks at every row for every row takes minutes.
    assert time.process_time() - begun < 30
