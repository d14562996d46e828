"""The oracle: what really happened, told without faults, so that exactly-once can be proved from outside.

Calls are kept on disk only. A call's effect and the note that it was applied are one transaction, and the totals are
those of the accounts themselves.
"""

import asyncio
from collections import defaultdict
from datetime import datetime
from itertools import count

import orjson

from brokers.simulator import shapes
from brokers.simulator.calls import Call
from brokers.simulator.faults import Faults
from brokers.simulator.fields import Fields, fields_of, parse
from brokers.simulator.ledger import Ledger
from brokers.simulator.refusals import RefusedError
from brokers.simulator.store import Store

# So many calls are read before other requests get their turn.
SLICE = 2000


class Oracle:
    """Takes down every mutating call before anything comes of it, and reports."""

    def __init__(self, *, ledger: Ledger, store: Store, faults: Faults) -> None:
        self._ledger = ledger
        self._store = store
        self._faults = faults
        self._ids = count(store.last_call_id() + 1)

    def receive(self, endpoint: str, body: bytes, *, fault: str | None, now: datetime) -> Call:
        """Note a call and the fault it will meet; on disk when this returns."""
        call = Call.read(next(self._ids), endpoint, _fields(body), fault=fault, now=now)
        self._store.save(calls=[call])
        return call

    async def report(self) -> bytes:
        """`{"accounts": [...], "created": {email: [numbers]}, "calls": [...], "faults": {name: count}}` as JSON."""
        calls = await self._calls()
        created: dict[str, list[int]] = defaultdict(list)
        for account in self._ledger.accounts():
            created[account.email].append(account.number)
        accounts = await shapes.encode_rows(self._ledger.accounts(), shapes.totals)
        faults = orjson.dumps(self._faults.totals)
        parts = {"accounts": accounts, "created": orjson.dumps(created), "calls": calls, "faults": faults}
        return b"{" + b",".join(b'"%b":%b' % (name.encode(), part) for name, part in parts.items()) + b"}"

    async def _calls(self) -> bytes:
        rows: list[str] = []
        last = 0
        while page := self._store.calls(after=last, most=SLICE):
            rows.extend(row for _, row in page)
            last = page[-1][0]
            await asyncio.sleep(0)
        return f"[{','.join(rows)}]".encode()


def _fields(body: bytes) -> Fields:
    """The request's fields, or none when it is no JSON object."""
    try:
        return fields_of(parse(body))
    except RefusedError:
        return Fields({})
