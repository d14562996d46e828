"""What the program commands take. Shapes and types are checked here, everything else by `programs.services`."""

from datetime import time
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from programs.models import Program
from programs.rule_fields import phase_parameters
from programs.services.validation import MAX_STEPS
from programs.terms import PARAMETERS, Parameter
from propdesk.lib.mng.inputs import CommandInput, FlagField, NumberField, TextField, WholeNumberField

INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}


@extend_schema_field({"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9](:[0-5][0-9])?$", "example": "17:00"})
class WallTimeField(serializers.Field[time, Any, str, Any]):
    """A wall time such as "17:00" or "17:00:30"."""

    def to_internal_value(self, data: Any) -> time:
        try:
            value = time.fromisoformat(data)
        except (TypeError, ValueError):
            raise serializers.ValidationError("A time such as 17:00 is required.") from None
        if value.tzinfo is not None or value.microsecond:
            raise serializers.ValidationError("A time such as 17:00 is required.")
        return value

    def to_representation(self, value: time) -> str:
        return value.isoformat()


def _choice(parameter: Parameter) -> serializers.Field[Any, Any, Any, Any]:
    return serializers.ChoiceField(choices=list(parameter.choices), required=False, help_text=parameter.help)


def _rule_field(parameter: Parameter) -> serializers.Field[Any, Any, Any, Any]:
    if parameter.kind == "choice":
        return _choice(parameter)
    field: type[Any] = _FIELDS[parameter.kind]
    return field(required=False, allow_null=parameter.nullable, help_text=parameter.help)  # type: ignore[no-any-return]


_FIELDS: dict[str, type[Any]] = {
    "percent": NumberField,
    "lots": NumberField,
    "count": WholeNumberField,
    "flag": FlagField,
    "time": WallTimeField,
}


class StepInput(CommandInput):
    """One step, with every rule parameter that `programs.terms` knows."""

    read_only_names = frozenset({"id", "program_id", "initial_balance", "created_time", "updated_time"})

    phase_index = WholeNumberField(minimum=1, maximum=1000)
    phase_type = WholeNumberField(minimum=0, maximum=1, required=False)
    name = TextField(max_length=100)
    account_group = TextField(max_length=64, required=False, allow_blank=True)
    profit_split = NumberField(required=False)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), **{rule.name: _rule_field(rule) for rule in phase_parameters()}}


class ProgramInput(CommandInput):
    read_only_names = frozenset({"profit_split", "phases_count", "created_time", "updated_time"})

    brand = TextField(max_length=64, required=False)
    name = TextField(max_length=128, required=False)
    description = TextField(max_length=10_000, required=False, allow_blank=True)
    demo_group = TextField(max_length=64, required=False, allow_blank=True)
    price = NumberField(required=False)
    price_currency = TextField(max_length=3, required=False)
    status = WholeNumberField(minimum=0, maximum=max(Program.Status.values), required=False)
    sort_index = WholeNumberField(**INT32, required=False)
    day_reset_time = WallTimeField(required=False, help_text=PARAMETERS["day_reset_time"].help)
    day_reset_timezone = TextField(max_length=64, required=False, help_text=PARAMETERS["day_reset_timezone"].help)
    steps: serializers.BaseSerializer[Any] = serializers.ListSerializer(
        child=StepInput(), max_length=MAX_STEPS, required=False
    )


class CreateInput(ProgramInput):
    """MngCreatePropProgram."""

    brand = TextField(max_length=64)
    name = TextField(max_length=128)
    price = NumberField()
    price_currency = TextField(max_length=3)
    steps: serializers.BaseSerializer[Any] = serializers.ListSerializer(child=StepInput(), max_length=MAX_STEPS)


class ProgramIdInput(CommandInput):
    """MngGetPropProgram, MngDeletePropProgram."""

    id = WholeNumberField()


class UpdateInput(ProgramInput):
    """MngUpdatePropProgram: only the fields that are sent change; `steps` replaces all steps.

    `version`, when given, is the one the caller has read: a stale one is refused.
    """

    id = WholeNumberField()
    version = WholeNumberField(required=False)
