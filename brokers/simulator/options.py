"""How a simulator is started: the command line, with environment variables for defaults."""

import os
import secrets
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Options:
    """`data` is the directory of the simulator's own files; an empty `api_key` means the one kept there.

    Without fault rates, the rules of the last run stay; without a `fault_seed`, `seed` is that of the faults too.
    """

    port: int
    host: str
    data: Path
    api_key: str
    seed: int
    tick_seconds: float
    volatility: float
    latency_ms: float
    fault_rate: float | None
    read_fault_rate: float | None
    fault_seconds: float
    fault_seed: int | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Take the options out of parsed arguments that may hold others."""
        return cls(**{each.name: values[each.name] for each in fields(cls)})

    def key(self) -> str:
        """The API key that callers must show; the kept one is made when there is none."""
        if self.api_key:
            return self.api_key
        path = self.data / "api_key"
        if not path.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32))
        return path.read_text().strip()


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options on a parser."""
    environ = os.environ.get
    data = Path(environ("PROPDESK_DATA") or ".data") / "brokersim"
    port = environ("BROKERSIM_PORT") or "8100"
    api_key = environ("BROKERSIM_API_KEY") or ""
    add = parser.add_argument
    add("--port", type=_port, default=port, help="TCP port; 0 takes a free one (BROKERSIM_PORT, 8100)")
    add("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    add("--data", type=Path, default=data, help="directory of the simulator's state ($PROPDESK_DATA/brokersim)")
    add("--api-key", default=api_key, help="key that callers must show (BROKERSIM_API_KEY, else DATA/api_key)")
    add("--seed", type=int, default=1, help="seed of prices, traders and faults (1)")
    add("--tick-seconds", type=_positive, default=1.0, help="real seconds between ticks of one market second (1)")
    add("--volatility", type=_positive, default=1.0, help="multiplies every price move; 2 is twice as wild (1)")
    add("--latency-ms", type=_not_negative, default=0.0, help="milliseconds that every broker call takes at least (0)")
    add("--fault-rate", type=_share, help="share of mutating calls that meet a fault, 0 to 1 (as in the last run)")
    add("--read-fault-rate", type=_share, help="share of reading calls that meet a fault, 0 to 1 (as in the last run)")
    add(
        "--fault-seconds",
        type=_not_negative,
        default=1.0,
        help="how long they delay, and how stale is stale (1)",
    )
    add("--fault-seed", type=int, help="seed of the dice that faults are thrown with (--seed)")


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise ArgumentTypeError("a positive number is required")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise ArgumentTypeError("a number from 0 to 1 is required")
    return number


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1e6:
        raise ArgumentTypeError("a number from 0 is required")
    return number
