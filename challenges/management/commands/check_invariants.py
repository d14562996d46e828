"""Check the invariants now."""

import sys
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand

from challenges.services.invariants import GRACE, find_violations
from propdesk.lib.times import utc_now


class Command(BaseCommand):
    help = "Print every violation of the system's invariants, one per line; exit status 1 if there is any."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--grace-seconds",
            type=float,
            default=GRACE.total_seconds(),
            help="work begun longer ago must be over or in review (default %(default)g)",
        )

    def handle(self, *_: Any, grace_seconds: float, **__: Any) -> None:
        violations = find_violations(now=utc_now(), grace=timedelta(seconds=grace_seconds))
        for each in violations:
            self.stdout.write(f"{each.invariant} row {each.row_id}: {each.detail}")
        self.stdout.write(f"{len(violations)} violations.")
        sys.exit(1 if violations else 0)
