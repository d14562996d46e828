from decimal import Decimal

from programs.terms import RuleTerms, sentences


def words(**given: object) -> str:
    return "\n".join(sentences(RuleTerms.from_mapping(given), Decimal(100_000), "USD"))


def test_the_usual_evaluation_reads_as_its_rules():
    read = words(
        max_daily_loss_pct=5,
        max_total_loss_pct=10,
        profit_target_pct=8,
        min_trading_days=5,
        max_trading_days=30,
        duration_days=30,
        max_positions=10,
        day_reset_time="17:00",
        day_reset_timezone="America/New_York",
    )
    assert read == (
        "Fail when equity falls below 95,000.00 USD, 5 % under the equity at the day's start; "
        "the figure is the first day's and is set anew every trading day.\n"
        "Fail when equity falls below 90,000.00 USD, 10 % under the initial balance.\n"
        "Pass when balance reaches 108,000.00 USD, 8 % over the initial balance.\n"
        "Passing needs at least 5 trading days. A day counts as a trading day when a position was opened on it.\n"
        "Fail after 30 trading days without reaching the target.\n"
        "Fail after 30 calendar days without reaching the target.\n"
        "Fail when more than 10 positions are open.\n"
        "Warn staff when 80 % of a loss allowance is used up.\n"
        "A trading day starts at 17:00 America/New_York time."
    )


def test_every_other_wording_reads_as_its_rules():
    read = words(
        max_daily_loss_pct="4.5",
        daily_loss_base="day_start_higher",
        daily_loss_pct_of="initial_balance",
        daily_loss_action="pause",
        max_total_loss_pct=10,
        total_loss_trail="eod_balance",
        total_loss_lock_pct=0,
        total_loss_checked="end_of_day",
        loss_tested_on="lower",
        breach_when="at_or_below",
        max_daily_profit_pct=3,
        max_daily_profit_of="initial_balance",
        max_daily_profit_action="flag",
        consistency_pct=40,
        min_trading_days=1,
        duration_days=1,
        trading_day_counts="profit",
        trading_day_min_profit_pct="0.5",
        inactivity_days=30,
        max_open_lots="2.50",
        exposure_action="flag",
        weekend_holding_allowed=False,
        stop_loss_required=True,
        early_warning_pct=0,
    )
    assert read == (
        "Pause until the next trading day when the lower of balance and equity falls to or below 95,500.00 USD, "
        "4.5 % of the initial balance under the higher of balance and equity at the day's start; "
        "the figure is the first day's and is set anew every trading day.\n"
        "Fail when the lower of balance and equity falls to or below 90,000.00 USD, "
        "10 % of the initial balance under the highest balance at a day's end so far; "
        "the level rises with it and never falls, up to 100,000.00 USD; "
        "it is checked only on the last reading before a trading day ends.\n"
        "There is no profit target: the phase never passes by itself.\n"
        "Record it when equity rises above 103,000.00 USD, 3 % of the initial balance over the equity at the day's "
        "start; the figure is the first day's and is set anew every trading day.\n"
        "Passing and payouts wait while the best day's closed profit is more than 40 % of the total closed profit.\n"
        "Passing needs at least 1 trading day. "
        "A day counts as a trading day when its closed profit is at least 0.5 % of the initial balance.\n"
        "Record it for staff after 1 calendar day; the account goes on.\n"
        "Fail after 30 whole calendar days without a trade or an open position.\n"
        "Record it when more than 2.5 lots are open.\n"
        "Positions open after Friday 20:00 (UTC) are closed, and it is recorded.\n"
        "Record every position without a stop-loss, where the broker reports stop-losses.\n"
        "A trading day starts at 00:00 UTC time."
    )


def test_without_rules_only_the_day_and_the_missing_target_are_said():
    assert words() == (
        "There is no profit target: the phase never passes by itself.\nA trading day starts at 00:00 UTC time."
    )
