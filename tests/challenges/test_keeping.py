"""What is kept of a series leads to the same verdicts as the whole of it (a replay has only what is kept).

The series are drawn alike in every run: whoever looks for others leaves out `derandomize`.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from challenges.models import EnrollmentState, MetricSnapshot
from challenges.rules import Finding, Judgement, Observation, RunningState, judge, levels_of, progress
from challenges.services.gate import Reading
from challenges.services.judging import LATE_AFTER, judge_reading, stands_still
from challenges.services.recording import kept_points
from programs.terms import RuleTerms

START = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
INITIAL = Decimal(100_000)
KEEP_EVERY = timedelta(seconds=60)


@dataclass
class Outcome:
    """What a series led to, apart from how it was sampled."""

    verdict: str = "active"
    trading_days: int = 0
    findings: list[tuple[object, ...]] = field(default_factory=list)
    day_starts: list[tuple[object, ...]] = field(default_factory=list)

    def add(self, judgement: Judgement) -> None:
        self.verdict, self.trading_days = judgement.state.verdict, judgement.state.trading_days
        self.findings += [self._facts(finding) for finding in judgement.findings]
        self.day_starts += [(day.trading_day, day.start_balance, day.start_equity) for day in judgement.days]

    def _facts(self, finding: Finding) -> tuple[object, ...]:
        return finding.rule, finding.action, finding.trading_day, finding.at, finding.level, finding.observed


def opening(terms: RuleTerms) -> RunningState:
    return RunningState.opening(INITIAL, START, terms)


def watched(terms: RuleTerms, series: list[tuple[datetime, Reading]]) -> tuple[Outcome, list[MetricSnapshot]]:
    """The outcome as the monitor sees it, judging every reading, and the points that it keeps."""
    state, outcome, kept = opening(terms), Outcome(), []
    row = EnrollmentState(pk=1)
    row.take(state)
    row.show(levels_of(state, terms), progress(state, terms))
    for at, reading in series:
        one = judge_reading(row, terms, reading, login=1, at=at, keep_every=KEEP_EVERY)
        assert one is not None
        if stands_still(row, terms, reading, at=at, keep_every=KEEP_EVERY):
            assert not one.is_worth_writing
        if not one.is_worth_writing:
            continue
        kept += kept_points(one)
        row = one.after
        outcome.add(one.judgement)
        if outcome.verdict != "active":
            break
    return outcome, kept


def replayed(terms: RuleTerms, kept: list[MetricSnapshot]) -> Outcome:
    """The outcome of the kept points alone."""
    state, outcome = opening(terms), Outcome()
    for point in kept:
        observation = Observation(
            at=point.at, balance=point.balance, equity=point.equity, flat=point.is_flat, opened=point.opened
        )
        judgement = judge(state, terms, observation, late_after=LATE_AFTER)
        outcome.add(judgement)
        state = judgement.state
    return outcome


amounts = st.integers(-300_000, 300_000).map(lambda cents: Decimal(cents) / 100)
steps = st.tuples(
    st.sampled_from([1, 3, 10, 40, 61, 600, 30_000, 90_000]),
    st.one_of(st.just(Decimal(0)), amounts),
    st.one_of(st.just(Decimal(0)), amounts),
    st.sampled_from([Decimal(0), Decimal(0), Decimal(100), Decimal(105), Decimal(500), None]),
)
rules = st.fixed_dictionaries(
    {
        "max_daily_loss_pct": st.sampled_from([Decimal(0), Decimal(2), Decimal(5)]),
        "daily_loss_base": st.sampled_from(["day_start_equity", "day_start_higher", "day_peak_equity"]),
        "daily_loss_action": st.sampled_from(["fail", "pause"]),
        "max_total_loss_pct": st.sampled_from([Decimal(0), Decimal(4), Decimal(10)]),
        "total_loss_trail": st.sampled_from(["none", "equity", "balance", "higher", "eod_balance"]),
        "total_loss_checked": st.sampled_from(["always", "end_of_day"]),
        "loss_tested_on": st.sampled_from(["equity", "balance", "lower"]),
        "profit_target_pct": st.sampled_from([Decimal(0), Decimal(4)]),
        "profit_target_on": st.sampled_from(["balance", "balance_flat", "equity"]),
        "min_trading_days": st.sampled_from([0, 2]),
        "max_trading_days": st.sampled_from([0, 3]),
        "duration_days": st.sampled_from([0, 2]),
        "trading_day_counts": st.sampled_from(["opened", "closed", "profit"]),
        "trading_day_min_profit_pct": st.sampled_from([Decimal(0), Decimal(1)]),
        "consistency_pct": st.sampled_from([None, Decimal(50)]),
        "inactivity_days": st.sampled_from([0, 1]),
        "max_daily_profit_pct": st.sampled_from([Decimal(0), Decimal(3)]),
        "max_daily_profit_action": st.sampled_from(["pause", "flag", "fail"]),
        "weekend_holding_allowed": st.booleans(),
    }
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(mapping=rules, moves=st.lists(steps, max_size=30))
def test_a_replay_of_what_is_kept_gives_the_same_verdicts(
    mapping: dict[str, object], moves: list[tuple[int, Decimal, Decimal, Decimal | None]]
) -> None:
    terms = RuleTerms.from_mapping(mapping)
    at, balance, series = START, INITIAL, []
    for seconds, change, floating, margin in moves:
        at, balance = at + timedelta(seconds=seconds), balance + change
        series.append((at, Reading(balance=balance, equity=balance + floating, margin=margin)))

    outcome, kept = watched(terms, series)

    assert replayed(terms, kept) == outcome


def test_a_quiet_minute_is_thinned_out() -> None:
    terms = RuleTerms.from_mapping({"max_daily_loss_pct": Decimal(5)})
    series = [
        (START + timedelta(seconds=second), Reading(balance=INITIAL, equity=INITIAL - second % 2, margin=Decimal(1)))
        for second in range(1, 121)
    ]

    _, kept = watched(terms, series)

    assert [(point.at - START).seconds for point in kept] == [1, 61]


# A deadline of two days, a local midnight with the start of a trading day, and a Friday's cutoff.
TURNS = (
    START + timedelta(days=2),
    datetime(2026, 3, 4, 0, 0, tzinfo=UTC),
    datetime(2026, 3, 6, 0, 0, tzinfo=UTC),
    datetime(2026, 3, 6, 20, 0, tzinfo=UTC),
    datetime(2026, 3, 7, 0, 0, tzinfo=UTC),
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    mapping=rules,
    reset=st.sampled_from(["00:00", "17:00"]),
    turn=st.sampled_from(TURNS),
    before=st.integers(0, 40),
    after=st.integers(1, 40),
    change=st.one_of(st.just(Decimal(0)), amounts),
    margin=st.sampled_from([Decimal(0), Decimal(100), None]),
)
def test_an_account_that_stands_still_has_nothing_to_be_judged_on(
    mapping: dict[str, object],
    reset: str,
    turn: datetime,
    before: int,
    after: int,
    change: Decimal,
    margin: Decimal | None,
) -> None:
    terms = RuleTerms.from_mapping(mapping | {"day_reset_time": reset, "weekend_cutoff": "20:00"})
    reading = Reading(balance=INITIAL + change, equity=INITIAL + change, margin=margin)
    row = EnrollmentState(pk=1)
    row.take(opening(terms))
    row.show(levels_of(opening(terms), terms), progress(opening(terms), terms))
    # Twice, so that the row follows from these figures and has no finding to be kept.
    for seconds in (before + 2, before):
        one = judge_reading(row, terms, reading, login=1, at=turn - timedelta(seconds=seconds), keep_every=KEEP_EVERY)
        assert one is not None
        row = one.after
    at = turn + timedelta(seconds=after)
    again = judge_reading(row, terms, reading, login=1, at=at, keep_every=KEEP_EVERY)
    assert again is not None

    still = stands_still(row, terms, reading, at=at, keep_every=KEEP_EVERY)

    event(f"stands still: {still}; worth writing: {again.is_worth_writing}")
    assert not (still and again.is_worth_writing)


def test_an_idle_account_is_judged_every_half_minute_and_when_anything_moves() -> None:
    terms = RuleTerms.from_mapping({"max_daily_loss_pct": Decimal(5)})
    reading = Reading(balance=INITIAL, equity=INITIAL, margin=Decimal(0))
    row = EnrollmentState(pk=1)
    row.take(opening(terms))
    row.show(levels_of(opening(terms), terms), progress(opening(terms), terms))
    first = judge_reading(row, terms, reading, login=1, at=START + timedelta(minutes=1), keep_every=KEEP_EVERY)
    assert first is not None

    def still(seconds: int, **moved: Any) -> bool:
        at = START + timedelta(minutes=1, seconds=seconds)
        return stands_still(first.after, terms, replace(reading, **moved), at=at, keep_every=KEEP_EVERY)

    assert [still(3), still(29), still(30)] == [True, True, False]
    assert not still(3, equity=INITIAL - Decimal("0.01"))
    assert not still(3, balance=INITIAL - Decimal("0.01"))
    assert not still(3, margin=Decimal(100))
    assert not still(3, margin=None)
    assert not still(0)
    assert not stands_still(row, terms, reading, at=START + timedelta(seconds=3), keep_every=KEEP_EVERY)
