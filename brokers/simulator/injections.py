"""Faults to order: what a broker and a network do to a caller on bad days. FAULTS is the whole table.

"Before" means that nothing happened to any account, "after" that the effect was committed first.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from brokers.simulator import distortions
from brokers.simulator.broker_api import CALL, PARTIAL_ENABLE, READS, WRITES, raw, refusal
from brokers.simulator.calls import Call

logger = logging.getLogger(__name__)

LONGEST_SECONDS = 600
SHORTEST_DRIP = 0.001

ALL = WRITES | READS
ACCOUNT_LISTS = frozenset({"accounts-details", "accounts-stats"})
LISTS = ACCOUNT_LISTS | {"opened-positions", "account-transfers"}
TRANSFERS = frozenset({"deposit", "withdraw"})
WITH_BALANCE = TRANSFERS | ACCOUNT_LISTS | {"account-details", "account-stats"}
WITH_NUMBERS = WITH_BALANCE | {"create", "opened-positions", "closed-positions", "account-closed-positions"}
MISPRINTED = ACCOUNT_LISTS | {"opened-positions", "closed-positions", "account-closed-positions"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that a fault is done to.

    `effect` runs the endpoint and gives its true answer, and refusals are answers too. `stale` is a true answer
    of at least `seconds` ago, if there is one; `luck`, from 0 to 1, is this fault's throw of the dice.
    """

    request: web.Request
    endpoint: str
    effect: Callable[[], Awaitable[web.Response]]
    stale: Callable[[], bytes | None]
    seconds: float
    luck: float


Injection = Callable[[Exchange], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Fault:
    """How a fault is done, and at which endpoints it makes sense."""

    inject: Injection
    endpoints: frozenset[str] = ALL


async def error_before(_exchange: Exchange) -> web.StreamResponse:
    return refusal("Internal server error.", 500)


async def too_many_requests(exchange: Exchange) -> web.StreamResponse:
    response = refusal("Too many requests.", 429)
    response.headers["Retry-After"] = str(math.ceil(exchange.seconds))
    return response


async def delay_before(exchange: Exchange) -> web.StreamResponse:
    """The effect comes `seconds` later, or when `land_late_effects` says so, even if the caller has left."""
    return await _hold_back(exchange)


async def delay_after(exchange: Exchange) -> web.StreamResponse:
    response = await exchange.effect()
    await asyncio.sleep(exchange.seconds)
    return response


async def error_after(exchange: Exchange) -> web.StreamResponse:
    await exchange.effect()
    return refusal("Internal server error.", 500)


async def drop_after(exchange: Exchange) -> web.StreamResponse:
    """Close the connection without a byte of an answer."""
    response = await exchange.effect()
    _hang_up(exchange.request)
    return response


async def truncate_after(exchange: Exchange) -> web.StreamResponse:
    """Promise the whole body, send half of it, close the connection."""
    response = await exchange.effect()
    body = _body(response)
    cut = await _begin(exchange.request, response.status, len(body))
    await cut.write(body[: len(body) // 2])
    _hang_up(exchange.request)
    return cut


async def drip_after(exchange: Exchange) -> web.StreamResponse:
    """Send one byte every `seconds`. Spaces before the JSON make it last for ten minutes, longer than any deadline."""
    response = await exchange.effect()
    pause = max(exchange.seconds, SHORTEST_DRIP)
    body = _body(response).rjust(math.ceil(LONGEST_SECONDS / pause))
    dripping = await _begin(exchange.request, response.status, len(body))
    try:
        for byte in body:
            await dripping.write(bytes([byte]))
            await asyncio.sleep(pause)
    except ConnectionError:
        logger.info("A caller left while the answer dripped.")
    return dripping


async def late_effect(exchange: Exchange) -> web.StreamResponse:
    """Answer 504 at once, as a gateway does; the effect comes `seconds` later, or when `land_late_effects` says so.

    It never comes if the simulator stops before.
    """
    _hold_back(exchange)
    return refusal("Gateway timeout.", 504)


async def land_late_effects() -> int:
    """Carry out at once, in the order of their calls, what is still to come late; how many effects that was."""
    pending = dict(_pending)
    for task, landing in pending.items():
        landing.set()
        await asyncio.wait([task])
    return len(pending)


async def partial_enable(exchange: Exchange) -> web.StreamResponse:
    """The endpoint itself does this one: it looks for the fault in the oracle's note of the call."""
    return await exchange.effect()


async def wrong_balance(exchange: Exchange) -> web.StreamResponse:
    """Answer the balance from before the transfer."""
    response = await exchange.effect()
    call: Call = exchange.request[CALL]
    if response.status != web.HTTPOk.status_code or call.amount is None:
        return response
    change = call.amount if exchange.endpoint == "deposit" else -call.amount
    return raw(distortions.balance_before(_body(response), change))


async def printed_form(exchange: Exchange) -> web.StreamResponse:
    """Answer with the very mistakes of the vendor's page."""
    response = await exchange.effect()
    if response.status != web.HTTPOk.status_code:
        return response
    return raw(distortions.printed_form(_body(response), exchange.endpoint))


async def stale_read(exchange: Exchange) -> web.StreamResponse:
    """Give an answer again that was given `seconds` to twice as many seconds ago; without one, the answer of now."""
    past = exchange.stale()
    # Asked all the same, so that there is an answer for later.
    present = await exchange.effect()
    return present if past is None else raw(past)


async def _distort(exchange: Exchange, distortion: Callable[[bytes, float], bytes]) -> web.StreamResponse:
    """Refusals are not distorted."""
    response = await exchange.effect()
    if response.status != web.HTTPOk.status_code:
        return response
    return raw(distortion(_body(response), exchange.luck))


def _distorting(distortion: Callable[[bytes, float], bytes]) -> Injection:
    return partial(_distort, distortion=distortion)


FAULTS: dict[str, Fault] = {
    "error_before": Fault(error_before),
    "too_many_requests": Fault(too_many_requests),
    "delay_before": Fault(delay_before),
    "delay_after": Fault(delay_after),
    "error_after": Fault(error_after),
    "drop_after": Fault(drop_after),
    "truncate_after": Fault(truncate_after),
    "drip_after": Fault(drip_after),
    "late_effect": Fault(late_effect),
    PARTIAL_ENABLE: Fault(partial_enable, frozenset({"enable"})),
    "wrong_balance": Fault(wrong_balance, TRANSFERS),
    "string_json": Fault(_distorting(distortions.string_json)),
    "numbers_as_strings": Fault(_distorting(distortions.numbers_as_strings), WITH_NUMBERS),
    "null_balance": Fault(_distorting(distortions.null_balance), WITH_BALANCE),
    "nan_balance": Fault(_distorting(distortions.nan_balance), WITH_BALANCE),
    "printed_form": Fault(printed_form, MISPRINTED),
    "duplicate_rows": Fault(_distorting(distortions.duplicate_rows), ACCOUNT_LISTS | {"account-transfers"}),
    "conflicting_rows": Fault(_distorting(distortions.conflicting_rows), ACCOUNT_LISTS),
    "missing_rows": Fault(_distorting(distortions.missing_rows), LISTS),
    "stale_read": Fault(stale_read, READS),
}

# What is still to come late, oldest first, and how each is told to come now.
_pending: dict[asyncio.Task[web.Response], asyncio.Event] = {}


def _hold_back(exchange: Exchange) -> asyncio.Task[web.Response]:
    landing = asyncio.Event()
    task = asyncio.create_task(_run_later(exchange.effect, landing, exchange.seconds))
    _pending[task] = landing
    task.add_done_callback(_pending.pop)
    return task


async def _run_later(
    effect: Callable[[], Awaitable[web.Response]], landing: asyncio.Event, seconds: float
) -> web.Response:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(landing.wait(), seconds)
    response = await effect()
    logger.info("A call that was held back was carried out with status %s.", response.status)
    return response


async def _begin(request: web.Request, status: int, length: int) -> web.StreamResponse:
    """Start an answer that promises a body of this length."""
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json"})
    response.content_length = length
    await response.prepare(request)
    return response


def _body(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()
