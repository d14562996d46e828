"""How rows look in lists and on pages: coloured labels, links to related records, figures."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from propdesk.lib.admin.theme import display
from propdesk.lib.money import as_text

NOTHING = "-"
# A function of the row. Django takes one wherever it takes a field's name, but its stubs know that of lists only.
Column = Any


class Colour(StrEnum):
    """Grey: nothing to do yet or any more. Blue: under way. Green: good. Orange: look at it. Red: bad."""

    GREY = "grey"
    BLUE = "blue"
    GREEN = "green"
    ORANGE = "orange"
    RED = "red"


def label(text: object, colour: Colour = Colour.GREY, title: str = "") -> SafeString:
    """A small coloured label."""
    return format_html('<span class="pd-label pd-{}" title="{}">{}</span>', colour.value, title, text)


def status_label(row: Any, colours: Mapping[int, Colour], field: str = "status") -> SafeString:
    """The label of a row's status; a status without a colour is grey."""
    text = getattr(row, f"get_{field}_display")()
    return label(str(text).replace("_", " "), colours.get(getattr(row, field), Colour.GREY))


def status_column(colours: Mapping[int, Colour], field: str = "status", description: str = "status") -> Column:
    """A list or page column that shows `field` as a coloured label."""

    @display(description=description, ordering=field)
    def column(row: Any) -> str:
        return status_label(row, colours, field)

    return _named(column, field)


def money_column(field: str, *, currency: str = "", description: str = "") -> Column:
    """A column for an amount: `499.00 USD`. `currency` is the dotted path of the currency's attribute."""

    @display(description=description or field.replace("_", " "), ordering=field)
    def column(row: Any) -> str:
        amount = getattr(row, field)
        if amount is None:
            return NOTHING
        return format_html('<span class="pd-figure">{}</span>', as_text(amount, str(_follow(row, currency) or "")))

    return _named(column, field)


def percent_column(field: str, description: str = "") -> Column:
    """A column for a percentage."""

    @display(description=description or field.replace("_", " "), ordering=field)
    def column(row: Any) -> str:
        value = getattr(row, field)
        return NOTHING if value is None else percent(value)

    return _named(column, field)


def flag_column(field: str, text: str, colour: Colour = Colour.ORANGE) -> Column:
    """A column that shows a label where the flag is set, and nothing to worry about where it is not."""

    @display(description=text, ordering=field)
    def column(row: Any) -> str:
        return label(text, colour) if getattr(row, field) else NOTHING

    return _named(column, field)


def link_column(path: str, description: str = "", *, ordering: str | None = None) -> Column:
    """A column that links to a related row, given by its dotted path; load it with `list_select_related`."""

    @display(description=description or path.rsplit(".", 1)[-1].replace("_", " "), ordering=ordering)
    def column(row: Any) -> str:
        return link_to(_follow(row, path))

    return _named(column, path.replace(".", "_"))


def number_column(field: str, description: str = "") -> Column:
    """A column for a number that is a name, such as an account login: without thousands separators."""

    @display(description=description or field.replace("_", " "), ordering=field)
    def column(row: Any) -> str:
        return str(getattr(row, field) or NOTHING)

    return _named(column, field)


def percent(value: Decimal) -> str:
    """`4.25 %`, with two decimals at most."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{'0' if text == '-0' else text} %"


def link_to(row: Model | None, text: str = "") -> str:
    """A link to the row's page, or its plain name when it has none."""
    if row is None:
        return NOTHING
    url = page_of(row)
    if not url:
        return text or str(row)
    return format_html('<a class="pd-link" href="{}">{}</a>', url, text or str(row))


def page_of(row: Model) -> str:
    """The address of the row's admin page; empty when it has none."""
    options = row._meta
    try:
        return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[quote(row.pk)])
    except NoReverseMatch:
        return ""


def list_of(model: type[Model], **filters: str | int) -> str:
    """The address of a model's list, filtered."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def _follow(row: Any, path: str) -> Any:
    for name in path.split(".") if path else ():
        row = getattr(row, name, None)
    return row if path else None


def _named(column: Column, name: str) -> Column:
    # Django takes the CSS class of a column from the function's name.
    column.__name__ = name
    return column
