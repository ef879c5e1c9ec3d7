"""Who a node must be: its chain id, its first block and a pinned one, asked on every new connection before anything is read.

What is behind a URL changes: a test network under the name of the real one, a fork, an endpoint handed to somebody else. None
of these may ever be mixed with what was followed before, so a connection that fails here is refused, and asked again slowly.
"""

import asyncio

import msgspec

from monitor import metrics
from monitor.chains.evm import Caller, Hash, Quantity, quantity
from monitor.errors import RpcRefused, WrongChain

Pinned = tuple[int, str]
"""The height and the id of a block that every node of the chain must have."""


class _Block(msgspec.Struct, gc=False):
    hash: Hash


class Identity:
    """Of one node. `chain` is CAIP-2, `checkpoint` a block it must have. The first block is learnt, and held from then on."""

    def __init__(self, chain: str, provider: str, checkpoint: Pinned | None = None) -> None:
        self.genesis = ""
        """The id of its first block; empty until two connections on end have told the same: one garbled answer binds nobody."""
        self._heard = ""
        self._chain = chain
        self._provider = provider
        self._checkpoint = checkpoint

    async def check(self, rpc: Caller, where: str, *, within: float) -> None:
        """Ask a connection who it is, `within` seconds. Raises WrongChain, or the NodeError of an answer that did not come."""
        heights = (0,) if self._checkpoint is None else (0, self._checkpoint[0])
        given, *ids = await asyncio.gather(
            rpc.call("eth_chainId", timeout=within, type=Quantity), *(_id(rpc, height, within) for height in heights)
        )
        if f"eip155:{quantity(given)}" != self._chain:
            raise self._refused(
                "chain_id", where, f"serves chain eip155:{quantity(given)}, configured is {self._chain}; "
                "refused until it serves the right one, correct its URL or the chain's id",
            )  # fmt: skip
        self._count("chain_id", "ok")
        self._first(ids[0], where)
        if self._checkpoint is not None:
            self._pinned(*self._checkpoint, ids[1], where)

    def _first(self, given: str, where: str) -> None:
        if given and self.genesis and given != self.genesis:
            raise self._refused(
                "genesis", where, f"its first block is {given} and was {self.genesis} on an earlier connection: another "
                "chain with the same id; refused until it is the old one, restart Seawall if this is meant",
            )  # fmt: skip
        if given and given == self._heard:
            self.genesis = given
        self._heard = given or self._heard
        self._count("genesis", "ok" if given else "skipped")

    def _pinned(self, height: int, expected: str, given: str, where: str) -> None:
        if given != expected:
            raise self._refused(
                "checkpoint", where, f"has {given or 'no block'} at height {height}, pinned is {expected}; refused until it "
                "has it: is it another network, or still syncing?",
            )  # fmt: skip
        self._count("checkpoint", "ok")

    def _refused(self, check: str, where: str, what: str) -> WrongChain:
        self._count(check, "failed")
        return WrongChain(f"{self._provider} ({where}): {what}")

    def _count(self, check: str, outcome: str) -> None:
        metrics.NODE_CHECKS.labels(self._chain, check, outcome).inc()


async def _id(rpc: Caller, height: int, within: float) -> str:
    """The id of the block at a height; empty where the node has none or does not say."""
    try:
        found = await rpc.call("eth_getBlockByNumber", (hex(height), False), timeout=within, type=_Block | None)
    except RpcRefused as error:
        if error.throttled:
            raise
        return ""
    return "" if found is None else str(found.hash).lower()
