"""Run the broker simulator."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from brokers.simulator.options import Options, add_arguments
from brokers.simulator.server import run


class Command(BaseCommand):
    help = "Run a broker on loopback that speaks the ThinkMarkets prop API over simulated accounts. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        sys.exit(run(Options.of(options)))
