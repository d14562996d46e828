"""A text field that is encrypted at rest."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction
from psycopg import sql


@lru_cache(maxsize=4)
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def cipher() -> MultiFernet:
    """The cipher over `settings.FIELD_KEYS`: the first key encrypts, every key decrypts."""
    return _cipher(tuple(settings.FIELD_KEYS))


class EncryptedTextField(models.TextField[Any, Any]):
    """Plain text in Python, a Fernet token in the database. It cannot be filtered by."""

    def from_db_value(self, value: str | None, *_: Any) -> str | None:
        return None if value is None else cipher().decrypt(value.encode()).decode()

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return None if value is None else cipher().encrypt(str(value).encode()).decode()


def rotate_keys() -> dict[str, int]:
    """Encrypt every stored value again, with the first key: the number of values by model and field.

    All or nothing, and each value is locked meanwhile. Raises `InvalidToken`, changing nothing, when one can be read
    with none of the keys.
    """
    with transaction.atomic():
        return {
            f"{model._meta.label}.{field.name}": _rotate(model, field)
            for model in apps.get_models()
            for field in model._meta.local_concrete_fields
            if isinstance(field, EncryptedTextField)
        }


def _rotate(model: type[models.Model], field: EncryptedTextField) -> int:
    # By SQL: reading through the model decrypts, and saving would touch its other columns.
    names = (model._meta.db_table, model._meta.pk.column, field.column)
    table, key, column = (sql.Identifier(str(name)) for name in names)
    read = sql.SQL("SELECT {1}, {2} FROM {0} WHERE {2} IS NOT NULL FOR UPDATE").format(table, key, column)
    write = sql.SQL("UPDATE {0} SET {2} = %s WHERE {1} = %s").format(table, key, column)
    with connection.cursor() as cursor:
        cursor.execute(read)
        rows = [(cipher().rotate(token.encode()).decode(), pk) for pk, token in cursor.fetchall()]
        cursor.executemany(write, rows)
    return len(rows)
