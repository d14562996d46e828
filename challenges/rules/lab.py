"""The rule lab: terms and observations in, levels and verdicts out, judged by the very code that monitors."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from challenges.rules.activity import closed_profits
from challenges.rules.documents import LabDocument, LabError, read_document
from challenges.rules.engine import judge_series
from challenges.rules.judgement import Finding, Judgement, Levels
from challenges.rules.progress import percentage
from challenges.rules.state import RunningState
from programs.terms import amount_text, plain

MONEY_RULES = {"daily_loss", "total_loss", "daily_profit"}
END_OF_TIME = datetime(9999, 12, 31, tzinfo=UTC)


def run_lab(raw: object) -> dict[str, Any] | list[dict[str, Any]]:
    """The result of one document, or of each in a list. LabError names the place that cannot be judged."""
    if isinstance(raw, list):
        return [_result(read_document(item, f"[{index}]."), f"[{index}].") for index, item in enumerate(raw)]
    return _result(read_document(raw), "")


def _result(document: LabDocument, place: str) -> dict[str, Any]:
    _refuse_disorder(document, place)
    judgements = list(_judged(document))
    last = judgements[-1] if judgements else None
    return {
        "observations": [_row(at, judgement) for at, judgement in zip(document.times, judgements, strict=True)],
        "status": last.status if last else "active",
        "trading_days": last.state.trading_days if last else 0,
        "best_day_share_pct": _best_day_share(document),
    }


def _judged(document: LabDocument) -> list[Judgement]:
    """The enrollment starts with the first observation."""
    if not document.observations:
        return []
    state = RunningState.opening(document.initial_balance, document.observations[0].at, document.terms)
    return list(judge_series(state, document.terms, document.observations, document.trades))


def _refuse_disorder(document: LabDocument, place: str) -> None:
    times = [observation.at for observation in document.observations]
    for index in range(1, len(times)):
        if times[index] < times[index - 1]:
            raise LabError(
                f"{place}observations[{index}].at",
                f"observations out of order: {document.times[index]} is before {document.times[index - 1]}",
            )


def _row(at: str, judgement: Judgement) -> dict[str, Any]:
    return {
        "at": at,
        "trading_day": judgement.state.trading_day.isoformat(),
        "levels": _levels(judgement.levels),
        "breaches": [_breach(finding) for finding in judgement.findings],
        "trading_days": judgement.state.trading_days,
        "status": judgement.status,
    }


def _levels(levels: Levels) -> Mapping[str, str | None]:
    return {
        name: None if level is None else amount_text(level)
        for name, level in (
            ("daily_loss", levels.daily_loss),
            ("total_loss", levels.total_loss),
            ("profit_target", levels.profit_target),
            ("daily_profit", levels.daily_profit),
        )
    }


def _breach(finding: Finding) -> Mapping[str, str]:
    """Amounts with two decimals or more; counts, lots and days as plain numbers."""
    text = amount_text if finding.rule in MONEY_RULES else plain
    return {
        "rule": finding.rule,
        "level": text(finding.level),
        "observed": text(finding.observed),
        "action": finding.action,
    }


def _best_day_share(document: LabDocument) -> str | None:
    """The best day's share of the profit of all closed trades; None unless that profit is above 0."""
    profits = closed_profits(document.trades or (), END_OF_TIME, document.terms)
    total = sum(profits.values(), Decimal(0))
    return amount_text(percentage(max(profits.values()), total)) if total > 0 else None
