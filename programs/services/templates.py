"""Templates to start a program from: how most firms word theirs. Nobody edits them; they are copied."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from programs.models import PhaseType
from programs.terms import RuleTerms

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProgramTemplate:
    """`steps` are those of `save_program`'s data without account groups: a template knows no broker."""

    key: str
    name: str
    description: str
    steps: tuple[Step, ...]

    def terms(self) -> list[tuple[str, RuleTerms]]:
        """Name and rules of every phase."""
        rules = [{name: value for name, value in step.items() if name not in _NO_RULES} for step in self.steps]
        return [
            (str(step["name"]), RuleTerms.from_mapping(given)) for step, given in zip(self.steps, rules, strict=True)
        ]


_NO_RULES = frozenset({"phase_index", "phase_type", "name", "profit_split"})


def _evaluation(index: int, name: str, target: int, **rules: Any) -> Step:
    return {
        "phase_index": index, "phase_type": int(PhaseType.EVALUATION), "name": name, "profit_split": Decimal(0),
        "profit_target_pct": Decimal(target), **rules,
    }  # fmt: skip


def _funded(index: int, split: str, **rules: Any) -> Step:
    return {
        "phase_index": index, "phase_type": int(PhaseType.FUNDED), "name": "Funded", "profit_split": Decimal(split),
        "profit_target_pct": Decimal(0), **rules,
    }  # fmt: skip


def _losses(daily: int, total: int, **rules: Any) -> dict[str, Any]:
    return {"max_daily_loss_pct": Decimal(daily), "max_total_loss_pct": Decimal(total), **rules}


_TRAILING = {"total_loss_trail": "equity", "total_loss_lock_pct": Decimal(0)}

_ALL = (
    ProgramTemplate(
        key="one_step",
        name="1-step",
        description="One evaluation with a trailing loss limit, then a funded account.",
        steps=(
            _evaluation(1, "Evaluation", 10, min_trading_days=3, **_losses(4, 6, **_TRAILING)),
            _funded(2, "0.8", **_losses(4, 6, **_TRAILING)),
        ),
    ),
    ProgramTemplate(
        key="two_step",
        name="2-step",
        description="Two evaluations with static loss limits, then a funded account.",
        steps=(
            _evaluation(1, "Evaluation", 8, min_trading_days=4, **_losses(5, 10)),
            _evaluation(2, "Verification", 5, min_trading_days=4, **_losses(5, 10)),
            _funded(3, "0.8", **_losses(5, 10)),
        ),
    ),
    ProgramTemplate(
        key="three_step",
        name="3-step",
        description="Three evaluations with small targets and tight loss limits, then a funded account.",
        steps=(
            *(_evaluation(index, f"Stage {index}", 6, min_trading_days=3, **_losses(4, 8)) for index in (1, 2, 3)),
            _funded(4, "0.8", **_losses(4, 8)),
        ),
    ),
    ProgramTemplate(
        key="instant",
        name="Instant funded",
        description="No evaluation: a funded account from the first day, with tight limits and a consistency rule.",
        steps=(_funded(1, "0.7", consistency_pct=Decimal(25), **_losses(3, 6, **_TRAILING)),),
    ),
)
TEMPLATES: Mapping[str, ProgramTemplate] = {template.key: template for template in _ALL}
