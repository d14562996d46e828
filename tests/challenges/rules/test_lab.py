import json
from decimal import Decimal
from typing import Any

import pytest

from challenges.rules.documents import LabError, parsed_json
from challenges.rules.lab import run_lab

# The document of the rules page, with its dots filled in.
PUBLISHED = """
{"initial_balance": "100000",
 "terms": {"max_daily_loss_pct": 5, "max_total_loss_pct": 10, "profit_target_pct": 10,
           "day_reset_time": "17:00", "day_reset_timezone": "America/New_York"},
 "observations": [{"at": "2025-01-13T08:00:00Z", "balance": "100000", "equity": "100000",
                   "positions": [{"id": 1, "symbol": "EURUSD", "lots": "1.0", "opened_at": "2025-01-13T07:30:00Z"}]},
                  {"at": "2025-01-13T09:00:00Z", "balance": "100000", "equity": "94999.99"},
                  {"at": "2025-01-13T10:00:00Z", "balance": "100000", "equity": "100000", "positions": []}],
 "trades": [{"opened_at": "2025-01-13T07:30:00Z", "closed_at": "2025-01-13T09:30:00Z", "profit": "250.00",
             "lots": "1.0", "symbol": "EURUSD"}]}
"""


def document(**changes: Any) -> dict[str, Any]:
    return {
        "initial_balance": "100000",
        "terms": {"max_daily_loss_pct": 5},
        "observations": [{"at": "2025-01-13T08:00:00Z", "balance": 100000, "equity": 100000}],
        **changes,
    }


def observed(**changes: Any) -> dict[str, Any]:
    row = {"at": "2025-01-13T08:00:00Z", "balance": "100000", "equity": "100000", **changes}
    return document(observations=[{name: value for name, value in row.items() if value != "absent"}])


def lab(raw: object) -> Any:
    return run_lab(parsed_json(json.dumps(raw)))


def refusal(raw: object) -> str:
    with pytest.raises(LabError) as caught:
        lab(raw)
    return str(caught.value)


def test_the_published_document_gives_the_published_result():
    levels = {"daily_loss": "95000.00", "total_loss": "90000.00", "profit_target": "110000.00", "daily_profit": None}
    breach = {"rule": "daily_loss", "level": "95000.00", "observed": "94999.99", "action": "fail"}
    row = {"trading_day": "2025-01-13", "levels": levels, "trading_days": 1}
    assert run_lab(parsed_json(PUBLISHED)) == {
        "observations": [
            {"at": "2025-01-13T08:00:00Z", **row, "breaches": [], "status": "active"},
            {"at": "2025-01-13T09:00:00Z", **row, "breaches": [breach], "status": "failed"},
            {"at": "2025-01-13T10:00:00Z", **row, "breaches": [], "status": "failed"},
        ],
        "status": "failed",
        "trading_days": 1,
        "best_day_share_pct": "100.00",
    }


def test_the_time_is_echoed_as_it_was_written():
    for written in ("2025-01-13T08:00:00+00:00", "2025-01-13 09:00:00.5+01:00", "20250113T080000Z"):
        assert lab(observed(at=written))["observations"][0]["at"] == written


def test_amounts_may_be_numbers_or_texts_and_come_back_as_texts():
    for balance in ("100000", 100000, 100000.0, "1e5"):
        levels = lab(document(initial_balance=balance))["observations"][0]["levels"]
        assert levels["daily_loss"] == "95000.00"


def test_a_level_shows_more_decimals_only_where_they_are_not_zero():
    assert lab(document(initial_balance="99999.99"))["observations"][0]["levels"]["daily_loss"] == "94999.9905"


def test_a_number_is_not_rounded_on_its_way_in():
    raw = parsed_json(
        '{"initial_balance": 100000, "terms": {"max_daily_loss_pct": 5, "breach_when": "at_or_below"}, '
        '"observations": [{"at": "2025-01-13T08:00:00Z", "balance": 1, "equity": 95000.00000000000001}]}'
    )
    result: Any = run_lab(raw)
    assert result["status"] == "active"


def test_counts_are_written_as_plain_numbers():
    held = [{"id": name, "symbol": "X", "lots": "1.5", "opened_at": "2025-01-13T07:00:00Z"} for name in ("a", "b")]
    raw = observed(positions=held) | {"terms": {"max_positions": 1, "max_open_lots": 2}}
    assert lab(raw)["observations"][0]["breaches"] == [
        {"rule": "max_positions", "level": "1", "observed": "2", "action": "fail"},
        {"rule": "max_open_lots", "level": "2", "observed": "3", "action": "fail"},
    ]


def test_absent_terms_and_trades_take_their_defaults():
    raw = document()
    del raw["terms"]
    assert lab(raw)["observations"][0]["levels"] == dict.fromkeys(
        ("daily_loss", "total_loss", "profit_target", "daily_profit")
    )
    assert lab(raw)["best_day_share_pct"] is None


def test_no_observations_leave_the_account_as_it_began():
    assert lab(document(observations=[])) == {
        "observations": [],
        "status": "active",
        "trading_days": 0,
        "best_day_share_pct": None,
    }


def test_unknown_positions_are_not_the_same_as_none():
    terms = {"profit_target_pct": 10, "profit_target_on": "balance_flat"}
    for positions, status in (("absent", "active"), (None, "active"), ([], "passed")):
        raw = observed(balance=110000, equity=110000, positions=positions) | {"terms": terms}
        assert lab(raw)["status"] == status


def closed(day: int, profit: object) -> dict[str, Any]:
    at = f"2025-01-{day}T09:00:00Z"
    return {"opened_at": at, "closed_at": at, "profit": profit, "lots": 1, "symbol": "EURUSD"}


@pytest.mark.parametrize(
    ("trades", "share"),
    [
        ([closed(13, 500), closed(14, 500)], "50.00"),
        ([closed(13, 200), closed(13, 100), closed(14, 600)], "66.66666667"),
        ([closed(13, 600), closed(14, -100)], "120.00"),
        ([closed(13, 600), closed(14, -600)], None),
        ([closed(13, -1)], None),
        ([{**closed(13, 500), "closed_at": None}], None),
        ([], None),
    ],
)
def test_the_best_day_is_a_share_of_all_closed_profit(trades: list[object], share: str | None):
    assert lab(document(trades=trades))["best_day_share_pct"] == share


def test_the_last_status_is_the_documents_status():
    rows = [
        {"at": f"2025-01-{day}T08:00:00Z", "balance": 100000, "equity": equity}
        for day, equity in ((13, 94000), (14, 94000))
    ]
    raw = document(observations=rows, terms={"max_daily_loss_pct": 5, "daily_loss_action": "pause"})
    assert [row["status"] for row in lab(raw)["observations"]] == ["paused", "active"]
    assert lab(raw)["status"] == "active"


def test_a_list_of_documents_gives_a_list_of_results():
    assert lab([]) == []
    assert lab([document(), document(initial_balance=1)]) == [lab(document()), lab(document(initial_balance=1))]


def test_observations_at_the_same_time_are_in_order():
    rows = [observed()["observations"][0], observed(equity="94000")["observations"][0]]
    assert lab(document(observations=rows))["status"] == "failed"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (1, "must be an object"),
        ({}, "initial_balance: is required"),
        (document(initial_balance="0"), "initial_balance: must be above 0"),
        (document(initial_balance="ten"), "initial_balance: must be a number"),
        (document(initial_balance=True), "initial_balance: must be a number"),
        (document(observations={}), "observations: must be a list"),
        (document(observations=[1]), "observations[0]: must be an object"),
        (document(observation=[]), "observation: unknown field"),
        (document(terms=[]), "terms: must be an object"),
        (document(terms={"max_loss": 5}), "terms.max_loss: unknown parameter"),
        (document(terms={"max_daily_loss_pct": 101}), "terms.max_daily_loss_pct: must be between 0 and 100"),
        (
            document(terms={"day_reset_timezone": "Prague"}),
            "terms.day_reset_timezone: 'Prague' is not an IANA time zone",
        ),
        (observed(equity="absent"), "observations[0].equity: is required"),
        (observed(equity=None), "observations[0].equity: is required"),
        (observed(equity="NaN"), "observations[0].equity: must be a number"),
        (observed(equity="1e300"), "observations[0].equity: must be below 10000000000000000 with at most 20 decimals"),
        (observed(equity="1e-300"), "observations[0].equity: must be below 10000000000000000 with at most 20 decimals"),
        (observed(equty=1), "observations[0].equty: unknown field"),
        (observed(positions={}), "observations[0].positions: must be a list"),
        (observed(positions=[{"id": 1, "lots": 1}]), "observations[0].positions[0].opened_at: is required"),
        (document(trades=[{}]), "trades[0].opened_at: is required"),
        (
            document(trades=[{**closed(14, 1), "closed_at": "2025-01-13T00:00:00Z"}]),
            "trades[0].closed_at: is before opened_at",
        ),
        ([document(), observed(balance="x")], "[1].observations[0].balance: must be a number"),
        ([document(), []], "[1]: must be an object"),
    ],
)
def test_an_error_names_its_place(raw: object, message: str):
    assert refusal(raw) == message


@pytest.mark.parametrize(
    "at", ["2025-01-13T08:00:00", "2025-01-13", "yesterday", 1736755200, "1969-12-31T23:00:00Z", "9999-01-01T00:00:00Z"]
)
def test_a_time_needs_its_zone(at: object):
    assert refusal(observed(at=at)).startswith("observations[0].at: must be a time with its zone")


def test_observations_out_of_order_are_named():
    rows = [observed(at=f"2025-01-13T0{hour}:00:00Z")["observations"][0] for hour in (8, 9, 7)]
    assert refusal([document(observations=rows)]) == (
        "[0].observations[2].at: observations out of order: 2025-01-13T07:00:00Z is before 2025-01-13T09:00:00Z"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 column 1: not JSON: Expecting value"),
        ("{\n 'a': 1}", "line 2 column 2: not JSON: Expecting property name enclosed in double quotes"),
        ('{"a": NaN}', "not JSON: NaN is not a number"),
        ('{"a": -Infinity}', "not JSON: -Infinity is not a number"),
        ('{"a": {"b": 1, "b": 2}}', "not JSON: 'b' appears twice in one object"),
        ('{"a": 1e99999999999999999999}', "not JSON: a number is out of range"),
        ("[" * 100_000, "not JSON: nested too deeply"),
    ],
)
def test_what_is_not_json_is_refused(text: str, message: str):
    with pytest.raises(LabError) as caught:
        parsed_json(text)
    assert str(caught.value) == message


def test_numbers_are_read_without_floats():
    assert parsed_json('{"a": [0.1, 1]}') == {"a": [Decimal("0.1"), Decimal(1)]}
