"""What the program commands answer, for the API's documentation. `programs.api.shapes` builds it."""

from typing import Any

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from programs.api.commands import PROGRAMS
from programs.api.shapes import MORE_RULES, SEED_RULES
from programs.models import PhaseType, Program
from programs.rule_fields import phase_parameters
from programs.terms import Parameter
from propdesk.lib.mng.inputs import NumberField, WholeNumberField

_KINDS: dict[str, type[serializers.Field[Any, Any, Any, Any]]] = {
    "percent": NumberField,
    "lots": NumberField,
    "count": WholeNumberField,
    "flag": serializers.BooleanField,
    "time": serializers.CharField,
    "choice": serializers.CharField,
}
_UNIX = "Unix seconds."


def _rule_output(parameter: Parameter) -> serializers.Field[Any, Any, Any, Any]:
    return _KINDS[parameter.kind](allow_null=parameter.nullable, help_text=parameter.help)


class ProgramOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    brand = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    demo_group = serializers.CharField(help_text="The group of the first evaluation step; empty without one.")
    price = serializers.FloatField()
    price_currency = serializers.CharField()
    profit_split = serializers.FloatField(help_text="The funded step's; 0 without one.")
    status = serializers.ChoiceField(choices=Program.Status.choices)
    sort_index = serializers.IntegerField()
    created_time = serializers.IntegerField(help_text=_UNIX)
    updated_time = serializers.IntegerField(help_text=_UNIX)
    day_reset_time = serializers.CharField()
    day_reset_timezone = serializers.CharField()
    version = serializers.IntegerField(help_text="Counts the saves; give it back to be refused when it is stale.")


class StepOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    program_id = serializers.IntegerField()
    phase_index = serializers.IntegerField()
    phase_type = serializers.ChoiceField(choices=PhaseType.choices)
    name = serializers.CharField()
    account_group = serializers.CharField()
    initial_balance = serializers.FloatField(help_text="The account group's default deposit, as it is now.")
    profit_split = serializers.FloatField(help_text="A ratio: 0.8 is 80 %.")
    created_time = serializers.IntegerField(help_text=_UNIX)
    updated_time = serializers.IntegerField(help_text=_UNIX)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        rules = {rule.name: rule for rule in phase_parameters()}
        shown = [name for name in (*SEED_RULES, *MORE_RULES) if name in rules]
        return {**super().get_fields(), **{name: _rule_output(rules[name]) for name in shown}}


class ProgramCard(serializers.Serializer[Any]):
    program = ProgramOutput()
    steps = StepOutput(many=True)


@extend_schema_serializer(many=False)
class ProgramPage(serializers.Serializer[Any]):
    count = serializers.IntegerField(help_text="The total before paging.")
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = ProgramOutput(many=True)


class ProgramDeleted(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    deleted = serializers.BooleanField()
    counters = serializers.DictField(child=serializers.IntegerField(), help_text="The removed rows by kind.")


class ProgramTable(serializers.Serializer[Any]):
    structure = serializers.ListField(child=serializers.CharField(), help_text=", ".join(PROGRAMS.structure))
    rows = serializers.ListField(child=serializers.ListField(), help_text="Each in the order of `structure`.")
    count = serializers.IntegerField(help_text="The total before paging.")
