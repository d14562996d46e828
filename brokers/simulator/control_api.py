"""The control surface under /sim: look at everything, set an account's figures by hand, stop the market, order faults.

It is for tests and demos; the real broker has nothing like it.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from brokers.simulator import shapes
from brokers.simulator.accounts import ZERO, Account, Position, total_pl
from brokers.simulator.broker_api import answer, raw, refusal
from brokers.simulator.faults import Faults, read_rules
from brokers.simulator.fields import Fields, fields_of, read_fields
from brokers.simulator.injections import land_late_effects
from brokers.simulator.ledger import Ledger
from brokers.simulator.oracle import Oracle
from brokers.simulator.refusals import RefusedError
from brokers.simulator.traders import new_position

ROOT = "/sim"
MOST_OPENED = 100_000
# Small enough to bind hardly any margin.
DEFAULT_SYMBOL, DEFAULT_LOTS = "EURUSD", 0.01
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MILLISECONDS = 4_102_444_800_000
POSITION_FIELDS = (
    "accountId", "positionId", "symbol", "lots", "quantity", "usdQuantity", "direction", "openTime", "openPrice",
    "realTimePL",
)  # fmt: skip


class ControlApi:
    """The handlers of the control surface."""

    def __init__(self, *, ledger: Ledger, faults: Faults, oracle: Oracle) -> None:
        self._ledger = ledger
        self._faults = faults
        self._oracle = oracle

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{ROOT}/accounts", self.accounts),
            web.post(f"{ROOT}/accounts", self.open_accounts),
            web.post(ROOT + r"/accounts/{number:\d{1,15}}", self.set_account),
            web.get(f"{ROOT}/market", self.market),
            web.post(f"{ROOT}/market", self.set_market),
            web.get(f"{ROOT}/faults", self.faults),
            web.post(f"{ROOT}/faults", self.set_faults),
            web.post(f"{ROOT}/late-effects", self.land_late_effects),
            web.get(f"{ROOT}/oracle", self.oracle),
        ]

    async def accounts(self, _request: web.Request) -> web.Response:
        return raw(b'{"accounts":' + await shapes.encode_rows(self._ledger.accounts(), shapes.state) + b"}")

    async def open_accounts(self, request: web.Request) -> web.Response:
        """Many accounts at once, numbered from 1 where their address says {}."""
        fields = await read_fields(request)
        fields.only("unit", "count", "email", "enabled", "deposits")
        count, email, deposits = fields.integer("count"), fields.text("email"), fields.amounts("deposits")
        if not 1 <= count <= MOST_OPENED:
            raise RefusedError(f"count: 1 to {MOST_OPENED} accounts can be opened at once.")
        accounts = self._ledger.open_many(
            fields.integer("unit"), (email.replace("{}", str(number)) for number in range(1, count + 1)),
            enabled=fields.flag("enabled"), deposits=deposits, now=datetime.now(UTC),
        )  # fmt: skip
        return answer({"accountNumbers": [account.number for account in accounts]})

    async def set_account(self, request: web.Request) -> web.Response:
        fields = await read_fields(request)
        fields.only("balance", "equity", "positions", "frozen", "trades")
        try:
            account = self._ledger.account(int(request.match_info["number"]))
        except RefusedError as exc:
            return refusal(str(exc), 404)
        self._override(account, fields, now=datetime.now(UTC))
        return answer(shapes.state(account))

    async def market(self, _request: web.Request) -> web.Response:
        return answer(self._market())

    async def set_market(self, request: web.Request) -> web.Response:
        fields = await read_fields(request)
        fields.only("running")
        self._ledger.run_market(running=fields.flag("running"))
        return answer(self._market())

    async def faults(self, _request: web.Request) -> web.Response:
        return answer(self._faults.report())

    async def set_faults(self, request: web.Request) -> web.Response:
        self._faults.replace(read_rules(await read_fields(request)))
        return answer(self._faults.report())

    async def land_late_effects(self, request: web.Request) -> web.Response:
        fields = await read_fields(request)
        fields.only()
        return answer({"landed": await land_late_effects()})

    async def oracle(self, _request: web.Request) -> web.Response:
        return raw(await self._oracle.report())

    def _market(self) -> dict[str, object]:
        market = self._ledger.market
        return {"running": market.running, "ticks": market.ticks, "prices": market.prices}

    def _override(self, account: Account, fields: Fields, *, now: datetime) -> None:
        """Set what is given. Everything is read and checked first, so that a refused request changes nothing."""
        sets_figure = any(name in fields for name in ("balance", "equity", "positions"))
        frozen = fields.flag("frozen") if "frozen" in fields else account.frozen or sets_figure
        balance = fields.money("balance") if "balance" in fields else account.balance
        equity = fields.money("equity") if "equity" in fields else None
        positions = self._positions(account, fields, balance=balance, equity=equity, now=now)
        trades = fields.flag("trades") if "trades" in fields else account.trades

        account.balance, account.positions = balance, positions
        account.refresh()
        if not frozen and (account.frozen or sets_figure or trades != account.trades):
            self._ledger.release(account)
        account.frozen = frozen
        if trades != account.trades:
            self._ledger.let_trade(account, trades=trades)
        self._ledger.save([account])

    def _positions(
        self, account: Account, fields: Fields, *, balance: Decimal, equity: Decimal | None, now: datetime
    ) -> list[Position]:
        if "positions" in fields:
            positions = self._given_positions(account, fields.values["positions"], now=now)
            if equity is not None and equity != balance + total_pl(positions):
                raise RefusedError("equity: must be the balance plus the profit or loss of the given positions.")
            return positions
        if equity is None:
            return account.positions
        return [self._position_earning(equity - balance, now=now)] if equity != balance else []

    def _position_earning(self, pl: Decimal, *, now: datetime) -> Position:
        quote = self._ledger.market.quotes[DEFAULT_SYMBOL]
        position = new_position(self._ledger.next_position_id(), quote, lots=DEFAULT_LOTS, now=now)
        position.pl = position.anchor_pl = pl
        return position

    def _given_positions(self, account: Account, given: Any, *, now: datetime) -> list[Position]:
        if not isinstance(given, list):
            raise RefusedError("positions: an array is required.")
        positions = [self._given_position(account, fields_of(each, "positions: each"), now=now) for each in given]
        if len({position.id for position in positions}) < len(positions):
            raise RefusedError("positions: each positionId may occur once.")
        return positions

    def _given_position(self, account: Account, fields: Fields, *, now: datetime) -> Position:
        """A position as the opened-positions endpoint prints it. Every field may be left out."""
        fields.only(*POSITION_FIELDS)
        if "accountId" in fields and fields.integer("accountId") != account.number:
            raise RefusedError("accountId: must be the account's own number.")
        symbol = fields.text("symbol") if "symbol" in fields else DEFAULT_SYMBOL
        quote = self._ledger.market.quotes.get(symbol)
        contract_size = quote.contract_size if quote else 1.0
        lots = _figure(fields, "lots", DEFAULT_LOTS)
        side = -1 if self._sold(fields) else 1
        quantity = abs(_figure(fields, "quantity", lots * contract_size)) * side
        open_price = _figure(fields, "openPrice", quote.price if quote else 1.0)
        usd_quantity = _figure(fields, "usdQuantity", quantity * open_price * (quote.usd_per_point if quote else 1.0))
        pl = fields.money("realTimePL") if "realTimePL" in fields else ZERO
        opened_at = _moment(fields, "openTime") if "openTime" in fields else now
        position_id = fields.integer("positionId") if "positionId" in fields else self._ledger.next_position_id()
        return Position(position_id, symbol, lots, quantity, usd_quantity, opened_at, open_price, pl, open_price, pl)

    def _sold(self, fields: Fields) -> bool:
        """The direction, which the sign of the quantity gives as well; the two must agree."""
        negative = "quantity" in fields and fields.number("quantity") < 0
        if "direction" not in fields:
            return negative
        direction = fields.text("direction")
        if direction not in {"Buy", "Sell"} or (negative and direction == "Buy"):
            raise RefusedError('direction: "Buy" or "Sell" is required, agreeing with the sign of quantity.')
        return direction == "Sell"


def _figure(fields: Fields, name: str, default: float) -> float:
    return float(fields.number(name)) if name in fields else default


def _moment(fields: Fields, name: str) -> datetime:
    """Epoch milliseconds, up to the year 2100."""
    milliseconds = fields.integer(name)
    if not 0 <= milliseconds < LATEST_MILLISECONDS:
        raise RefusedError(f"{name}: milliseconds since 1970 are required.")
    return EPOCH + timedelta(milliseconds=milliseconds)
