"""Many rows in one statement: `unnest` arrays instead of one statement per row (hundreds of times quicker)."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models


def insert_rows(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert `rows`, each with the values of the fields `names`. Rows that are there already are left alone."""
    arrays = _arrays(names, rows)
    if not arrays:
        return
    columns = ", ".join(_column(model, name) for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {_table(model)} ({columns}) SELECT * FROM unnest({_casts(model, names)}) "  # noqa: S608
            "ON CONFLICT DO NOTHING",
            arrays,
        )


def update_rows(
    model: type[models.Model],
    names: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    keys: Sequence[str],
    unchanged: Sequence[str] = (),
) -> set[Any]:
    """Set the fields `names` of the rows found by `keys`; return the first key of the rows that were updated.

    Each row holds the values of keys, unchanged and names, in that order. A row whose `unchanged` fields no longer have
    the values given is left alone: another writer was quicker.
    """
    every = [*keys, *unchanged, *names]
    arrays = _arrays(every, rows)
    if not arrays:
        return set()
    aliases = [f"c{number}" for number in range(len(every))]
    tests = [f"t.{_column(model, name)} = n.{alias}" for name, alias in zip(keys, aliases, strict=False)]
    tests += [
        f"t.{_column(model, name)} IS NOT DISTINCT FROM n.{alias}"
        for name, alias in zip(unchanged, aliases[len(keys) :], strict=False)
    ]
    values = zip(names, aliases[len(keys) + len(unchanged) :], strict=True)
    sets = ", ".join(f"{_column(model, name)} = n.{alias}" for name, alias in values)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {_table(model)} AS t SET {sets} "  # noqa: S608
            f"FROM unnest({_casts(model, every)}) AS n({', '.join(aliases)}) "
            f"WHERE {' AND '.join(tests)} RETURNING t.{_column(model, keys[0])}",
            arrays,
        )
        return {key for (key,) in cursor.fetchall()}


def _arrays(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The rows turned into one list per field; empty when there are no rows."""
    arrays = [list(column) for column in zip(*rows, strict=True)]
    if arrays and len(arrays) != len(names):
        raise ValueError(f"rows of {len(arrays)} values for {len(names)} fields")
    return arrays


def _casts(model: type[models.Model], names: Sequence[str]) -> str:
    return ", ".join(f"%s::{_field(model, name).rel_db_type(connection)}[]" for name in names)


def _field(model: type[models.Model], name: str) -> Any:
    """The field whose type the values have: a key of another table has the type of that table's key."""
    field = _own_field(model, name)
    return field.target_field if isinstance(field, models.ForeignKey) else field


def _own_field(model: type[models.Model], name: str) -> Any:
    return model._meta.get_field(name)


def _column(model: type[models.Model], name: str) -> str:
    return connection.ops.quote_name(str(_own_field(model, name).column))


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)
