"""Judges observations one at a time, in order: the monitor, the rule lab, the replay and the what-if all run this."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import localcontext

from challenges.rules.activity import with_activity
from challenges.rules.days import ONE_DAY, day_start, trading_day
from challenges.rules.judgement import DayStart, Finding, Judgement, Status
from challenges.rules.limits import DAILY_LOSS, RULES, TOTAL_LOSS, Positions, Rule, levels_of
from challenges.rules.observations import Observation, Trade
from challenges.rules.passing import passes
from challenges.rules.state import RunningState
from challenges.rules.warnings import cannot_judge, early_warnings
from programs.terms import EXACT, RuleTerms


class ObservationOutOfOrderError(ValueError):
    """The observation is older than the state that it should follow."""


def judge(
    state: RunningState,
    terms: RuleTerms,
    observation: Observation,
    trades: Sequence[Trade] | None = None,
    late_after: timedelta | None = None,
) -> Judgement:
    """Judge one observation after `state`, in the order that the rules page fixes.

    trades: all trades of this enrollment known so far; None when there is no trade list, and then trading days and
        closed profit are read off the totals. One enrollment is judged either always with a list or never.
    late_after: a day's start values older than this are marked late.

    An observation at the very time of the last one is judged as a second reading of that moment; an older one raises
    ObservationOutOfOrderError. ValueError: a naive time or a figure that is not finite.
    """
    _refuse_unusable(state, observation)
    with localcontext(EXACT):
        state, days, at_boundaries = _roll(state, terms, observation.at, late_after)
        state = _with_reading(with_activity(state, terms, observation, trades), observation)
        state, at_reading = _find(state, terms, _rules_at_reading(terms), observation.positions, observation.at)
        state, warnings = early_warnings(state, terms)
        state, why_not_passed = passes(state, terms, trades)
        return Judgement(
            state=state,
            days=days,
            levels=levels_of(state, terms),
            findings=at_boundaries + at_reading,
            warnings=warnings,
            status=status_of(state),
            why_not_passed=why_not_passed,
            cannot_judge=cannot_judge(state, terms, observation.positions),
        )


def judge_series(
    state: RunningState,
    terms: RuleTerms,
    observations: Iterable[Observation],
    trades: Sequence[Trade] | None = None,
    late_after: timedelta | None = None,
) -> Iterator[Judgement]:
    """Judge observations in order, each after the one before.

    Where a trade list is given, a position that was seen counts as opened even if the list never shows it.
    """
    seen: dict[tuple[str, datetime], Trade] = {}
    for observation in observations:
        for item in observation.positions or ():
            seen[item.id, item.opened_at] = Trade(
                opened_at=item.opened_at,
                closed_at=None,
                profit=EXACT.create_decimal(0),
                lots=item.lots,
                symbol=item.symbol,
            )
        known = None if trades is None else (*trades, *seen.values())
        judgement = judge(state, terms, observation, known, late_after)
        state = judgement.state
        yield judgement


def status_of(state: RunningState) -> Status:
    """The verdict; `paused` while an active account is paused."""
    if state.verdict == "active" and state.paused_on is not None:
        return "paused"
    return state.verdict


def _refuse_unusable(state: RunningState, observation: Observation) -> None:
    if observation.at.tzinfo is None:
        raise ValueError("the observation's time has no zone")
    if not (observation.balance.is_finite() and observation.equity.is_finite()):
        raise ValueError("the observation's balance and equity must be finite")
    if observation.at < state.known_at:
        raise ObservationOutOfOrderError(f"{observation.at.isoformat()} is before {state.known_at.isoformat()}")


def _roll(
    state: RunningState, terms: RuleTerms, at: datetime, late_after: timedelta | None
) -> tuple[RunningState, tuple[DayStart, ...], tuple[Finding, ...]]:
    """Pass every day boundary up to the moment, each with the last state known before it."""
    today = trading_day(at, terms)
    end_of_day = terms.total_loss_checked == "end_of_day"
    before, after = ((TOTAL_LOSS,), (DAILY_LOSS,)) if end_of_day else ((), (DAILY_LOSS, TOTAL_LOSS))
    days: list[DayStart] = []
    findings: list[Finding] = []
    while state.trading_day < today:
        boundary = day_start(state.trading_day + ONE_DAY, terms)
        state, found = _find(state, terms, before, None, boundary)
        findings += found
        days.append(_day_start(state, boundary, late_after))
        state = _new_day(state, state.trading_day + ONE_DAY)
        state, found = _find(state, terms, after, None, boundary)
        findings += found
    return state, tuple(days), tuple(findings)


def _day_start(state: RunningState, boundary: datetime, late_after: timedelta | None) -> DayStart:
    return DayStart(
        trading_day=state.trading_day + ONE_DAY,
        boundary_at=boundary,
        start_balance=state.last_balance,
        start_equity=state.last_equity,
        taken_at=state.known_at,
        late=late_after is not None and boundary - state.known_at > late_after,
        ended_day=state.trading_day,
        ended_low_equity=state.day_low_equity,
        ended_high_equity=state.day_peak_equity,
    )


def _new_day(state: RunningState, day: date) -> RunningState:
    """The state at a day's start; a pause ends here."""
    return replace(
        state,
        trading_day=day,
        day_start_balance=state.last_balance,
        day_start_equity=state.last_equity,
        day_peak_equity=state.last_equity,
        day_low_equity=state.last_equity,
        high_eod_balance=max(state.high_eod_balance, state.last_balance),
        paused_on=None,
    )


def _with_reading(state: RunningState, observation: Observation) -> RunningState:
    balance, equity = observation.balance, observation.equity
    return replace(
        state,
        day_peak_equity=max(state.day_peak_equity, equity),
        day_low_equity=min(state.day_low_equity, equity),
        high_equity=max(state.high_equity, equity),
        high_balance=max(state.high_balance, balance),
        high_higher=max(state.high_higher, balance, equity),
        last_at=observation.at,
        last_balance=balance,
        last_equity=equity,
        last_flat=observation.is_flat,
    )


def _rules_at_reading(terms: RuleTerms) -> tuple[Rule, ...]:
    if terms.total_loss_checked == "end_of_day":
        return tuple(rule for rule in RULES if rule is not TOTAL_LOSS)
    return RULES


def _find(
    state: RunningState, terms: RuleTerms, rules: Sequence[Rule], positions: Positions, at: datetime
) -> tuple[RunningState, tuple[Finding, ...]]:
    """Every newly broken rule, all judged on the same state; then their actions. Nothing breaks after a pass."""
    if state.verdict == "passed":
        return state, ()
    findings: list[Finding] = []
    for rule in rules:
        if _was_found(state, rule, terms) or (broken := rule.check(state, terms, positions)) is None:
            continue
        findings.append(
            Finding(
                rule=rule.name,
                level=broken.level,
                observed=broken.observed,
                action=rule.action(terms),
                trading_day=state.trading_day,
                at=at,
                detail=broken.detail,
            )
        )
    for finding in findings:
        state = _with_action(state.with_found(finding.rule, finding.trading_day), finding)
    return state, tuple(findings)


def _was_found(state: RunningState, rule: Rule, terms: RuleTerms) -> bool:
    found_on = state.found_on(rule.name)
    if found_on is None:
        return False
    if rule.again_after is None or rule.action(terms) == "fail":
        return True
    return (state.trading_day - found_on).days < rule.again_after


def _with_action(state: RunningState, finding: Finding) -> RunningState:
    match finding.action:
        case "fail":
            return replace(state, verdict="failed")
        case "pause":
            return replace(state, paused_on=finding.trading_day)
        case _:
            return state
