"""Counts of related rows in lists."""

from typing import Any

from django.db.models import Count, IntegerField, Model, OuterRef, Subquery
from django.db.models.functions import Coalesce


def count_of(model: type[Model], relation: str, **filters: object) -> Coalesce:
    """The number of rows that point at each listed row of `model` through a reverse relation, such as "phases".

    A subquery is run for the rows of the page only; a joined COUNT would group the whole table before paging. The
    relation may lead to an app above, which this one does not import.
    """
    pointing: Any = model._meta.get_field(relation)
    foreign_key = pointing.field.name
    rows = pointing.related_model._default_manager.filter(**{foreign_key: OuterRef("pk")}, **filters)
    totals = rows.order_by().values(foreign_key).annotate(total=Count("pk")).values("total")
    return Coalesce(Subquery(totals, output_field=IntegerField()), 0)
