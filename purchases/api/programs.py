"""A program as customers see it. Fields: api-facts 6.1."""

from typing import Any

from rest_framework import serializers

from programs.models import Phase, PhaseType, Program
from propdesk.lib.mng.inputs import TextField


class ProgramsInput(serializers.Serializer[Any]):
    brand = TextField(max_length=64, required=False, allow_blank=True, default="")


class OfferedStep(serializers.Serializer[Any]):
    """A phase of the program. Percentages: 5 is 5 %; amounts in the program's currency."""

    phase_index = serializers.IntegerField()
    phase_type = serializers.ChoiceField(choices=PhaseType.choices)
    name = serializers.CharField()
    account_group = serializers.CharField()
    initial_balance = serializers.FloatField()
    duration_days = serializers.IntegerField()
    max_daily_loss_pct = serializers.FloatField()
    max_total_loss_pct = serializers.FloatField()
    max_daily_profit_pct = serializers.FloatField()
    profit_target_pct = serializers.FloatField()
    profit_split = serializers.FloatField(help_text="A ratio: 0.8 is 80 %.")
    min_trading_days = serializers.IntegerField()
    max_trading_days = serializers.IntegerField()
    max_positions = serializers.IntegerField()


class OfferedProgram(serializers.Serializer[Any]):
    """A program on sale."""

    id = serializers.IntegerField()
    brand = serializers.CharField()
    name = serializers.CharField()
    display_name = serializers.CharField()
    description = serializers.CharField()
    short_description = serializers.CharField(help_text="The first line of the description.")
    price = serializers.FloatField()
    price_currency = serializers.CharField()
    price_label = serializers.CharField()
    profit_split = serializers.FloatField(help_text="The funded phase's; 0 without one.")
    status = serializers.ChoiceField(choices=Program.Status.choices)
    sort_index = serializers.IntegerField()
    steps = OfferedStep(many=True)


class OfferedPrograms(serializers.Serializer[Any]):
    rows = OfferedProgram(many=True)


def program_json(program: Program) -> dict[str, Any]:
    """The program as `OfferedProgram` describes it; load it with `phases__account_group`."""
    phases = sorted(program.phases.all(), key=lambda phase: phase.phase_index)
    return {
        "id": program.pk,
        "brand": program.brand,
        "name": program.name,
        "display_name": program.name,
        "description": program.description,
        "short_description": next(iter(program.description.splitlines()), ""),
        "price": program.price,
        "price_currency": program.price_currency,
        # Six decimals, as the documented "USD 499.000000" has them.
        "price_label": f"{program.price_currency} {program.price:.6f}",
        "profit_split": next((phase.profit_split for phase in phases if phase.phase_type == PhaseType.FUNDED), 0),
        "status": program.status,
        "sort_index": program.sort_index,
        "steps": [step_json(phase) for phase in phases],
    }


def step_json(phase: Phase) -> dict[str, Any]:
    return {
        "phase_index": phase.phase_index,
        "phase_type": phase.phase_type,
        "name": phase.name,
        "account_group": phase.account_group.name,
        "initial_balance": phase.account_group.default_deposit,
        "duration_days": phase.duration_days,
        "max_daily_loss_pct": phase.max_daily_loss_pct,
        "max_total_loss_pct": phase.max_total_loss_pct,
        "max_daily_profit_pct": phase.max_daily_profit_pct,
        "profit_target_pct": phase.profit_target_pct,
        "profit_split": phase.profit_split,
        "min_trading_days": phase.min_trading_days,
        "max_trading_days": phase.max_trading_days,
        "max_positions": phase.max_positions,
    }
