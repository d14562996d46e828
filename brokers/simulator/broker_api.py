"""The vendor's endpoints, with the shapes and quirks that its API page prints.

A client of the real broker depends on every spelling here: JSON inside strings, bare arrays, a key with a trailing
space. Where the page prints invalid JSON, the nearest valid form is answered.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import PurePosixPath

import orjson
from aiohttp import web

from brokers.simulator import shapes
from brokers.simulator.accounts import Account
from brokers.simulator.calls import Call
from brokers.simulator.fields import Fields, read_fields
from brokers.simulator.ledger import Application, Ledger
from brokers.simulator.refusals import RefusedError

ROOT = "/cportal/prop"
DONE = {"status": "success", "message": "[]"}
# Where a mutating request carries the oracle's note of it, and the one fault that an endpoint itself carries out.
CALL = "call"
PARTIAL_ENABLE = "partial_enable"

Handler = Callable[[web.Request], Awaitable[web.Response]]
Write = Callable[["BrokerApi", Fields, Call], Awaitable[web.Response]]
Read = Callable[["BrokerApi", Fields], Awaitable[web.Response]]


def answer(value: object, status: int = 200) -> web.Response:
    return raw(orjson.dumps(value), status)


def raw(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8")


def refusal(message: str, status: int = 400) -> web.Response:
    return answer({"status": "error", "message": message}, status)


class BrokerApi:
    """One method per endpoint; WRITES and READS give their paths."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def routes(self) -> list[web.RouteDef]:
        writes = [web.post(f"{ROOT}/demo/{path}", self._write(endpoint)) for path, endpoint in WRITE_PATHS.items()]
        reads = [web.post(f"{ROOT}/demo/{path}", self._read(endpoint)) for path, endpoint in READ_PATHS.items()]
        return [web.get(f"{ROOT}/ping", ping), *writes, *reads]

    def _write(self, endpoint: Write) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            return await endpoint(self, await read_fields(request), request[CALL])

        return handle

    def _read(self, endpoint: Read) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            return await endpoint(self, await read_fields(request, empty=request.path.endswith("/get-all")))

        return handle

    async def create(self, fields: Fields, call: Call) -> web.Response:
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
        account = self._ledger.create(application, call=call, now=datetime.now(UTC))
        return answer({"status": "success", "accountNumber": account.number})

    async def deposit(self, fields: Fields, call: Call) -> web.Response:
        return self._transfer(self._ledger.deposit, fields, call)

    async def withdraw(self, fields: Fields, call: Call) -> web.Response:
        return self._transfer(self._ledger.withdraw, fields, call)

    def _transfer(self, transfer: Callable[..., Account], fields: Fields, call: Call) -> web.Response:
        account = transfer(
            number=fields.integer("accountNumber"), unit=fields.integer("unit"), amount=fields.amount("amount"),
            comment=fields.remark("comment"), call=call, now=datetime.now(UTC),
        )  # fmt: skip
        return answer({"status": "success", "accountBalance": float(account.balance)})

    async def enable(self, fields: Fields, call: Call) -> web.Response:
        numbers = fields.integers("accountNumbers")
        self._ledger.set_enabled(
            unit=fields.integer("unit"), numbers=numbers, enabled=fields.flag("enable"),
            only_half=call.fault == PARTIAL_ENABLE, call=call, now=datetime.now(UTC),
        )  # fmt: skip
        return answer({"status": "success", "message": '["Bulk update of trading accounts finished.\\n"]'})

    async def close_all_positions(self, fields: Fields, call: Call) -> web.Response:
        number, unit = fields.integer("accountNumber"), fields.integer("unit")
        self._ledger.close_all(number=number, unit=unit, call=call, now=datetime.now(UTC))
        return answer(DONE)

    async def close_position(self, fields: Fields, call: Call) -> web.Response:
        number, unit = fields.integer("accountNumber"), fields.integer("unit")
        # "orderrequestid" is what the other endpoints call positionId.
        position_id = fields.integer("orderrequestid")
        now = datetime.now(UTC)
        self._ledger.close_position(number=number, unit=unit, position_id=position_id, call=call, now=now)
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

    async def reset_password(self, fields: Fields, call: Call) -> web.Response:
        number, unit = fields.integer("accountNumber"), fields.integer("unit")
        self._ledger.account(number, unit)
        fields.password("password")
        self._ledger.reset_password(number=number, unit=unit, call=call, now=datetime.now(UTC))
        return answer({})

    async def units(self, _fields: Fields) -> web.Response:
        return answer({str(unit.id): unit.name for unit in self._ledger.units.values()})


async def ping(_request: web.Request) -> web.Response:
    return answer({"status": 200})


WRITE_PATHS: dict[str, Write] = {
    "accounts/create": BrokerApi.create,
    "accounts/deposit": BrokerApi.deposit,
    "accounts/withdraw": BrokerApi.withdraw,
    "accounts/enable": BrokerApi.enable,
    "accounts/close-all-positions": BrokerApi.close_all_positions,
    "accounts/close-position": BrokerApi.close_position,
    "accounts/reset-password": BrokerApi.reset_password,
}
READ_PATHS: dict[str, Read] = {
    "accounts/closed-positions": BrokerApi.closed_positions,
    "accounts/account-closed-positions": BrokerApi.account_closed_positions,
    "accounts/accounts-details": BrokerApi.accounts_details,
    "accounts/account-details": BrokerApi.account_details,
    "accounts/accounts-stats": BrokerApi.accounts_stats,
    "accounts/account-stats": BrokerApi.account_stats,
    "accounts/opened-positions": BrokerApi.opened_positions,
    "accounts/account-transfers": BrokerApi.account_transfers,
    "units/get-all": BrokerApi.units,
}
# Endpoints by name, the last part of their path.
WRITES = frozenset(PurePosixPath(path).name for path in WRITE_PATHS)
READS = frozenset(PurePosixPath(path).name for path in READ_PATHS)
