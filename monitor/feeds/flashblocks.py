"""The block that a sequencer is building, read as it grows: its transactions are promised, not mined (stage `preconfirmed`).

A node that is aware of flashblocks shows the block so far under the `pending` tag and rings `newFlashblocks`; one that does not
ring is asked on a timer. A node without flashblocks shows its newest block, or nothing, and then nothing is told. A promise can
be broken: what does not come in its block is looked after like any pending transaction.
"""

import asyncio
import time
from collections.abc import AsyncGenerator

import msgspec
import structlog

from detectors.events import Stage, Transaction
from monitor.chains.evm import Hash, Quantity, WireTx, quantity, transaction
from monitor.chains.link import Line
from monitor.chains.rpc import Pushed, Rpc
from monitor.errors import NodeError, NodeGarbled, NodeUnreachable, RpcRefused
from monitor.newest import Newest
from monitor.stream import Queue, Rule

log = structlog.get_logger()

EVERY = 0.2
"""Seconds between two flashblocks, and between two questions to a node that does not ring."""
WITHIN = 2.0
REMEMBERED = 20_000
LONGEST_WAIT = 10.0


class _Building(msgspec.Struct, gc=False, rename="camel"):
    number: Quantity
    parent_hash: Hash
    transactions: list[WireTx]


class Flashblocks:
    """The preconfirmed transactions of one chain, each once, in the order of the block being built."""

    def __init__(self, lane: Line, newest: Newest) -> None:
        self.chain = newest.chain
        self.rings = False
        """The node rings; else it is asked on a timer."""
        self.seen = 0
        """Transactions told so far."""
        self._lane = lane
        self._newest = newest
        self._told: dict[str, None] = {}

    async def follow(self) -> AsyncGenerator[Transaction, None]:
        """Transactions for ever. What the node refuses or garbles ends nothing: it is asked again."""
        bell: Queue[Pushed] | None = None
        failures = 0
        while True:
            try:
                if bell is None:
                    bell = await self._listen(await self._lane.ready())
                await self._ring(bell)
                for tx in await self._read():
                    yield tx
                failures = 0
            except NodeError as error:
                bell = None
                if not failures:
                    log.warning("flashblocks_stopped", chain=self.chain, error=str(error))
                failures = min(failures + 1, 8)
                if not isinstance(error, NodeUnreachable):
                    await asyncio.sleep(min(LONGEST_WAIT, EVERY * 2**failures))

    async def _listen(self, rpc: Rpc) -> Queue[Pushed]:
        bell: Queue[Pushed] = Queue(1, Rule.DROP_OLDEST)
        try:
            await rpc.subscribe(("newFlashblocks",), queue=bell)
            self.rings = True
        except RpcRefused as error:
            if error.throttled:
                raise
            self.rings = False
        return bell

    async def _ring(self, bell: Queue[Pushed]) -> None:
        try:
            async with asyncio.timeout(5 * EVERY if self.rings else EVERY):
                await bell.get()
        except TimeoutError:
            return

    async def _read(self) -> list[Transaction]:
        head = self._newest.position
        asked = ("pending", True)
        found = await self._lane.call("eth_getBlockByNumber", asked, timeout=WITHIN, type=_Building | None)
        if found is None or head is None or quantity(found.number) <= head.height:
            return []
        now, fresh = time.time(), list[Transaction]()
        for wire in found.transactions:
            try:
                tx = msgspec.structs.replace(transaction(self.chain, wire, now), stage=Stage.PRECONFIRMED)
            except NodeGarbled:
                continue  # its block will be judged
            if tx.id not in self._told:
                self._told[tx.id] = None
                fresh.append(tx)
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        self.seen += len(fresh)
        return fresh
