"""The table format of the "ByFilter" commands: declare the columns, and any queryset is filtered, ordered and paged.

    request   {"limit": 1..50000, "offset": >= 0, "where": [[field, op, value]], "whereNot": [[field, value]],
               "whereIn": [[field, [..]]], "whereBetween": [[field, [a, b]]], "orderBy": [[field, "asc"|"desc"]], ...}
    answer    {"structure": [name, ...], "rows": [[value, ...], ...], "count": total before paging}
               more than 1,000 rows as `Rows`

Only declared fields may be named, and a value must be of its field's type. Filters compare what the column prints.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import BigIntegerField, F, FloatField, Func, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast
from rest_framework import serializers

from propdesk.lib.mng.conditions import Column, Kind, read_conditions, read_order
from propdesk.lib.mng.inputs import INT64_MAX, CommandInput, WholeNumberField
from propdesk.lib.mng.rows import CHUNK, Rows

__all__ = ["Column", "Kind", "Table", "TableInput", "UnixSeconds"]

MAX_LIMIT = 50_000
# From this offset on, the rows that are skipped are read from an index only (where one serves the order).
DEEP_OFFSET = 1_000


class UnixSeconds(Func):
    """A time column as the Mng API prints it: whole Unix seconds, 0 when not set."""

    # `date_part` counts in doubles, exact to the microsecond; `extract` in NUMERIC, which is far slower.
    template = "coalesce(floor(date_part('epoch', %(expressions)s)), 0)::bigint"
    output_field = BigIntegerField()


class TableInput(CommandInput):
    """What every table command takes. The conditions are read against the columns by `Table`."""

    limit = WholeNumberField(minimum=1, maximum=MAX_LIMIT)
    offset = WholeNumberField(minimum=0, maximum=INT64_MAX)
    where = serializers.ListField(required=False)
    whereNot = serializers.ListField(required=False)  # noqa: N815  (the documented names)
    whereIn = serializers.ListField(required=False)  # noqa: N815
    whereNotIn = serializers.ListField(required=False)  # noqa: N815
    whereBetween = serializers.ListField(required=False)  # noqa: N815
    whereNotBetween = serializers.ListField(required=False)  # noqa: N815
    orderBy = serializers.ListField(required=False)  # noqa: N815


class Table:
    """Columns in the order of `structure`; hidden ones can be filtered by but are not printed."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = {column.name: column for column in columns}
        self._shown = [column for column in columns if column.shown]
        self.structure = [column.name for column in self._shown]

    def read(self, queryset: "QuerySet[Any]", request: Mapping[str, Any]) -> dict[str, Any]:
        """The page that the request (validated by `TableInput`) asks for, ties of the order broken by id.

        Raises InvalidDataError naming each condition that is wrong.
        """
        matching = self._filtered(queryset, request)
        page = self._page(matching, request)
        rows = list(page) if request["limit"] <= CHUNK else Rows(page)
        # A page that is not full, and not beyond the end, tells the total by itself.
        ends_here = len(rows) < request["limit"] and (len(rows) > 0 or request["offset"] == 0)
        count = request["offset"] + len(rows) if ends_here else matching.count()
        return {"structure": self.structure, "rows": rows, "count": count}

    def _page(self, matching: "QuerySet[Any]", request: Mapping[str, Any]) -> "QuerySet[Any, tuple[Any, ...]]":
        order = self._order(request)
        offset, limit = request["offset"], request["limit"]
        paged = matching.order_by(*order)[offset : offset + limit]
        if offset >= max(DEEP_OFFSET, limit):
            # A deferred join: only the ids of what is skipped are read, not its rows.
            everything = self._named(matching.model._default_manager.using(matching.db))
            paged = everything.filter(pk__in=paged.values("pk")).order_by(*order)
        return paged.values_list(*(_printed(column) for column in self._shown))

    def _filtered(self, queryset: "QuerySet[Any]", request: Mapping[str, Any]) -> "QuerySet[Any]":
        conditions = read_conditions(self._columns, request)
        read_order(self._columns, request)
        matching = self._named(queryset)
        for condition in conditions:
            matching = matching.filter(condition.q(_path(self._columns[condition.field])))
        return matching

    def _named(self, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        """The queryset with a name for each column that is an expression."""
        columns = self._columns.values()
        named: QuerySet[Any] = queryset.alias(
            **{_alias(column.name): column.source for column in columns if not isinstance(column.source, str)}
        )
        return named

    def _order(self, request: Mapping[str, Any]) -> list[Any]:
        order: list[Any] = []
        for name, descending in read_order(self._columns, request):
            path = F(_path(self._columns[name]))
            order.append(path.desc() if descending else path.asc())
        return [*order, F("pk").asc()]


def _alias(name: str) -> str:
    return f"column_{name}"


def _path(column: Column) -> str:
    """What a filter or an order names: the model field itself where there is one, so that its index serves."""
    return column.source if isinstance(column.source, str) else _alias(column.name)


def _printed(column: Column) -> str | Combinable:
    """Doubles are cast in the query, so that no row passes through Python on its way to JSON."""
    if column.kind == "double":
        return Cast(_path(column), FloatField())
    return column.source if isinstance(column.source, str) else F(_alias(column.name))
