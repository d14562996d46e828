"""Run the sweeper."""

import signal
import sys
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from propdesk.lib.processes.registry import Job, registered_jobs
from propdesk.lib.processes.sweeper import sweep_forever, sweep_once


class Command(BaseCommand):
    help = "Find rows that want attention and see to them, again and again. It works without Redis."

    def add_arguments(self, parser: CommandParser) -> None:
        names = ", ".join(job.name for job in registered_jobs()) or "none registered"
        parser.add_argument(
            "--job", action="append", default=[], metavar="NAME", help=f"only this job (repeatable): {names}"
        )
        parser.add_argument(
            "--once", action="store_true", help="one round of each job, then end; exit status 1 if one failed"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        jobs = _chosen(options["job"])
        if options["once"]:
            sys.exit(0 if sweep_once(jobs) else 1)
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        sweep_forever(jobs, stop)


def _chosen(names: list[str]) -> list[Job]:
    known = {job.name: job for job in registered_jobs()}
    if unknown := [name for name in names if name not in known]:
        raise CommandError(f"No such job: {', '.join(unknown)}. There are: {', '.join(known) or 'none'}.")
    return [known[name] for name in names] or list(known.values())
