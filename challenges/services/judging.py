"""From a believable reading to a judged observation. No database, no HTTP, no clock."""

from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from brokers.services.leases import MARGIN
from challenges.models import EnrollmentState
from challenges.rules import (
    Judgement,
    Observation,
    RunningState,
    judge,
    progress,
    time_breaks_something,
    trading_day,
)
from challenges.services.gate import Reading
from programs.terms import RuleTerms

# A day that starts from a state older than this is marked late: the baseline may have moved since.
LATE_AFTER = timedelta(seconds=90)
# An idle account's row is rewritten this often, so that the time of its last observation stays true to the half minute.
REFRESH_AFTER = timedelta(seconds=30)
# Monitors on two machines, each as far off the database's time as it may be, are this far apart.
CLOCKS_APART = 2 * MARGIN
# Prices move the margin in use a little; more growth than this means a new position.
MARGIN_GROWTH = Decimal("1.1")

# An observation that changes one of these is kept for ever: a replay of what is kept must lead to the same verdict.
KEPT_CHANGES = (
    "trading_day",
    "day_peak_equity",
    "day_low_equity",
    "high_equity",
    "high_balance",
    "high_higher",
    "high_eod_balance",
    "best_day_profit",
    "last_balance",
    "last_flat",
    "trading_days",
    "paused_on",
    "verdict",
    "found",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One observation of one enrollment, and what came of it. `row` is as it was loaded, `after` as it is to be."""

    login: int
    row: EnrollmentState
    before: RunningState
    observation: Observation
    judgement: Judgement
    after: EnrollmentState
    kept: bool

    @property
    def is_verdict(self) -> bool:
        """Whether more than figures changed: it wants its own transaction."""
        state = self.judgement.state
        return bool(self.judgement.findings) or (state.verdict, state.paused_on) != (
            self.before.verdict,
            self.before.paused_on,
        )

    @property
    def takes_out(self) -> bool:
        """Whether it takes the account out of trading: the enrollment fails, passes, or is paused for the day.

        A pause that is lifted does not; lifts come all at once, as the day begins.
        """
        before, after = self.before, self.judgement.state
        is_paused_anew = after.paused_on is not None and after.paused_on != before.paused_on
        return after.verdict != before.verdict or is_paused_anew

    @property
    def failing_rule(self) -> str:
        """The first rule whose breach fails the enrollment; "" when none does."""
        return next((finding.rule for finding in self.judgement.findings if finding.action == "fail"), "")

    @property
    def is_worth_writing(self) -> bool:
        """False for an idle account whose row is fresh enough."""
        same = (self.before.last_balance, self.before.last_equity, self.before.last_flat) == (
            self.observation.balance,
            self.observation.equity,
            self.judgement.state.last_flat,
        )
        fresh = self.before.last_at is not None and self.observation.at - self.before.last_at < REFRESH_AFTER
        return self.kept or self.is_verdict or bool(self.judgement.days) or not (same and fresh)


def stands_still(
    row: EnrollmentState, terms: RuleTerms, reading: Reading, *, at: datetime, keep_every: timedelta
) -> bool:
    """Whether judging what was read would change nothing, which is known without doing it: nothing has moved.

    Most accounts are idle most of the time, and judging one exactly costs many times as much as this look at it. False
    says only that it must be judged.
    """
    if row.last_at is None or row.metric_at is None or row.keep_next:
        return False
    known = row.last_balance, row.last_equity, row.last_margin, row.last_flat
    return (
        (reading.balance, reading.equity, reading.margin, reading.is_flat) == known
        and row.last_at < at < row.last_at + REFRESH_AFTER
        and at < row.metric_at + keep_every
        and trading_day(at, terms) == row.trading_day
        and not time_breaks_something(terms, started_at=row.started_at, since=row.last_at, at=at)
    )


def judge_reading(
    row: EnrollmentState, terms: RuleTerms, reading: Reading, *, login: int, at: datetime, keep_every: timedelta
) -> Judged | None:
    """Judge what was read of an account at `at`; None when it was observed at that time or later already."""
    before = row.running_state()
    if at <= before.known_at:
        return None
    observation = Observation(
        at=at,
        balance=reading.balance,
        equity=reading.equity,
        flat=reading.is_flat,
        opened=_opened(row, reading),
    )
    judgement = judge(before, terms, observation, late_after=LATE_AFTER)
    kept = _is_kept(row, before, observation, judgement, keep_every)
    after = _after(row, terms, reading, observation, judgement, kept=kept)
    return Judged(
        login=login, row=row, before=before, observation=observation, judgement=judgement, after=after, kept=kept
    )


def why_dropped(row: EnrollmentState, *, at: datetime) -> str:
    """Why nothing read at `at` is judged, in words for staff; "" where another monitor has merely been quicker."""
    known_at = row.running_state().known_at
    if known_at - at <= CLOCKS_APART:
        return ""
    return f"last observed later than now, at {known_at:%Y-%m-%d %H:%M:%S} UTC: it is judged again from then on"


def _opened(row: EnrollmentState, reading: Reading) -> bool:
    """Whether a position was opened since the last observation, inferred from totals because no trade list is read.

    Certain when a flat account is no longer flat. Also inferred when the balance of a flat account changed (a position
    came and went between two readings; our own transfers happen only before an enrollment starts) and when the margin
    in use grew by more than a tenth. A small position added to large ones is therefore missed.
    """
    if row.last_at is None or row.last_flat:
        return reading.is_flat is False or reading.balance != row.last_balance
    if row.last_margin is None or reading.margin is None:
        return False
    return bool(reading.margin > row.last_margin * MARGIN_GROWTH)


def _is_kept(
    row: EnrollmentState, before: RunningState, observation: Observation, judgement: Judgement, keep_every: timedelta
) -> bool:
    """Whether it becomes a metric snapshot: time is up, it changed what verdicts rest on, or it follows a breach."""
    if row.metric_at is None or observation.at - row.metric_at >= keep_every or row.keep_next or observation.opened:
        return True
    return any(getattr(before, name) != getattr(judgement.state, name) for name in KEPT_CHANGES)


def _after(
    row: EnrollmentState,
    terms: RuleTerms,
    reading: Reading,
    observation: Observation,
    judgement: Judgement,
    *,
    kept: bool,
) -> EnrollmentState:
    after = copy(row)
    after.take(judgement.state)
    after.show(judgement.levels, progress(judgement.state, terms))
    after.why_not_passed = judgement.why_not_passed
    after.cannot_judge = ", ".join(judgement.cannot_judge)
    if judgement.warnings or judgement.state.trading_day != row.trading_day:
        after.warning = "\n".join(warning.detail for warning in judgement.warnings)
    after.last_margin = reading.margin
    after.metric_at = observation.at if kept else row.metric_at
    after.keep_next = bool(judgement.findings)
    return after
