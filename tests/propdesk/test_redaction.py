"""Nothing secret gets into a log line, a traceback's included."""

import logging
import sys
from typing import Any

import pytest
from django.conf import settings

from propdesk.lib.redaction import RedactingFormatter, redacted

CANARY = "canary-7f3a"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Authorization: {CANARY}", "Authorization: ***"),
        (f"Authorization: Bearer {CANARY}", "Authorization: Bearer ***"),
        (f"headers={{'ApiKey': '{CANARY}', 'Accept': 'x'}}", "headers={'ApiKey': '***', 'Accept': 'x'}"),
        (f'{{"password": "{CANARY} with spaces", "unit": 7}}', '{"password": "***", "unit": 7}'),
        (f'"__token": "{CANARY}"', '"__token": "***"'),
        (f"api_key={CANARY}&unit=7", "api_key=***&unit=7"),
        (f"sent bearer {CANARY}, twice", "sent Bearer ***, twice"),
        (f"postgres://propdesk:{CANARY}@db:5432/x", "postgres://propdesk:***@db:5432/x"),
        ("mail to tilda.trader+x@mail.example.com.", "mail to ***@mail.example.com."),
    ],
)
def test_secrets_are_masked(text: str, shown: str):
    assert redacted(text) == shown


@pytest.mark.parametrize("text", ["Order 7 waits 15 s.", "The password was reset.", "http://127.0.0.1:8100/x", "12:30"])
def test_what_is_no_secret_stays(text: str):
    assert redacted(text) == text


def test_a_traceback_is_masked_as_well():
    try:
        raise ValueError(f"password='{CANARY}'")
    except ValueError:
        record = logging.LogRecord(
            "x", logging.ERROR, __file__, 1, "It failed for %s", ("a@b.example",), sys.exc_info()
        )
    line = RedactingFormatter("{message}", style="{").format(record)
    assert line.startswith("It failed for ***@b.example\nTraceback")
    assert line.endswith("ValueError: password='***'")


def test_the_settings_format_every_line_so():
    formatters: Any = settings.LOGGING["formatters"]
    assert formatters["line"]["class"] == "propdesk.lib.redaction.RedactingFormatter"
