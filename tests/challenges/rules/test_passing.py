import pytest

from challenges.rules import consistency_holds
from tests.challenges.rules.scenarios import broken, last, position, reading, run, terms, trade

TARGET = terms(profit_target_pct=10)


@pytest.mark.parametrize(
    ("on", "balance", "equity", "positions", "status"),
    [
        ("balance", "110000", "105000", None, "passed"),
        ("balance", "109999.99", "115000", None, "active"),
        ("equity", "105000", "110000", None, "passed"),
        ("equity", "115000", "109999.99", None, "active"),
        ("balance_flat", "110000", "110000", (), "passed"),
        ("balance_flat", "109999.99", "109999.99", (), "active"),
        ("balance_flat", "110000", "110000", (position("01-13 07:00"),), "active"),
        ("balance_flat", "110000", "110000", None, "active"),
    ],
)
def test_the_target_is_met_at_its_cent_by_the_value_named(on: str, balance: str, equity: str, positions, status: str):
    rules = terms(profit_target_pct=10, profit_target_on=on)
    judged = last(rules, reading("01-13 08:00", equity, balance, positions=positions))
    assert judged.status == status


@pytest.mark.parametrize(("flat", "status"), [(True, "passed"), (False, "active")])
def test_the_margin_says_whether_the_account_is_flat(flat: bool, status: str):
    rules = terms(profit_target_pct=10, profit_target_on="balance_flat")
    assert last(rules, reading("01-13 08:00", 110_000, flat=flat)).status == status


def test_what_keeps_a_met_target_from_passing_is_said():
    flat = terms(profit_target_pct=10, profit_target_on="balance_flat")
    open_ = last(flat, reading("01-13 08:00", 110_000, flat=False))
    unknown = last(flat, reading("01-13 08:00", 110_000))
    days = last(terms(profit_target_pct=10, min_trading_days=5), reading("01-13 08:00", 110_000, opened=True))
    assert open_.why_not_passed == "The target is met, but positions are still open."
    assert unknown.why_not_passed == "The target is met, but it is not known whether positions are open."
    assert unknown.cannot_judge == ("profit_target",)
    assert days.why_not_passed == "The target is met, but 1 of 5 trading days are done."
    assert last(TARGET, reading("01-13 08:00", 109_999)).why_not_passed == ""


def test_a_target_met_before_its_days_passes_when_the_days_are_done():
    rules = terms(profit_target_pct=10, min_trading_days=2)
    judged = run(
        rules,
        reading("01-13 08:00", 110_000, opened=True),
        reading("01-14 08:00", 110_000),
        reading("01-14 09:00", 110_000, opened=True),
    )
    assert [item.status for item in judged] == ["active", "active", "passed"]


def test_without_a_target_nothing_passes():
    assert last(terms(), reading("01-13 08:00", 900_000)).status == "active"


def test_a_breach_wins_over_a_pass_at_the_same_reading():
    rules = terms(profit_target_pct=10, max_daily_loss_pct=5)
    judged = last(rules, reading("01-13 08:00", 94_000, 110_000))
    assert (judged.status, len(judged.findings)) == ("failed", 1)


def test_a_break_on_the_boundary_wins_over_a_pass_after_it():
    rules = terms(profit_target_pct=10, max_daily_loss_pct=5, daily_loss_base="day_start_balance")
    judged = last(rules, reading("01-13 23:00", 97_000, 103_000), reading("01-14 08:00", 110_000))
    assert judged.status == "failed"


def test_a_pass_is_final_and_nothing_breaks_after_it():
    rules = terms(profit_target_pct=10, max_daily_loss_pct=5, max_total_loss_pct=10, duration_days=5)
    judged = run(rules, reading("01-13 08:00", 110_000), reading("01-13 09:00", 50_000), reading("03-13 09:00", 50_000))
    assert [item.status for item in judged] == ["passed", "passed", "passed"]
    assert [broken(item) for item in judged] == [[], [], []]
    assert judged[-1].levels.total_loss == 90_000


@pytest.mark.parametrize(
    ("profits", "status"),
    [
        ((5_000, 5_000), "passed"),
        (("5000.01", "4999.99"), "active"),
        ((10_000,), "active"),
        ((5_000, 6_000, -1_000), "active"),
    ],
)
def test_the_best_day_may_be_at_most_its_share_of_the_profit(profits: tuple[object, ...], status: str):
    rules = terms(profit_target_pct=10, consistency_pct=50)
    trades = [trade(f"01-{13 + day} 08:00", f"01-{13 + day} 09:00", profit) for day, profit in enumerate(profits)]
    judged = last(rules, reading("01-13 08:00"), reading("01-20 08:00", 110_000), trades=trades)
    assert judged.status == status
    assert broken(judged) == []
    assert consistency_holds(judged.state, rules, trades) is (status == "passed")


def test_consistency_is_diluted_by_later_days():
    rules = terms(profit_target_pct=10, consistency_pct=50)
    trades = [
        trade("01-13 08:00", "01-13 09:00", 10_000),
        trade("01-14 08:00", "01-14 09:00", 6_000),
        trade("01-15 08:00", "01-15 09:00", 4_000),
    ]
    judged = run(
        rules,
        reading("01-13 10:00", 110_000),
        reading("01-14 10:00", 116_000),
        reading("01-15 10:00", 120_000),
        trades=trades,
    )
    assert [item.status for item in judged] == ["active", "active", "passed"]
    assert judged[0].why_not_passed == (
        "The target is met, but the best day's profit 10,000.00 may be at most 50 % "
        "of the total closed profit 10,000.00."
    )


def test_consistency_without_a_trade_list_reads_the_days_off_the_balance():
    rules = terms(profit_target_pct=10, consistency_pct=50)
    one_day = run(rules, reading("01-13 10:00", 104_000), reading("01-14 10:00", 110_000))
    two_days = run(rules, reading("01-13 10:00", 105_000), reading("01-14 10:00", 110_000))
    assert (one_day[-1].status, two_days[-1].status) == ("active", "passed")


def test_consistency_without_a_closed_profit_blocks():
    rules = terms(profit_target_pct=10, profit_target_on="equity", consistency_pct=50)
    assert last(rules, reading("01-13 08:00", 110_000, 100_000), trades=[]).status == "active"
