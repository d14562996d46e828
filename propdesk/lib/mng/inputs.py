"""Input fields that take what they document and nothing that merely resembles it: no "50" for 50, no true for 1."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

from rest_framework import serializers

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


class CommandInput(serializers.Serializer[Any]):
    """A serializer that names the fields it does not know instead of ignoring them."""

    # Fields of the answer that are computed: a caller who sends them back learns why they are refused.
    read_only_names: ClassVar[frozenset[str]] = frozenset()

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"non_field_errors": ["An object is required."]})
        unknown = {
            str(name)[:100]: ["Read-only: it is computed." if name in self.read_only_names else "Unknown field."]
            for name in data
            if name not in self.fields
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError({**unknown, **error.detail}) from None  # type: ignore[dict-item]
        if unknown:
            raise serializers.ValidationError(unknown)
        return value


class TextField(serializers.CharField):
    """A JSON string, kept as it is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False, **options})

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("A text is required.")
        return str(super().to_internal_value(data))


class WholeNumberField(serializers.Field[int, Any, int, Any]):
    """A JSON integer within the bounds, 64 bits by default. `1.0`, `"1"` and `true` are none."""

    def __init__(self, *, minimum: int = INT64_MIN, maximum: int = INT64_MAX, **options: Any) -> None:
        super().__init__(**options)
        self.minimum, self.maximum = minimum, maximum

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            raise serializers.ValidationError("A whole number is required.")
        if not self.minimum <= data <= self.maximum:
            raise serializers.ValidationError(f"Must be between {self.minimum} and {self.maximum}.")
        return data

    def to_representation(self, value: int) -> int:
        return value


class FlagField(serializers.Field[bool, Any, bool, Any]):
    """true or false, nothing that merely reads like it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError("true or false is required.")
        return data

    def to_representation(self, value: bool) -> bool:  # noqa: FBT001  (the framework's signature)
        return value


class NumberField(serializers.Field[Decimal, Any, float, Any]):
    """A JSON number, as a Decimal."""

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | Decimal):
            raise serializers.ValidationError("A number is required.")
        return Decimal(data)

    def to_representation(self, value: Decimal) -> float:
        return float(value)
