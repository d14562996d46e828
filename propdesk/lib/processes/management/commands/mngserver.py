"""Run the TCP gateway."""

import asyncio
import logging
import os
import signal
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from propdesk.lib.mng.gateway.options import GatewayOptions, tls_context
from propdesk.lib.mng.gateway.server import Gateway

logger = logging.getLogger(__name__)

ARGUMENTS: tuple[tuple[str, type, str], ...] = (
    ("host", str, "address to listen on"),
    ("port", int, "port to listen on; 0 picks a free one"),
    ("max-frame", int, "bytes of a frame; larger ones are answered 413 and skipped"),
    ("idle-seconds", float, "close a connection without a whole frame for so long"),
    ("max-connections", int, "connections at once; further ones are answered 429 and closed"),
    ("max-in-flight", int, "unanswered commands of one connection; at the limit it is not read from"),
    ("threads", int, "commands that run at once, each on a database connection of its own"),
    ("stop-seconds", float, "what commands under way get to end in after SIGTERM"),
    ("tls-certificate", str, "PEM file of the certificate chain; without it there is no TLS"),
    ("tls-key", str, "PEM file of its key, if not in the same file"),
)


class Command(BaseCommand):
    help = "Serve the Mng commands over TCP: one JSON document per \\r\\n-terminated frame, answers matched by extID."

    def add_arguments(self, parser: CommandParser) -> None:
        for name, kind, text in ARGUMENTS:
            variable = f"MNG_{name.replace('-', '_').upper()}"
            parser.add_argument(
                f"--{name}", type=kind, default=getattr(settings, variable), help=f"{text} ({variable}, %(default)s)"
            )

    def handle(self, *_args: Any, **given: Any) -> None:
        values = {name.replace("-", "_"): given[name.replace("-", "_")] for name, _, _ in ARGUMENTS}
        try:
            tls = tls_context(values.pop("tls_certificate"), values.pop("tls_key"))
            options = GatewayOptions(**values, tls=tls)
        except (ValueError, OSError) as error:
            raise CommandError(str(error)) from error
        if not tls and not _is_loopback(options.host):
            logger.warning(
                "Tokens travel in clear to %s: give a certificate, or put a TLS proxy before it", options.host
            )
        try:
            finished = asyncio.run(self._serve(options))
        except OSError as error:
            raise CommandError(f"Cannot listen on {options.host}:{options.port}: {error}") from error
        if not finished:
            # A thread cannot be made to stop, and Python would wait for it. The database takes back what it began.
            logging.shutdown()
            os._exit(1)

    async def _serve(self, options: GatewayOptions) -> bool:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)

        def listening(port: int) -> None:
            kind = "TLS" if options.tls else "plain TCP"
            self.stdout.write(f"INFO Mng commands over {kind} on {options.host}:{port}")
            self.stdout.flush()

        return await Gateway(options).serve(stop=stop, listening=listening)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
