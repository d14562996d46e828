"""Counts and latest times of related rows in lists."""

from typing import Any

from django.db.models import Aggregate, Count, Max, Model, OuterRef, Subquery
from django.db.models.functions import Coalesce


def count_of(model: type[Model], relation: str, **filters: object) -> Coalesce:
    """The number of rows that point at each listed row of `model` through a reverse relation, such as "phases".

    A subquery is run for the rows of the page only; a joined COUNT would group the whole table before paging. The
    relation may lead to an app above, which this one does not import.
    """
    return Coalesce(_of(model, relation, Count("pk"), **filters), 0)


def latest_of(model: type[Model], relation: str, field: str) -> Subquery:
    """The latest `field` of the rows that point at each listed row; null when there is none."""
    return _of(model, relation, Max(field))


def _of(model: type[Model], relation: str, aggregate: Aggregate, **filters: object) -> Subquery:
    pointing: Any = model._meta.get_field(relation)
    foreign_key = pointing.field.name
    rows = pointing.related_model._default_manager.filter(**{foreign_key: OuterRef("pk")}, **filters)
    return Subquery(rows.order_by().values(foreign_key).annotate(found=aggregate).values("found"))
