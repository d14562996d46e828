"""The only module that imports Unfold. For the type checker its classes are Django's own, which they extend."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.contrib.admin import (
        ChoicesFieldListFilter,
        DateFieldListFilter,
        ModelAdmin,
        RelatedFieldListFilter,
        SimpleListFilter,
        StackedInline,
        TabularInline,
        display,
    )
    from django.contrib.auth.forms import AdminPasswordChangeForm, AdminUserCreationForm, UserChangeForm
    from django.forms import FileInput, NumberInput, PasswordInput, Select, Textarea, TextInput

    ChoicesFilter = ChoicesFieldListFilter
    DateRangeFilter = DateFieldListFilter
    RelatedFilter = RelatedFieldListFilter
    OptionsFilter = SimpleListFilter
    UserCreationForm = AdminUserCreationForm
    BooleanFilter = ChoicesFieldListFilter
    ActionVariant = str
else:
    from unfold.admin import ModelAdmin, StackedInline, TabularInline, display
    from unfold.contrib.filters.admin import BooleanRadioFilter as BooleanFilter
    from unfold.contrib.filters.admin import ChoicesDropdownFilter as ChoicesFilter
    from unfold.contrib.filters.admin import DropdownFilter as OptionsFilter
    from unfold.contrib.filters.admin import RangeDateFilter as DateRangeFilter
    from unfold.contrib.filters.admin import RelatedDropdownFilter as RelatedFilter
    from unfold.enums import ActionVariant
    from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
    from unfold.widgets import UnfoldAdminDecimalFieldWidget as NumberInput
    from unfold.widgets import UnfoldAdminFileFieldWidget as FileInput
    from unfold.widgets import UnfoldAdminPasswordWidget as PasswordInput
    from unfold.widgets import UnfoldAdminSelectWidget as Select
    from unfold.widgets import UnfoldAdminTextareaWidget as Textarea
    from unfold.widgets import UnfoldAdminTextInputWidget as TextInput

__all__ = [
    "ActionVariant",
    "AdminPasswordChangeForm",
    "BooleanFilter",
    "ChoicesFilter",
    "DateRangeFilter",
    "DecimalInput",
    "FileInput",
    "ModelAdmin",
    "OptionsFilter",
    "PasswordInput",
    "RelatedFilter",
    "Select",
    "StackedInline",
    "TabularInline",
    "TextInput",
    "Textarea",
    "UserChangeForm",
    "UserCreationForm",
    "display",
]


class DecimalInput(NumberInput):
    """A number box that shows 499 where the column holds 499.00000000."""

    def format_value(self, value: Any) -> str | None:
        if isinstance(value, Decimal):
            text = f"{value:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        shown: str | None = super().format_value(value)
        return shown
