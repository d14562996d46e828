"""The market's heartbeat: moves prices, lets every trader act, saves what they did.

It never holds the event loop for long.
"""

import asyncio
import time
from datetime import UTC, datetime

from brokers.simulator.ledger import Ledger
from brokers.simulator.traders import Traders

# A tick gives way to requests after so many seconds; what traders did is saved this often, so many accounts at a time.
SLICE_SECONDS = 0.005
SAVE_SECONDS = 3.0
SAVE_BATCH = 500


class Ticker:
    """Ticks every `tick_seconds` while the market runs."""

    def __init__(self, *, ledger: Ledger, traders: Traders, tick_seconds: float) -> None:
        self._ledger = ledger
        self._traders = traders
        self._tick_seconds = tick_seconds

    async def run(self) -> None:
        """Tick and save until cancelled. A tick that takes too long delays the next one; none is made up for."""
        due = saved = time.monotonic()
        while True:
            due = max(due + self._tick_seconds, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
            if self._ledger.market.running:
                await self._tick()
            if time.monotonic() - saved >= SAVE_SECONDS:
                await self._save()
                saved = time.monotonic()

    async def _tick(self) -> None:
        self._ledger.market.tick()
        now = datetime.now(UTC)
        slice_ends = time.monotonic() + SLICE_SECONDS
        for account in self._ledger.accounts():
            self._traders.act(account, now=now)
            if time.monotonic() < slice_ends:
                continue
            await asyncio.sleep(0)
            if not self._ledger.market.running:
                return
            slice_ends = time.monotonic() + SLICE_SECONDS

    async def _save(self) -> None:
        while not self._ledger.save_touched(limit=SAVE_BATCH):
            await asyncio.sleep(0)
