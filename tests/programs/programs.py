"""Input for `save_program`, and what it wrote."""

from decimal import Decimal
from typing import Any

from programs.models import Phase, Program, ProgramEvent, ProgramVersion

EVALUATION = {
    "phase_index": 1,
    "name": "Evaluation",
    "account_group": "PROP_DEMO_USD",
    "max_daily_loss_pct": Decimal(5),
    "max_total_loss_pct": Decimal(10),
    "profit_target_pct": Decimal(8),
}
FUNDED = {
    "phase_index": 2,
    "phase_type": 1,
    "name": "Funded",
    "account_group": "PROP_REAL_USD",
    "profit_split": Decimal("0.8"),
}
TWO_STEPS: dict[str, Any] = {
    "brand": "default",
    "name": "Evaluation 100K",
    "price": Decimal(499),
    "price_currency": "USD",
    "steps": [EVALUATION, FUNDED],
}


def with_step(index: int, **changes: Any) -> dict[str, Any]:
    """The two steps with one of them changed; a value of `...` takes the field away."""
    steps = [dict(step) for step in TWO_STEPS["steps"]]
    for name, value in changes.items():
        if value is ...:
            steps[index].pop(name, None)
        else:
            steps[index][name] = value
    return {**TWO_STEPS, "steps": steps}


def everything() -> dict[str, list[Any]]:
    """Every row that a save writes, to see that a refused one wrote nothing."""
    return {model.__name__: list(model.objects.order_by("id").values())
            for model in (Program, Phase, ProgramVersion, ProgramEvent)}  # fmt: skip
