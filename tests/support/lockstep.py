"""Real nodes with one history: each carries out the same orders, so that all have the same blocks, by hash.

An anvil is a function of what it was told (genesis time, transactions, block times), reorganisations included: the blocks of one
have the time of the block below them, where a clock would make each node's different. So a node that was frozen or killed comes
back with what it was told until then, or less, and learns the rest as a real one syncs: from the others.
The first is the clean one: nobody follows it, nothing ever befalls it, and it says what truly happened.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, Self

from detectors.events import Position
from monitor.chains.rpc import MIB, Rpc
from monitor.demo.anvil import Anvil
from tests.support.chain import CHAIN, SENDER, SPEAKER, SPEAKS

BANK = "0x00000000000000000000000000000000000000bb"
PAYS = "0x5f5f5f5f5f35335af1505f355f525f3560205fa100"
"""CALL(gas, caller, calldata[0:32] wei), then LOG1(0, 32, calldata[0:32]): whoever asks is paid."""
ETHER = 10**18
DEPOSIT = 1_000_000 * ETHER


class Order(NamedTuple):
    """One thing that every node is told."""

    method: str
    params: tuple[Any, ...]


class Twin:
    """One node and how many of the orders it has carried out."""

    def __init__(self, node: Anvil, rpc: Rpc) -> None:
        self.node, self.rpc = node, rpc
        self.done = 0
        self.frozen = False

    @classmethod
    async def start(cls, genesis: int) -> Self:
        """A node that knows nothing but its genesis (unix seconds)."""
        node = await Anvil.start("--no-mining", "--timestamp", str(genesis))
        return cls(node, await Rpc.connect(node.ws, provider="chaos", chain=CHAIN, max_size=64 * MIB))

    @property
    def up(self) -> bool:
        """Can it be told anything?"""
        return not self.frozen and self.node.process.returncode is None

    async def call(self, method: str, *params: Any) -> Any:  # noqa: ANN401 - whatever the node says
        """One call."""
        return await self.rpc.call(method, params, timeout=30)

    async def obey(self, orders: list[Order]) -> Any:  # noqa: ANN401 - as above
        """Carry out what it has not yet; the answer to the last."""
        answer = None
        while self.done < len(orders):
            order = orders[self.done]
            answer = await self.call(order.method, *order.params)
            self.done += 1
        return answer

    def freeze(self) -> None:
        """SIGSTOP."""
        self.frozen = True
        self.node.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.node.process.send_signal(signal.SIGCONT)
        self.frozen = False

    async def kill(self) -> None:
        """SIGKILL."""
        self.node.process.kill()
        await self.node.process.wait()
        await self.rpc.close()

    async def stop(self) -> None:
        """End it, frozen or dead."""
        await self.rpc.close()
        if self.node.process.returncode is None:
            self.thaw()
        await self.node.stop()


class Lockstep:
    """`clean` and, beside it, `nodes` that things may befall. Orders reach all that are up; the others when they are again."""

    def __init__(self, genesis: int, twins: list[Twin]) -> None:
        self.genesis = genesis
        self.clean, *self.nodes = twins
        self.orders: list[Order] = []
        self._time = genesis
        self._said = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def begin(cls, nodes: int, history: int) -> AsyncIterator[Self]:
        """Start them with so many blocks behind them, the newest of now."""
        genesis = int(time.time()) - history - 1
        twins = await asyncio.gather(*(Twin.start(genesis) for _ in range(1 + nodes)))
        step = cls(genesis, list(twins))
        try:
            for contract, code, balance in ((SPEAKER, SPEAKS, ETHER), (BANK, PAYS, DEPOSIT)):
                await step.order("anvil_setCode", contract, code)
                await step.order("anvil_setBalance", contract, hex(balance))
            await step.order("anvil_setBlockTimestampInterval", 0)
            for number in range(1, history + 1):
                await step.block(1, at=genesis + number)
            yield step
        finally:
            await asyncio.gather(*(twin.stop() for twin in (step.clean, *step.nodes)))

    async def order(self, method: str, *params: Any) -> Any:  # noqa: ANN401 - whatever the node says
        """Tell everyone. The clean one's answer."""
        self.orders.append(Order(method, params))
        answer, *_ = await asyncio.gather(*(twin.obey(self.orders) for twin in (self.clean, *self.nodes) if twin.up))
        return answer

    async def block(self, transactions: int, drained: int = 0, at: int = 0) -> None:
        """One block of so many transactions with two logs each, and one that takes `drained` wei out of the bank, if any.

        `at` is its time in unix seconds, now if it is not given.
        """
        for _ in range(transactions):
            await self.order("eth_sendTransaction", self._words())
        if drained:
            await self.order("eth_sendTransaction", {"from": SENDER, "to": BANK, "data": f"0x{drained:064x}", "gas": "0x186a0"})
        self._time = max(self._time, at or int(time.time()))
        await self.order("evm_mine", self._time)

    async def reorg(self, depth: int, *, speaking: bool) -> None:
        """Replace the newest blocks; one more follows, since the branch that wins is the longer one."""
        await self.order("anvil_reorg", depth, [[self._words(), 0]] if speaking else [])
        await self.block(1)

    async def rollback(self, depth: int) -> None:
        """Take the newest blocks away: the chain is shorter for a while."""
        await self.order("anvil_rollback", depth)

    async def revive(self, number: int, *, behind: int) -> str:
        """A killed node is back and knows all but the newest `behind` orders: its URL, which is not that of before."""
        twin = self.nodes[number] = await Twin.start(self.genesis)
        await twin.obey(self.orders[: max(0, len(self.orders) - behind)])
        return twin.node.ws

    async def catch_up(self) -> None:
        """Those that are up learn what they missed."""
        await asyncio.gather(*(twin.obey(self.orders) for twin in self.nodes if twin.up))

    async def agree(self) -> bool:
        """Have all that are up the same newest block? If not, nothing that was found can be believed."""
        heads = await asyncio.gather(*(self.head(twin) for twin in (self.clean, *self.nodes) if twin.up))
        return len(set(heads)) == 1

    async def head(self, twin: Twin | None = None) -> Position:
        """The clean one's newest block, or another's."""
        block = await (twin or self.clean).call("eth_getBlockByNumber", "latest", *[False])
        return Position(int(block["number"], 16), block["hash"], block["parentHash"])

    async def logs(self, first: int) -> list[dict[str, Any]]:
        """Every log of the clean one's chain from a height on."""
        return list(await self.clean.call("eth_getLogs", {"fromBlock": hex(first), "toBlock": "latest"}))

    async def hashes(self, first: int) -> dict[int, str]:
        """Every block of the clean one's chain from a height on."""
        last = (await self.head()).height
        blocks = [await self.clean.call("eth_getBlockByNumber", hex(height), *[False]) for height in range(first, last + 1)]
        return {int(block["number"], 16): block["hash"] for block in blocks}

    def _words(self) -> dict[str, str]:
        """A transaction that leaves two logs nobody left before."""
        self._said += 1
        return {"from": SENDER, "to": SPEAKER, "data": f"0x{self._said:064x}", "gas": "0x186a0"}
