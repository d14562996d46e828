"""The simulator's process: one event loop that answers HTTP and lets the market tick."""

import asyncio
import errno
import hmac
import logging
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import cast

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from brokers.simulator.accounts import DEFAULT_UNITS, Unit
from brokers.simulator.broker_api import CALL, WRITES, BrokerApi, refusal
from brokers.simulator.broker_api import ROOT as BROKER_ROOT
from brokers.simulator.control_api import ControlApi
from brokers.simulator.faults import Faults, open_faults
from brokers.simulator.injections import ALL, FAULTS, Exchange
from brokers.simulator.ledger import Ledger
from brokers.simulator.market import Market
from brokers.simulator.options import Options
from brokers.simulator.oracle import Oracle
from brokers.simulator.past_answers import PastAnswers
from brokers.simulator.refusals import RefusedError
from brokers.simulator.store import Store, StoreError
from brokers.simulator.ticker import Ticker
from brokers.simulator.traders import Traders

logger = logging.getLogger(__name__)

# Room for enabling every account of a large unit in one call.
LARGEST_BODY = 8 * 1024 * 1024
SHUTDOWN_SECONDS = 0.5


class CannotListenError(Exception):
    """The address cannot be had; the text says why."""


def run(options: Options, units: Sequence[Unit] = DEFAULT_UNITS) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit code: 1, with one line on stderr, when port or data are taken."""
    try:
        asyncio.run(_serve(options, units))
    except (StoreError, CannotListenError) as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    return 0


async def _serve(options: Options, units: Sequence[Unit]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    store = Store(options.data / "state.sqlite3")
    try:
        ledger = Ledger(units=units, store=store, market=_market(options, store))
        runner = web.AppRunner(_application(options, ledger, store), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            port = await _listen(runner, options)
            sys.stdout.write(
                f"Broker simulator listens on http://{options.host}:{port}, data in {options.data}, "
                f"{len(ledger.accounts())} accounts.\n"
            )
            sys.stdout.flush()
            traders = Traders(ledger=ledger, seed=options.seed)
            await _tick_until(stop, Ticker(ledger=ledger, traders=traders, tick_seconds=options.tick_seconds))
        finally:
            await runner.cleanup()
        ledger.save_touched()
    finally:
        store.close()


def _market(options: Options, store: Store) -> Market:
    saved = store.facts().get("market", {})
    return Market(
        seed=options.seed,
        volatility=options.volatility,
        ticks=saved.get("ticks", 0),
        running=saved.get("running", True),
        prices=saved.get("prices", {}),
    )


async def _listen(runner: web.AppRunner, options: Options) -> int:
    """Open the port and return its number, which differs from the wished one when that is 0."""
    try:
        await web.TCPSite(runner, options.host, options.port).start()
    except OSError as exc:
        why = "the port is already in use" if exc.errno == errno.EADDRINUSE else exc.strerror or exc
        raise CannotListenError(f"Broker simulator cannot listen on {options.host}:{options.port}: {why}.") from exc
    return int(runner.addresses[0][1])


async def _tick_until(stop: asyncio.Event, ticker: Ticker) -> None:
    """Let the market tick until `stop`. A ticker that fails takes the process down, lest the market stand still."""
    ticking = asyncio.create_task(ticker.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({ticking, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if ticking.done():
        ticking.result()
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)


def _application(options: Options, ledger: Ledger, store: Store) -> web.Application:
    faults = open_faults(options, store)
    oracle = Oracle(ledger=ledger, store=store, faults=faults)
    app = web.Application(
        # The outermost comes first. Errors are answered twice: a call that a fault is done to may itself be refused.
        middlewares=[
            _require_key(options.key()),
            _answer_errors,
            _receive(options.latency_ms / 1000),
            _inject(faults, oracle),
            _answer_errors,
        ],
        client_max_size=LARGEST_BODY,
    )
    control = ControlApi(ledger=ledger, faults=faults, oracle=oracle)
    app.add_routes([*BrokerApi(ledger).routes(), *control.routes()])
    return app


def _require_key(key: str) -> Middleware:
    """Ask for the key in Authorization, bare or as bearer token, or in ApiKey: the vendor's page names both headers."""
    expected = key.encode()

    @web.middleware
    async def require_key(request: web.Request, handler: Handler) -> web.StreamResponse:
        authorization = request.headers.get("Authorization", "")
        shown = (authorization, authorization.removeprefix("Bearer "), request.headers.get("ApiKey", ""))
        if not any(hmac.compare_digest(each.encode(errors="surrogateescape"), expected) for each in shown):
            return refusal("Unauthorized.", 401)
        return await handler(request)

    return require_key


def _receive(seconds: float) -> Middleware:
    """Take in the whole body, then wait: whoever hangs up while waiting has sent the request all the same."""

    @web.middleware
    async def receive(request: web.Request, handler: Handler) -> web.StreamResponse:
        await request.read()
        if seconds and request.path.startswith(BROKER_ROOT):
            await asyncio.sleep(seconds)
        return await handler(request)

    return receive


def _inject(faults: Faults, oracle: Oracle) -> Middleware:
    """Let the oracle note every mutating call, and a fault be done to whichever call the dice choose."""
    past = PastAnswers()

    @web.middleware
    async def inject(request: web.Request, handler: Handler) -> web.StreamResponse:
        endpoint = _endpoint(request)
        if endpoint is None:
            return await handler(request)
        order, body = faults.choose(endpoint), await request.read()
        if endpoint in WRITES:
            now = datetime.now(UTC)
            request[CALL] = oracle.receive(endpoint, body, fault=order.fault if order else None, now=now)

        async def effect() -> web.Response:
            response = cast("web.Response", await handler(request))
            age = faults.staleness(endpoint)
            if age is not None and isinstance(response.body, bytes) and response.status == web.HTTPOk.status_code:
                past.keep((endpoint, body), response.body, age=age, now=time.monotonic())
            return response

        if order is None:
            return await effect()

        def stale() -> bytes | None:
            return past.recall((endpoint, body), age=order.seconds, now=time.monotonic())

        exchange = Exchange(request, endpoint, effect, stale, order.seconds, order.luck)
        return await FAULTS[order.fault].inject(exchange)

    return inject


def _endpoint(request: web.Request) -> str | None:
    """The broker's endpoint that this is for, by name; None for the ping, the control surface and unknown paths."""
    path = PurePosixPath(request.path)
    known = request.match_info.http_exception is None and path.is_relative_to(f"{BROKER_ROOT}/demo")
    return path.name if known and path.name in ALL else None


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusedError as exc:
        return refusal(str(exc))
    except web.HTTPException as exc:
        return refusal(exc.reason, exc.status)
    except ConnectionError:
        # Nobody is left to read this answer; the caller hung up before the end of the body.
        return refusal("The request is incomplete.")
    except Exception:
        # Whatever fails inside, the caller gets the error shape and the log the traceback.
        logger.exception("Unexpected error at %s.", request.path)
        return refusal("Internal server error.", 500)
