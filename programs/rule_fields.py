"""Model fields of the rule parameters: default, bounds, choices and help text come from `programs.terms.PARAMETERS`.

Every bound is a validator (for forms) and a database constraint (for everything else).
"""

from datetime import time
from decimal import Decimal
from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from programs.terms import PARAMETERS, Parameter

_DIGITS = 12  # 1000.00000000 is the longest percentage


def pct_field(name: str) -> "models.DecimalField[Any, Decimal]":
    return models.DecimalField(max_digits=_DIGITS, **_decimal(PARAMETERS[name]))


def optional_pct_field(name: str) -> "models.DecimalField[Any, Decimal | None]":
    return models.DecimalField(max_digits=_DIGITS, null=True, blank=True, **_decimal(PARAMETERS[name]))


def lots_field(name: str) -> "models.DecimalField[Any, Decimal | None]":
    return models.DecimalField(max_digits=18, null=True, blank=True, **_decimal(PARAMETERS[name]))


def count_field(name: str) -> "models.PositiveIntegerField[Any, int]":
    parameter = PARAMETERS[name]
    return models.PositiveIntegerField(**_common(parameter), validators=_bounds(parameter, int))


def choice_field(name: str) -> "models.CharField[Any, str]":
    parameter = PARAMETERS[name]
    return models.CharField(max_length=30, choices=list(parameter.choices.items()), **_common(parameter))


def flag_field(name: str) -> "models.BooleanField[Any, bool]":
    return models.BooleanField(**_common(PARAMETERS[name]))


def time_field(name: str) -> "models.TimeField[Any, time]":
    return models.TimeField(**_common(PARAMETERS[name]))


def phase_parameters() -> tuple[Parameter, ...]:
    """The parameters that every phase has, in the order of the table."""
    return tuple(parameter for parameter in PARAMETERS.values() if not parameter.program_wide)


def rule_constraints() -> list[models.CheckConstraint]:
    """One constraint per parameter: numbers within their bounds (which also keeps NaN out), choices among the known."""
    return [
        models.CheckConstraint(condition=condition, name=f"phase_{parameter.name}_allowed")
        for parameter in phase_parameters()
        if (condition := _condition(parameter))
    ]


def _condition(parameter: Parameter) -> Q | None:
    name = parameter.name
    if parameter.choices:
        return Q(**{f"{name}__in": sorted(parameter.choices)})
    if parameter.minimum is None or parameter.maximum is None:
        return None
    return Q(**{f"{name}__gte": parameter.minimum, f"{name}__lte": parameter.maximum})


def _common(parameter: Parameter) -> dict[str, Any]:
    return {"verbose_name": parameter.label, "default": parameter.default, "help_text": parameter.help}


def _decimal(parameter: Parameter) -> dict[str, Any]:
    return {**_common(parameter), "decimal_places": parameter.decimals, "validators": _bounds(parameter, Decimal)}


def _bounds(parameter: Parameter, kind: type[int] | type[Decimal]) -> list[Any]:
    low = [] if parameter.minimum is None else [MinValueValidator(kind(parameter.minimum))]
    high = [] if parameter.maximum is None else [MaxValueValidator(kind(parameter.maximum))]
    return [*low, *high]
