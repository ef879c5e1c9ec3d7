"""A chain's past fees from `eth_feeHistory`: what a cold start warms up on, what fills a hole, and what tips were paid.

Nothing of it is verified as blocks are. It only warms features up; every fee that is served rests on a verified header.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import msgspec

from detectors.gas.features import Header
from detectors.gas.priority import ASKED
from monitor.chains.base import BlockData
from monitor.errors import NodeError, NodeGarbled

PAGE = 1024
"""Blocks a node serves in one answer."""

WITHIN = 5.0

Quantity = Annotated[str, msgspec.Meta(min_length=3, max_length=66, pattern="^0x[0-9a-fA-F]+$")]


class Caller(Protocol):
    """Anything that makes JSON-RPC calls."""

    async def call(self, method: str, params: Sequence[Any] = (), *, timeout: float, type: Any = None) -> Any:  # noqa: A002, ANN401, ASYNC109
        """One call. Raises NodeError."""


class FeeHistory(msgspec.Struct, frozen=True, rename="camel"):
    """The answer, as far as we read it: one more base fee than blocks, since the next one is known."""

    oldest_block: Quantity
    base_fee_per_gas: list[Quantity]
    gas_used_ratio: list[float]
    reward: list[list[Quantity]] | None = None
    base_fee_per_blob_gas: list[Quantity] | None = None


class _Stamp(msgspec.Struct, frozen=True, rename="camel"):
    timestamp: Quantity


class Tipped(msgspec.Struct, frozen=True):
    """Up to block `number`: rewards (wei) at `ASKED` of each block asked for, oldest first, and that block's own blob fee."""

    number: int
    rewards: list[list[int]]
    blob_fee: int | None


class History:
    """One chain's past, by whichever node leads. `seconds` is how often a block usually comes."""

    def __init__(self, rpc: Caller, chain: str, seconds: int) -> None:
        self._rpc = rpc
        self._chain = chain
        self._seconds = seconds

    async def before(self, block: BlockData, count: int) -> list[Header]:
        """Up to `count` headers that led to this block, without it, oldest first; fewer where the node has no more.

        Times are straight lines between the ends of pages. Raises NodeError.
        """
        found: list[Header] = []
        number, fee, at = block.position.height, block.base_fee, block.timestamp
        while len(found) < count and number > 0 and fee is not None:
            try:
                page = await self._page(number, min(count - len(found), number), fee)
            except NodeError:
                if not found:
                    raise
                break  # nodes keep different stretches of the past; what there is, is enough to begin with
            first = number - len(page)
            began = await self._stamp(first)
            step = (at - began) / len(page)
            if not 0 < step < 1e6:
                raise NodeGarbled(f"{self._chain}: blocks {first} and {number} have times {began} and {at}, which cannot be")
            found[:0] = [
                Header(first + i, round(began + i * step), base, round(ratio * block.gas_limit), block.gas_limit, after)
                for i, (base, ratio, after) in enumerate(page)
            ]
            number, fee, at = first, page[0][0], began
        return found

    async def tips(self, block: BlockData, count: int) -> Tipped:
        """What was paid in the `count` blocks up to this one. Raises NodeError."""
        told = await self._ask(min(count, PAGE, block.position.height + 1), block.position.height, ASKED)
        rewards = [[int(one, 16) for one in row] for row in told.reward or []]
        if len(rewards) != len(told.gas_used_ratio) or any(len(row) != len(ASKED) for row in rewards):
            raise NodeGarbled(f"{self._chain}: eth_feeHistory gave no {len(ASKED)} rewards a block")
        blobs = told.base_fee_per_blob_gas
        return Tipped(block.position.height, rewards, int(blobs[-2], 16) if blobs and len(blobs) > 1 else None)

    async def _page(self, number: int, count: int, fee: int) -> list[tuple[int, float, int]]:
        """Base fee, fullness and the next base fee of each block below `number`, if they lead to its fee.

        The block itself is asked for too: some nodes say of a past one's successor what is true of the newest's.
        """
        told = await self._ask(min(count + 1, PAGE), number, ())
        fees = [int(one, 16) for one in told.base_fee_per_gas[:-1]]
        if fees[-1] != fee:
            raise NodeGarbled(f"{self._chain}: eth_feeHistory says block {number} had a fee of {fees[-1]} wei, not {fee}")
        return list(zip(fees[:-1], told.gas_used_ratio[:-1], fees[1:], strict=True))

    async def _ask(self, count: int, newest: int, percentiles: Sequence[int]) -> FeeHistory:
        told: FeeHistory = await self._rpc.call(
            "eth_feeHistory", (hex(count), hex(newest), list(percentiles)), timeout=WITHIN, type=FeeHistory
        )
        many = len(told.gas_used_ratio)
        whole = 0 < many <= count and len(told.base_fee_per_gas) == many + 1 and int(told.oldest_block, 16) + many - 1 == newest
        if not whole or not all(math.isfinite(one) and 0.0 <= one <= 1.0 for one in told.gas_used_ratio):
            raise NodeGarbled(f"{self._chain}: eth_feeHistory up to {newest} gave {many} blocks that do not fit the question")
        return told

    async def _stamp(self, number: int) -> int:
        """A block's time, unix seconds."""
        found = await self._rpc.call("eth_getBlockByNumber", (hex(number), False), timeout=WITHIN, type=_Stamp | None)
        if found is None:
            raise NodeError(f"{self._chain}: the node has no block {number}, of which it told the fees")
        return int(found.timestamp, 16)
