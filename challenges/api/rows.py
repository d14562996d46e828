"""Challenges, phases, figures and breaches in JSON, as `challenges.api.shapes` describes them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from challenges.models import Breach, Challenge, ChallengeStatus, Enrollment, EnrollmentState, MetricSnapshot
from challenges.rules import levels_of, progress
from challenges.services.standing import remaining
from programs.services import PhaseTerms, all_phase_terms
from propdesk.lib.times import unix
from purchases.api.programs import program_json
from purchases.api.purchases import purchase_json

STEP_RULES = (
    "duration_days",
    "max_daily_loss_pct",
    "max_total_loss_pct",
    "max_daily_profit_pct",
    "profit_target_pct",
    "min_trading_days",
    "max_trading_days",
    "max_positions",
)


def challenge_json(challenge: Challenge) -> dict[str, Any]:
    return {
        "id": challenge.pk,
        "purchase_id": challenge.purchase_id,
        "program_id": challenge.program_id,
        "customer_id": challenge.customer_id,
        "account_login": challenge.account_login,
        "current_phase_index": challenge.current_phase_index,
        "status": challenge.status,
        "start_time": unix(challenge.started_at),
        "end_time": unix(challenge.ended_at),
        "created_time": unix(challenge.created_at),
        "updated_time": unix(challenge.updated_at),
    }


def details_json(challenge: Challenge) -> dict[str, Any]:
    """A challenge with all that hangs on it; load it with `Challenge.objects.for_details()`."""
    terms = {phase.phase_index: phase for phase in all_phase_terms(challenge.program_version)}
    enrollments = challenge.enrollments.select_related("account", "running_state").order_by("id")
    phases = [phase_json(enrollment, challenge, terms[enrollment.phase_index]) for enrollment in enrollments]
    current = next((p for p in reversed(phases) if p["phase_index"] == challenge.current_phase_index), None)
    breach = Breach.objects.filter(enrollment__challenge=challenge).select_related("enrollment").order_by("-id").first()
    return {
        "challenge": challenge_json(challenge),
        "purchase": purchase_json(challenge.purchase),
        "program": bought_program_json(challenge),
        "phases": phases,
        "current_phase": current,
        "latest_metric": current["latest_metric"] if current else None,
        "latest_breach": breach_json(breach) if breach else None,
    }


def bought_program_json(challenge: Challenge) -> dict[str, Any]:
    """The program's card, with the steps as they were bought: an edit since then does not concern this challenge."""
    terms = all_phase_terms(challenge.program_version)
    return {**program_json(challenge.program), "steps": [_step_json(phase) for phase in terms]}


def phase_json(enrollment: Enrollment, challenge: Challenge, terms: PhaseTerms) -> dict[str, Any]:
    """One run of a phase; load it with its account and its running state."""
    row: EnrollmentState | None = getattr(enrollment, "running_state", None)
    return {
        "id": enrollment.pk,
        "challenge_id": challenge.pk,
        "program_id": challenge.program_id,
        "phase_index": enrollment.phase_index,
        "phase_type": enrollment.phase_type,
        "account_group": enrollment.account_group,
        "account_login": enrollment.account.login if enrollment.account else 0,
        "initial_balance": enrollment.initial_balance,
        "initial_equity": enrollment.initial_equity,
        "final_balance": enrollment.final_balance or 0,
        "final_equity": enrollment.final_equity or 0,
        "status": enrollment.status,
        "status_name": ChallengeStatus(enrollment.status).label,
        "start_time": unix(enrollment.started_at),
        "end_time": unix(enrollment.ended_at),
        "created_time": unix(enrollment.created_at),
        "updated_time": unix(enrollment.updated_at),
        **_standing_json(row, terms),
        "name": enrollment.phase_name,
        "is_paused": enrollment.is_paused,
        "close_reason": enrollment.close_reason,
        "why_not_passed": row.why_not_passed if row else "",
    }


def _standing_json(row: EnrollmentState | None, terms: PhaseTerms) -> dict[str, Any]:
    """Figures, progress and levels of a phase; null while its account is being opened."""
    if row is None:
        return dict.fromkeys(("latest_metric", "progress", "levels", "remaining"))
    state = row.running_state()
    return {
        "latest_metric": latest_metric_json(row),
        "progress": asdict(progress(state, terms.rules)),
        "levels": asdict(levels_of(state, terms.rules)),
        "remaining": asdict(remaining(state, terms.rules)),
    }


def latest_metric_json(state: EnrollmentState) -> dict[str, Any]:
    """The figures of the last observation, or of the start where there was none yet."""
    return {
        "balance": state.last_balance,
        "equity": state.last_equity,
        "profit_target": state.profit_pct,
        "daily_loss": state.daily_loss_pct,
        "total_loss": state.total_loss_pct,
        "trading_days": state.trading_days,
        "time": unix(state.last_at or state.started_at),
    }


def metric_json(metric: MetricSnapshot, phase_indexes: Mapping[int, int]) -> dict[str, Any]:
    """A point of the time series; `phase_indexes` by enrollment id."""
    return {
        "balance": metric.balance,
        "equity": metric.equity,
        "profit_target": metric.profit_pct,
        "daily_loss": metric.daily_loss_pct,
        "total_loss": metric.total_loss_pct,
        "trading_days": metric.trading_days,
        "time": unix(metric.at),
        "phase_id": metric.enrollment_id,
        "phase_index": phase_indexes[metric.enrollment_id],
        "levels": {
            "daily_loss": metric.daily_loss_level,
            "total_loss": metric.total_loss_level,
            "profit_target": metric.profit_target_level,
            "daily_profit": None,
        },
    }


def breach_json(breach: Breach) -> dict[str, Any]:
    """A breach with its evidence; load it with its enrollment."""
    return {
        "id": breach.pk,
        "challenge_id": breach.enrollment.challenge_id,
        "phase_id": breach.enrollment_id,
        "phase_index": breach.enrollment.phase_index,
        "rule": breach.rule,
        "action": breach.action,
        "trading_day": breach.trading_day.isoformat(),
        "level": breach.level,
        "observed": breach.observed,
        "balance": breach.balance,
        "equity": breach.equity,
        "time": unix(breach.at),
        "explanation": breach.explanation,
        "previous_time": unix(breach.previous_at),
        "previous_balance": breach.previous_balance,
        "previous_equity": breach.previous_equity,
        "terms_digest": breach.terms_digest,
    }


def _step_json(phase: PhaseTerms) -> dict[str, Any]:
    return {
        "phase_index": phase.phase_index,
        "phase_type": phase.phase_type,
        "name": phase.name,
        "account_group": phase.account_group,
        "initial_balance": phase.initial_balance,
        "profit_split": phase.profit_split,
        **{name: getattr(phase.rules, name) for name in STEP_RULES},
    }
