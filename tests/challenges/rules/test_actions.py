from decimal import Decimal

import pytest

from tests.challenges.rules.scenarios import broken, last, position, reading, run, terms

PAUSING = terms(max_daily_loss_pct=5, daily_loss_action="pause", max_total_loss_pct=10)


def test_a_pausing_daily_loss_pauses_until_the_next_boundary():
    judged = run(
        PAUSING,
        reading("01-13 08:00", 94_999),
        reading("01-13 23:59:59", 94_000),
        reading("01-14 00:00", 94_000),
    )
    assert [item.status for item in judged] == ["paused", "paused", "active"]
    assert [broken(item) for item in judged] == [[("daily_loss", 95_000, 94_999, "pause")], [], []]


def test_a_paused_account_can_break_again_the_next_day():
    judged = run(
        PAUSING, reading("01-13 08:00", 94_999), reading("01-14 08:00", 96_000), reading("01-14 09:00", 90_200)
    )
    assert [item.status for item in judged] == ["paused", "active", "paused"]
    assert [len(item.findings) for item in judged] == [1, 0, 1]


def test_a_floating_loss_pauses_again_at_the_boundary_that_lifted_the_pause():
    rules = terms(max_daily_loss_pct=5, daily_loss_action="pause", daily_loss_base="day_start_balance")
    judged = run(rules, reading("01-13 08:00", 94_000, 100_000), reading("01-14 08:00", 99_000, 100_000))
    assert [item.status for item in judged] == ["paused", "paused"]
    assert [item.findings[0].at.hour for item in judged] == [8, 0]


def test_the_total_loss_fails_a_paused_account():
    judged = run(PAUSING, reading("01-13 08:00", 94_999), reading("01-13 09:00", 89_999))
    assert [item.status for item in judged] == ["paused", "failed"]


def test_a_paused_account_does_not_pass_before_its_next_day():
    rules = terms(profit_target_pct=10, max_daily_profit_pct=5)
    judged = run(
        rules, reading("01-13 08:00", 110_000), reading("01-13 09:00", 110_000), reading("01-14 08:00", 110_000)
    )
    assert [item.status for item in judged] == ["paused", "paused", "passed"]
    assert judged[0].why_not_passed == "The target is met, but the account is paused until the next trading day."


@pytest.mark.parametrize(("action", "status"), [("pause", "paused"), ("flag", "active"), ("fail", "failed")])
@pytest.mark.parametrize(("equity", "breaks"), [("105000", False), ("105000.01", True), ("104999.99", False)])
def test_the_daily_profit_breaks_above_its_level_by_its_action(action: str, status: str, equity: str, breaks: bool):
    rules = terms(max_daily_profit_pct=5, max_daily_profit_action=action)
    judged = last(rules, reading("01-13 08:00", equity, 100_000))
    assert broken(judged) == ([("daily_profit", 105_000, Decimal(equity), action)] if breaks else [])
    assert judged.status == (status if breaks else "active")


@pytest.mark.parametrize(("of", "level"), [("day_start_equity", 109_200), ("initial_balance", 109_000)])
def test_the_daily_profit_counts_anew_every_day(of: str, level: int):
    rules = terms(max_daily_profit_pct=5, max_daily_profit_of=of, max_daily_profit_action="flag")
    judged = run(
        rules, reading("01-13 08:00", 104_000), reading("01-14 08:00", 109_500), reading("01-15 08:00", 109_500)
    )
    assert judged[1].levels.daily_profit == level
    assert [len(item.findings) for item in judged] == [0, 1, 0]


def test_a_flagged_rule_is_found_once_per_day_and_does_not_keep_from_passing():
    rules = terms(max_daily_profit_pct=5, max_daily_profit_action="flag", profit_target_pct=50)
    judged = run(
        rules, *(reading(f"01-13 0{hour}:00", 106_000 + hour) for hour in range(3)), reading("01-14 08:00", 150_000)
    )
    assert [len(item.findings) for item in judged] == [1, 0, 0, 1]
    assert judged[-1].status == "passed"


@pytest.mark.parametrize(("action", "status"), [("fail", "failed"), ("flag", "active")])
@pytest.mark.parametrize(("count", "breaks"), [(1, False), (2, False), (3, True)])
def test_more_positions_than_allowed_break(action: str, status: str, count: int, breaks: bool):
    rules = terms(max_positions=2, exposure_action=action)
    held = tuple(position("01-13 07:00", name=str(index)) for index in range(count))
    judged = last(rules, reading("01-13 08:00", positions=held))
    assert broken(judged) == ([("max_positions", 2, 3, action)] if breaks else [])
    assert judged.status == (status if breaks else "active")


@pytest.mark.parametrize(("lots", "breaks"), [("1.49", False), ("1.50", False), ("1.51", True)])
def test_lots_are_summed_over_the_open_positions(lots: str, breaks: bool):
    held = (position("01-13 07:00", "1"), position("01-13 07:00", lots, name="2"))
    judged = last(terms(max_open_lots="2.5"), reading("01-13 08:00", positions=held))
    assert broken(judged) == ([("max_open_lots", Decimal("2.5"), Decimal("2.51"), "fail")] if breaks else [])


def test_unknown_positions_break_nothing_and_are_said_to_be_unknown():
    rules = terms(max_positions=1, max_open_lots=1, stop_loss_required=True, weekend_holding_allowed=False)
    judged = last(rules, reading("01-18 08:00"))
    assert broken(judged) == []
    assert judged.cannot_judge == ("max_positions", "max_open_lots", "weekend_holding", "stop_loss")
    assert last(rules, reading("01-18 08:00", flat=True)).cannot_judge == ()


# 2025-01-17 is a Friday.
@pytest.mark.parametrize(
    ("at", "opened_at", "breaks"),
    [
        ("01-16 23:00", "01-16 08:00", False),
        ("01-17 20:00", "01-17 08:00", False),
        ("01-17 20:00:01", "01-17 08:00", True),
        ("01-18 12:00", "01-18 11:00", True),
        ("01-19 22:00", "01-17 08:00", True),
        ("01-19 22:30", "01-19 22:10", False),
        ("01-20 00:00", "01-17 08:00", False),
    ],
)
def test_positions_open_after_the_friday_cutoff_are_recorded(at: str, opened_at: str, breaks: bool):
    rules = terms(weekend_holding_allowed=False)
    judged = last(rules, reading(at, positions=(position(opened_at),)))
    assert broken(judged) == ([("weekend_holding", 0, 1, "flag")] if breaks else [])
    assert judged.status == "active"


def test_the_friday_cutoff_is_wall_time_in_the_programs_zone():
    rules = terms(weekend_holding_allowed=False, weekend_cutoff="16:00", day_reset_timezone="America/New_York")
    held = {"positions": (position("01-17 08:00"),)}
    judged = run(rules, reading("01-17 21:00", **held), reading("01-17 21:00:01", **held))
    assert [len(item.findings) for item in judged] == [0, 1]


def test_a_weekend_is_recorded_once_and_the_next_one_again():
    rules = terms(weekend_holding_allowed=False)
    times = ("01-17 21:00", "01-18 12:00", "01-19 12:00", "01-24 21:00")
    judged = run(rules, *(reading(at, positions=(position("01-15 08:00"),)) for at in times))
    assert [len(item.findings) for item in judged] == [1, 0, 0, 1]


def test_the_margin_alone_shows_a_weekend_holding_until_the_markets_reopen():
    rules = terms(weekend_holding_allowed=False)
    assert len(last(rules, reading("01-18 12:00", flat=False)).findings) == 1
    assert last(rules, reading("01-19 23:00", flat=False)).findings == ()
    assert last(rules, reading("01-18 12:00", flat=True)).findings == ()


def test_a_stop_loss_is_demanded_only_where_the_broker_reports_them():
    rules = terms(stop_loss_required=True)
    bare = position("01-13 07:00", reports_stop_loss=True)
    kept = position("01-13 07:00", reports_stop_loss=True, stop_loss=Decimal("1.05"))
    silent = position("01-13 07:00")
    assert broken(last(rules, reading("01-13 08:00", positions=(bare, kept)))) == [("stop_loss", 0, 1, "flag")]
    assert broken(last(rules, reading("01-13 08:00", positions=(kept,)))) == []
    unknown = last(rules, reading("01-13 08:00", positions=(silent,)))
    assert (broken(unknown), unknown.cannot_judge) == ([], ("stop_loss",))


@pytest.mark.parametrize(("equity", "warned"), [("96000.01", []), ("96000", ["daily_loss"]), ("94999.99", [])])
def test_staff_are_warned_at_80_percent_of_an_allowance_and_not_beyond_its_end(equity: str, warned: list[str]):
    judged = last(terms(max_daily_loss_pct=5), reading("01-13 08:00", equity))
    assert [warning.rule for warning in judged.warnings] == warned


def test_a_warning_comes_once_per_trading_day_and_breaks_nothing():
    rules = terms(max_total_loss_pct=10, early_warning_pct=50)
    judged = run(rules, *(reading(at, 94_000) for at in ("01-13 08:00", "01-13 09:00", "01-14 08:00")))
    assert [len(item.warnings) for item in judged] == [1, 0, 1]
    assert judged[0].warnings[0].detail == (
        "6,000.00 of the 10,000.00 that may be lost is used up, 50 % or more; the level is 90,000.00."
    )
    assert [item.findings for item in judged] == [(), (), ()]
    assert last(terms(max_total_loss_pct=10, early_warning_pct=0), reading("01-13 08:00", 90_000)).warnings == ()
