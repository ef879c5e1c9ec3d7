"""A real local node with the show staged on it, for tests of the chain side."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from monitor.demo.scenery import ALL_PUBLIC_ATTACKS, Stage
from monitor.demo.staging import node_options, stage
from monitor.demo.wallet import Wallet


class Scene(msgspec.Struct, frozen=True):
    """What a test works with. `by_hand` stops automatic mining; from then on `mine` makes the blocks."""

    anvil: Anvil
    node: HttpNode
    wallet: Wallet
    stage: Stage

    async def by_hand(self) -> None:
        """No block without `mine`."""
        await self.node.call("evm_setAutomine", [False])

    async def mine(self) -> None:
        """One block of what is in the pool."""
        await self.node.call("evm_mine", [])


@asynccontextmanager
async def scene(count: int = 3, kinds: tuple[str, ...] = ALL_PUBLIC_ATTACKS, *, private: bool = True) -> AsyncIterator[Scene]:
    """Start a node and stage `count` public attacks and, if `private`, the vault."""
    now = time.time()
    async with await Anvil.start(*node_options(now)) as anvil, HttpNode(anvil.http) as node:
        staged = await stage(node, now, count=count, kinds=kinds, private=private)
        yield Scene(anvil, node, Wallet(node), staged)


async def call_tree(wallet: Wallet, tx: str) -> dict[str, object]:
    """The call tree of a transaction once it is mined, as the node's callTracer gives it."""
    await wallet.receipt(tx)
    return dict(
        await wallet.node.call("debug_traceTransaction", [tx, {"tracer": "callTracer", "tracerConfig": {"withLog": True}}])
    )
