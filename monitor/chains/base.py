"""What the feeds need of a chain, whatever chain it is: plain values, and a protocol of reads.

Ids are text, heights only order; nothing here knows of accounts, gas or bytes. A chain's own reads live in its module.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from detectors.events import Position, Transaction
from monitor.chains.rpc import Pushed
from monitor.errors import NodeError
from monitor.stream import Queue


class LogEntry(msgspec.Struct, frozen=True, gc=False):
    """A log of a block: `index` is its place in the block, `tx` the transaction's id, `topics` and `data` 0x-hex, lower case."""

    address: str
    topics: tuple[str, ...]
    data: str
    index: int
    tx: str
    tx_index: int


EXTRA_KEPT = 32
"""Bytes of a header's free field that are kept: Ethereum allows no more, and no rollup writes its fee rules longer."""


class BlockData(msgspec.Struct, frozen=True, kw_only=True):
    """A block as read: `transactions` are ids in order, `bodies` the transactions themselves where they were asked for.

    `timestamp` is the chain's clock (unix seconds), `base_fee` wei, `bloom` what the header says of its logs.
    `receipts_root` is the hash of its receipts, logs included, 0x-hex. `extra` is the header's free field, cut to `EXTRA_KEPT`
    bytes; blob gas is None where headers have none.
    """

    position: Position
    timestamp: int
    base_fee: int | None
    gas_used: int
    gas_limit: int
    transactions: tuple[str, ...]
    bodies: tuple[Transaction, ...] = ()
    bloom: int = 0
    extra: bytes = b""
    blob_gas_used: int | None = None
    excess_blob_gas: int | None = None
    receipts_root: str = ""


class Extent(msgspec.Struct, frozen=True):
    """How far the chain goes: the head (without bodies), and the heights it calls safe and finalized (-1: it does not say)."""

    head: BlockData
    safe: int = -1
    finalized: int = -1


class LogsMissing(NodeError):
    """The logs a node gave are not those its block header promises."""


class Chain(Protocol):
    """One node's view of one chain. Every read has a deadline and raises a NodeError."""

    @property
    def chain(self) -> str:
        """CAIP-2 id."""

    async def extent(self, *, within: float) -> Extent:
        """Head, safe and finalized, read together."""

    async def block(self, height: int, *, bodies: bool = False, within: float) -> BlockData | None:
        """The canonical block at a height, None where the chain does not reach it."""

    async def logs(self, block: BlockData, *, within: float) -> tuple[LogEntry, ...]:
        """Exactly the logs of this block, by its id, in order. Raises LogsMissing when they do not match its header."""

    async def audit(self, block: BlockData, logs: Sequence[LogEntry], *, within: float) -> None:
        """Prove that these are the block's logs, all of them, where the chain allows it. Raises a NodeError when they are not."""

    async def doorbell(self, *, within: float) -> Queue[Pushed]:
        """Something rings here when there may be a new head; it closes with the connection."""
