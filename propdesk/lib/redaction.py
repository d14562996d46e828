"""Log lines without secrets: keys, tokens, passwords and e-mail addresses are masked, in tracebacks as well."""

import logging
import re

MASK = "***"
# A name that stands for a secret, then what it is set to: `Authorization: X`, `"password": "X"`, `api_key=X`.
SECRET = re.compile(
    r"""(?ix) \b (authorization | api-?_?key | password | passwd | secret(?:_key)? | token | __token)
    (["']? \s* [:=] \s* (?:bearer\s+)? ["']?) ( (?<=") [^"]+ | (?<=') [^']+ | [^\s,;"'}&]+ )"""
)
BEARER = re.compile(r"(?i)\bbearer\s+[^\s,;\"']+")
EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
# The password in an address such as postgres://user:password@host.
ADDRESS = re.compile(r"(\b[a-z][a-z0-9+]*://[^\s:/@]*:)[^\s@/]+@")


def redacted(text: str) -> str:
    """The text with every secret in it masked. An e-mail address keeps its domain."""
    text = ADDRESS.sub(rf"\1{MASK}@", text)
    text = SECRET.sub(rf"\1\2{MASK}", text)
    text = BEARER.sub(f"Bearer {MASK}", text)
    return EMAIL.sub(rf"{MASK}@\1", text)


class RedactingFormatter(logging.Formatter):
    """Formats a record, its traceback included, and masks what must not be in a log."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))
