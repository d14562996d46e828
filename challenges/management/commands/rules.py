import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from challenges.rules.documents import LabError, parsed_json
from challenges.rules.lab import run_lab


class Command(BaseCommand):
    """Needs no server: it reads one file and prints one JSON document."""

    help = "Judge a JSON document of terms and observations by the rules, and print the levels and verdicts as JSON."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a JSON document, or a list of them; - for standard input")

    def handle(self, *args: Any, file: str, **options: Any) -> None:
        """Exit status 0 whatever the verdict; 2 with one line on standard error when the document cannot be judged."""
        try:
            result = run_lab(parsed_json(_text(file)))
        except LabError as error:
            raise CommandError(f"{file}: {error}", returncode=2) from None
        self.stdout.write(json.dumps(result, indent=2))


def _text(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise LabError("", error.strerror or "cannot be read") from None
    except UnicodeDecodeError:
        raise LabError("", "is not UTF-8 text") from None
