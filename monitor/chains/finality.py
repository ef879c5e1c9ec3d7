"""What a chain calls safe and final: its own tags, or a number of blocks where it has none.

Where a node names neither, confirmations stand for them if the operator says how many. They are a bet, not a promise: a
reorganisation below them is treated like one below finality (nothing is followed, somebody is paged).
"""

from collections.abc import Sequence

import msgspec

from monitor.chains.base import BlockData, Chain, Extent, LogEntry
from monitor.chains.rpc import Pushed
from monitor.stream import Queue


class Depth(msgspec.Struct, frozen=True):
    """Blocks that must stand on a block before it counts as safe and as final."""

    safe: int
    final: int


def settled(extent: Extent, depth: Depth | None) -> Extent:
    """The extent with confirmations in place of the tags that the node does not have.

    >>> from detectors.events import Position
    >>> head = BlockData(
    ...     position=Position(100, "0xa"), timestamp=0, base_fee=None, gas_used=0, gas_limit=0, transactions=())
    >>> settled(Extent(head), Depth(safe=5, final=20)).safe, settled(Extent(head, 90, 80), Depth(5, 20)).finalized
    (95, 80)
    """
    if depth is None or (extent.safe >= 0 and extent.finalized >= 0):
        return extent
    height = extent.head.position.height
    final = extent.finalized if extent.finalized >= 0 else max(-1, height - depth.final)
    safe = extent.safe if extent.safe >= 0 else max(-1, height - depth.safe)
    return msgspec.structs.replace(extent, safe=max(safe, final), finalized=final)


class Confirmed:
    """A chain whose extent always says what is safe and final; everything else is the chain's own."""

    def __init__(self, chain: Chain, depth: Depth | None) -> None:
        self._chain = chain
        self._depth = depth

    @property
    def chain(self) -> str:
        """CAIP-2 id."""
        return self._chain.chain

    async def extent(self, *, within: float) -> Extent:
        """Head, safe and final."""
        return settled(await self._chain.extent(within=within), self._depth)

    async def block(self, height: int, *, bodies: bool = False, within: float) -> BlockData | None:
        """As the chain's."""
        return await self._chain.block(height, bodies=bodies, within=within)

    async def logs(self, block: BlockData, *, within: float) -> tuple[LogEntry, ...]:
        """As the chain's."""
        return await self._chain.logs(block, within=within)

    async def audit(self, block: BlockData, logs: Sequence[LogEntry], *, within: float) -> None:
        """As the chain's."""
        await self._chain.audit(block, logs, within=within)

    async def doorbell(self, *, within: float) -> Queue[Pushed]:
        """As the chain's."""
        return await self._chain.doorbell(within=within)
