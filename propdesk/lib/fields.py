"""A text field that is encrypted at rest."""

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings
from django.db import models


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
