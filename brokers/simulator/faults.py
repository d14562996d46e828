"""Faults to order: what a broker and a network do to a caller on bad days.

FAULTS is the whole table. "Before" means that nothing happened to any account, "after" that the effect was committed
first.
The ping and the control surface are never faulted, and neither are requests with a wrong key.
"""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from aiohttp import web

from brokers.simulator.broker_api import refusal
from brokers.simulator.fields import Fields, fields_of
from brokers.simulator.ledger import RefusedError
from brokers.simulator.store import Store

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 600

# Runs the endpoint and gives its answer; refusals are answers too.
Effect = Callable[[], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Effect, float], Awaitable[web.StreamResponse]]


async def error_before(_request: web.Request, _effect: Effect, _seconds: float) -> web.StreamResponse:
    return refusal("Internal server error.", 500)


async def too_many_requests(_request: web.Request, _effect: Effect, seconds: float) -> web.StreamResponse:
    response = refusal("Too many requests.", 429)
    response.headers["Retry-After"] = str(math.ceil(seconds))
    return response


async def delay_before(_request: web.Request, effect: Effect, seconds: float) -> web.StreamResponse:
    await asyncio.sleep(seconds)
    return await effect()


async def delay_after(_request: web.Request, effect: Effect, seconds: float) -> web.StreamResponse:
    response = await effect()
    await asyncio.sleep(seconds)
    return response


async def error_after(_request: web.Request, effect: Effect, _seconds: float) -> web.StreamResponse:
    await effect()
    return refusal("Internal server error.", 500)


async def drop_after(request: web.Request, effect: Effect, _seconds: float) -> web.StreamResponse:
    """Close the connection without a byte of an answer."""
    response = await effect()
    _hang_up(request)
    return response


async def truncate_after(request: web.Request, effect: Effect, _seconds: float) -> web.StreamResponse:
    """Promise the whole body, send half of it, close the connection."""
    response = await effect()
    body = response.body if isinstance(response, web.Response) and isinstance(response.body, bytes) else b""
    cut = web.StreamResponse(status=response.status, headers={"Content-Type": "application/json"})
    cut.content_length = len(body)
    await cut.prepare(request)
    await cut.write(body[: len(body) // 2])
    _hang_up(request)
    return cut


async def late_effect(_request: web.Request, effect: Effect, seconds: float) -> web.StreamResponse:
    """Answer 504 at once, as a gateway does; the effect comes `seconds` later, unless the simulator stops before."""
    task = asyncio.create_task(_run_later(effect, seconds))
    _pending.add(task)
    task.add_done_callback(_pending.discard)
    return refusal("Gateway timeout.", 504)


FAULTS: dict[str, Fault] = {
    "error_before": error_before,
    "too_many_requests": too_many_requests,
    "delay_before": delay_before,
    "delay_after": delay_after,
    "error_after": error_after,
    "drop_after": drop_after,
    "truncate_after": truncate_after,
    "late_effect": late_effect,
}

# The event loop itself keeps only weak references to tasks.
_pending: set[asyncio.Task[None]] = set()


async def _run_later(effect: Effect, seconds: float) -> None:
    await asyncio.sleep(seconds)
    response = await effect()
    logger.info("A late effect was carried out with status %s.", response.status)


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


@dataclass(slots=True)
class Rule:
    """Inject `fault` at `endpoint` (the last part of its path, or "*") with this probability, at most `times` times."""

    endpoint: str
    fault: str
    probability: float = 1.0
    times: int | None = None
    seconds: float = 1.0
    injected: int = 0

    @property
    def spent(self) -> bool:
        return self.times is not None and self.injected >= self.times


class Faults:
    """The rules in force. The first one that matches a request and wins its throw of the dice is applied, no other."""

    def __init__(self, *, store: Store, seed: int, endpoints: frozenset[str]) -> None:
        self._store = store
        self._seed = seed
        self._endpoints = endpoints
        self._rules = [Rule(**saved) for saved in store.facts().get("faults", [])]
        self._random = random.Random(f"faults:{seed}")  # noqa: S311

    def report(self) -> dict[str, object]:
        return {"rules": [asdict(rule) for rule in self._rules], "injected": sum(rule.injected for rule in self._rules)}

    def replace(self, fields: Fields) -> None:
        """Take `{"rules": [...]}` in place of the present rules; the dice start again from the seed."""
        fields.only("rules")
        given = fields.values.get("rules")
        if not isinstance(given, list):
            raise RefusedError("rules: an array is required.")
        self._rules = [self._rule(fields_of(each, "rules: each")) for each in given]
        self._random = random.Random(f"faults:{self._seed}")  # noqa: S311
        self._save()

    def choose(self, endpoint: str) -> Rule | None:
        """The rule to apply to this request, counted as injected; None to let it pass."""
        if endpoint not in self._endpoints:
            return None
        for rule in self._rules:
            if rule.spent or rule.endpoint not in {"*", endpoint}:
                continue
            if self._random.random() < rule.probability:
                rule.injected += 1
                self._save()
                return rule
        return None

    def _save(self) -> None:
        self._store.save(facts={"faults": [asdict(rule) for rule in self._rules]})

    def _rule(self, fields: Fields) -> Rule:
        fields.only("endpoint", "fault", "probability", "times", "seconds")
        endpoint, fault = fields.text("endpoint"), fields.text("fault")
        if endpoint != "*" and endpoint not in self._endpoints:
            raise RefusedError(f'endpoint: "*" or one of {", ".join(sorted(self._endpoints))} is required.')
        if fault not in FAULTS:
            raise RefusedError(f"fault: one of {', '.join(FAULTS)} is required.")
        times: Any = fields.values.get("times")
        if times is not None and fields.integer("times") < 0:
            raise RefusedError("times: null or a number from 0 is required.")
        probability, seconds = _within(fields, "probability", 1), _within(fields, "seconds", LONGEST_SECONDS)
        return Rule(endpoint, fault, probability, times, seconds)


def _within(fields: Fields, name: str, most: int) -> float:
    """A number from 0 to `most`; 1 when it is left out."""
    value = fields.number(name) if name in fields else Decimal(1)
    if not 0 <= value <= most:
        raise RefusedError(f"{name}: a number from 0 to {most} is required.")
    return float(value)
