"""Programs and steps as JSON objects, in the documented order of fields; what PropDesk adds comes after it."""

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from typing import Any

from programs.models import Phase, PhaseType, Program
from programs.rule_fields import phase_parameters
from propdesk.lib.times import unix

# The rule values of seed 001, in its order. `profit_split` stands among them.
SEED_RULES = (
    "duration_days", "max_daily_loss_pct", "max_total_loss_pct", "max_daily_profit_pct", "profit_target_pct",
    "profit_split", "min_trading_days", "max_trading_days", "max_positions",
)  # fmt: skip
MORE_RULES = tuple(parameter.name for parameter in phase_parameters() if parameter.name not in SEED_RULES)


def card(program: Program) -> dict[str, Any]:
    """The full program card: `{"program", "steps"}`."""
    phases = list(program.phases.select_related("account_group").order_by("phase_index"))
    return {"program": program_json(program, phases), "steps": [step_json(phase) for phase in phases]}


def program_json(program: Program, phases: list[Phase]) -> dict[str, Any]:
    """The program object: `demo_group` of V1 and the computed `profit_split` of V2 both. Times are Unix seconds."""
    return {
        "id": program.pk,
        "brand": program.brand,
        "name": program.name,
        "description": program.description,
        "demo_group": program.demo_group,
        "price": float(program.price),
        "price_currency": program.price_currency,
        "profit_split": profit_split(phases),
        "status": int(program.status),
        "sort_index": program.sort_index,
        "created_time": unix(program.created_at),
        "updated_time": unix(program.updated_at),
        "day_reset_time": json_value(program.day_reset_time),
        "day_reset_timezone": program.day_reset_timezone,
        "version": program.version,
    }


def step_json(phase: Phase) -> dict[str, Any]:
    """The step object; `initial_balance` is the account group's default deposit as it is now."""
    return {
        "id": phase.pk,
        "program_id": phase.program_id,
        **step_terms(phase),
        "created_time": unix(phase.created_at),
        "updated_time": unix(phase.updated_at),
        **{name: json_value(getattr(phase, name)) for name in MORE_RULES},
    }


def step_terms(phase: Phase) -> dict[str, Any]:
    """The documented fields of a step that customers see too."""
    return {
        "phase_index": phase.phase_index,
        "phase_type": int(phase.phase_type),
        "name": phase.name,
        "account_group": phase.account_group.name,
        "initial_balance": json_value(phase.account_group.default_deposit),
        **{name: json_value(getattr(phase, name)) for name in SEED_RULES},
    }


def profit_split(phases: list[Phase]) -> int | float:
    """The funded step's split, 0 without one."""
    splits = [phase.profit_split for phase in phases if phase.phase_type == PhaseType.FUNDED]
    return number(splits[0]) if splits else 0


def number(value: Decimal) -> int | float:
    """Whole amounts print as 100000, others as 0.8: the way the seeds print them."""
    return int(value) if value == value.to_integral_value() else float(value)


def json_value(value: Any) -> Any:
    match value:
        case Decimal():
            return number(value)
        case time():
            return value.isoformat("seconds" if value.second else "minutes")
        case Mapping() | None | bool() | int() | str():
            return value
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")
