"""Lane (c): web3.py 8's subscription manager with a handler each for logs, full pending transactions and heads."""

import asyncio
from typing import Any

from web3 import AsyncWeb3, WebSocketProvider
from web3.utils.subscriptions import LogsSubscription, NewHeadsSubscription, PendingTxSubscription

from benchmarks.ingesting.feed import WATCHED
from benchmarks.ingesting.tally import Lap, Meter, Tally, drive


class Handlers:
    """The same routing as the other lanes, on what web3.py hands out (addresses with checksums, bytes, ints)."""

    def __init__(self, count: int) -> None:
        self.tally = Tally()
        self.moved: dict[str, set[str]] = {}
        self.done = asyncio.Event()
        self.left = count

    async def log(self, context: Any) -> None:  # noqa: ANN401 - web3's context is typed by subscription
        """Route a log."""
        entry, tally = context.result, self.tally
        address = entry["address"].lower()
        tally.logs += 1
        if address in WATCHED:
            tally.hits += 1
            tally.checksum += int.from_bytes(entry["data"][:32], "big")
        for topic in entry["topics"][1:3]:
            if (holder := "0x" + topic[-20:].hex()) in WATCHED:
                tally.hits += 1
                self.moved.setdefault(holder, set()).add(address)
        self._one()

    async def transaction(self, context: Any) -> None:  # noqa: ANN401 - as above
        """Route a pending transaction."""
        sent, tally = context.result, self.tally
        tally.transactions += 1
        tally.checksum += sent["value"]
        tally.hits += sent["to"].lower() in WATCHED
        self._one()

    async def head(self, context: Any) -> None:  # noqa: ANN401 - as above
        """Count a head."""
        self.tally.heads += 1
        self.tally.checksum += context.result["number"]
        self._one()

    def _one(self) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()


async def lane(url: str, count: int) -> Lap:
    """Take `count` messages on one connection."""
    handlers = Handlers(count)
    async with AsyncWeb3(WebSocketProvider(url)) as node:
        await node.subscription_manager.subscribe(
            [
                LogsSubscription(handler=handlers.log),
                PendingTxSubscription(full_transactions=True, handler=handlers.transaction),
                NewHeadsSubscription(handler=handlers.head),
            ]
        )
        taking = asyncio.create_task(node.subscription_manager.handle_subscriptions())
        meter = Meter(handlers.tally)
        await meter.start()
        ending = asyncio.create_task(handlers.done.wait())
        await asyncio.wait((taking, ending), return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            await taking
            raise RuntimeError(f"web3.py stopped with {handlers.left} messages to come")
        handlers.tally.moved = sum(map(len, handlers.moved.values()))
        lap = meter.stop()
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
        return lap


if __name__ == "__main__":
    drive(lane)
