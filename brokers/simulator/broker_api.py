"""The vendor's endpoints, with the shapes and quirks that its API page prints.

A client of the real broker depends on every spelling here: JSON inside strings, bare arrays, a key with a trailing
space. Where the page prints invalid JSON, the nearest valid form is answered.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import orjson
from aiohttp import web

from brokers.simulator import shapes
from brokers.simulator.accounts import Account
from brokers.simulator.fields import Fields, read_fields
from brokers.simulator.ledger import Application, Ledger, RefusedError

ROOT = "/cportal/prop"
DONE = {"status": "success", "message": "[]"}

Endpoint = Callable[[Fields], Awaitable[web.Response]]


def answer(value: object, status: int = 200) -> web.Response:
    return raw(orjson.dumps(value), status)


def raw(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")


def refusal(message: str, status: int = 400) -> web.Response:
    return answer({"status": "error", "message": message}, status)


class BrokerApi:
    """One method per endpoint; `routes` gives their paths."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def endpoints(self) -> dict[str, Endpoint]:
        """The POST endpoints by their path under /cportal/prop/demo."""
        return {
            "accounts/create": self.create,
            "accounts/deposit": self.deposit,
            "accounts/withdraw": self.withdraw,
            "accounts/enable": self.enable,
            "accounts/close-all-positions": self.close_all_positions,
            "accounts/close-position": self.close_position,
            "accounts/closed-positions": self.closed_positions,
            "accounts/account-closed-positions": self.account_closed_positions,
            "accounts/accounts-details": self.accounts_details,
            "accounts/account-details": self.account_details,
            "accounts/accounts-stats": self.accounts_stats,
            "accounts/account-stats": self.account_stats,
            "accounts/opened-positions": self.opened_positions,
            "accounts/account-transfers": self.account_transfers,
            "accounts/reset-password": self.reset_password,
            "units/get-all": self.units,
        }

    def routes(self) -> list[web.RouteDef]:
        posts = [web.post(f"{ROOT}/demo/{path}", _handler(endpoint)) for path, endpoint in self.endpoints().items()]
        return [web.get(f"{ROOT}/ping", ping), *posts]

    async def create(self, fields: Fields) -> web.Response:
        email = fields.text("email")
        if "@" not in email:
            raise RefusedError("email: an e-mail address is required.")
        fields.password("password")
        application = Application(
            unit=fields.integer("unit"),
            group=fields.text("group"),
            email=email,
            first_name=fields.text("firstName"),
            last_name=fields.text("lastName"),
            currency=fields.text("currency"),
            country=fields.text("country"),
            # The vendor's page prints this key with a trailing space.
            platform=fields.text("platform " if "platform " in fields else "platform"),
            enabled=fields.flag("enabled"),
        )
        account = self._ledger.create(application, now=datetime.now(UTC))
        return answer({"status": "success", "accountNumber": account.number})

    async def deposit(self, fields: Fields) -> web.Response:
        return self._transfer(self._ledger.deposit, fields)

    async def withdraw(self, fields: Fields) -> web.Response:
        return self._transfer(self._ledger.withdraw, fields)

    def _transfer(self, transfer: Callable[..., Account], fields: Fields) -> web.Response:
        account = transfer(
            number=fields.integer("accountNumber"), unit=fields.integer("unit"), amount=fields.amount("amount"),
            comment=fields.remark("comment"), now=datetime.now(UTC),
        )  # fmt: skip
        return answer({"status": "success", "accountBalance": float(account.balance)})

    async def enable(self, fields: Fields) -> web.Response:
        numbers = fields.integers("accountNumbers")
        self._ledger.set_enabled(unit=fields.integer("unit"), numbers=numbers, enabled=fields.flag("enable"))
        return answer({"status": "success", "message": '["Bulk update of trading accounts finished.\\n"]'})

    async def close_all_positions(self, fields: Fields) -> web.Response:
        number, unit = fields.integer("accountNumber"), fields.integer("unit")
        self._ledger.close_all(number=number, unit=unit, now=datetime.now(UTC))
        return answer(DONE)

    async def close_position(self, fields: Fields) -> web.Response:
        number, unit = fields.integer("accountNumber"), fields.integer("unit")
        # "orderrequestid" is what the other endpoints call positionId.
        position_id = fields.integer("orderrequestid")
        self._ledger.close_position(number=number, unit=unit, position_id=position_id, now=datetime.now(UTC))
        return answer(DONE)

    async def closed_positions(self, fields: Fields) -> web.Response:
        rows = self._closed(fields, number=None)
        return answer({"status": "success", "message": orjson.dumps([rows]).decode()})

    async def account_closed_positions(self, fields: Fields) -> web.Response:
        rows = self._closed(fields, number=fields.integer("accountNumber"))
        return answer({"status": "success", "message": orjson.dumps(rows).decode()})

    def _closed(self, fields: Fields, number: int | None) -> list[shapes.Row]:
        since, until = fields.time("from"), fields.time("to")
        if since > until:
            raise RefusedError("from: must not be after to.")
        trades = self._ledger.closed_positions(unit=fields.integer("unit"), number=number, since=since, until=until)
        return [shapes.closed_position(trade) for trade in trades]

    async def accounts_details(self, fields: Fields) -> web.Response:
        return raw(await shapes.encode_rows(self._ledger.accounts(fields.integer("unit")), shapes.details))

    async def account_details(self, fields: Fields) -> web.Response:
        return answer(shapes.details(self._ledger.account(fields.integer("accountNumber"))))

    async def accounts_stats(self, fields: Fields) -> web.Response:
        return raw(await shapes.encode_rows(self._ledger.accounts(fields.integer("unit")), shapes.stats))

    async def account_stats(self, fields: Fields) -> web.Response:
        return answer(shapes.stats(self._ledger.account(fields.integer("accountNumber"), fields.integer("unit"))))

    async def opened_positions(self, fields: Fields) -> web.Response:
        accounts = self._ledger.accounts(fields.integer("unit"))
        rows = await shapes.encode_lists(accounts, shapes.open_positions)
        return answer({"status": "success", "result": rows.decode()})

    async def account_transfers(self, fields: Fields) -> web.Response:
        account = self._ledger.account(fields.integer("accountNumber"), fields.integer("unit"))
        rows = [shapes.transfer(item) for item in account.transfers]
        return answer({"status": "success", "result": orjson.dumps(rows).decode()})

    async def reset_password(self, fields: Fields) -> web.Response:
        self._ledger.account(fields.integer("accountNumber"), fields.integer("unit"))
        fields.password("password")
        return answer({})

    async def units(self, _fields: Fields) -> web.Response:
        return answer({str(unit.id): unit.name for unit in self._ledger.units.values()})


async def ping(_request: web.Request) -> web.Response:
    return answer({"status": 200})


def _handler(endpoint: Endpoint) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return await endpoint(await read_fields(request, empty=request.path.endswith("/get-all")))

    return handle
