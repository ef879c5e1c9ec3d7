"""Uniswap V3 from its published bytecode, a stable pool and a bridge on a real node: read, used honestly, and robbed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from detectors.base import Finding, Watch
from detectors.events import PoolState, Position
from detectors.invariants import Invariants
from monitor.chains.rpc import Rpc
from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from monitor.feeds.pools import Pools
from monitor.feeds.pools.accounts import Accounts
from monitor.feeds.pools.base import Pool
from monitor.feeds.pools.curve import Curve
from monitor.feeds.pools.uniswap_v3 import UniswapV3
from tests.scenarios.world import ETHER, World

CHAIN = "eip155:31337"
ALL = 2**256 - 1
SQUARE = 2**96
"""The root of a price of one."""


class Reader:
    """A pool of a kind, read block after block and shown to the detector."""

    def __init__(self, rpc: Rpc, pool: Pool, **settings: object) -> None:
        self.rpc = rpc
        self.pool = pool
        self.pools = Pools(rpc, CHAIN, [pool])
        self.guard = Invariants({CHAIN: Watch(watched=frozenset({pool.contract}))}, **settings)  # type: ignore[arg-type]

    async def look(self) -> tuple[PoolState, list[Finding]]:
        """Its state at the newest block, and what the detector makes of it."""
        block = await self.rpc.call("eth_getBlockByNumber", ["latest", False], timeout=10)
        (state,) = await self.pools.read(Position(int(block["number"], 16), block["hash"], block["parentHash"]), 1.0)
        return state, [made for made in self.guard.observe(state) if isinstance(made, Finding)]


@asynccontextmanager
async def staged() -> AsyncIterator[tuple[World, Rpc]]:
    async with await Anvil.start("--gas-limit", "60000000") as anvil, HttpNode(anvil.http) as node:
        world = World(anvil, node, "promises")
        await world.populate()
        rpc = await Rpc.connect(anvil.ws, provider="anvil", chain=CHAIN, max_size=64 << 20)
        try:
            yield world, rpc
        finally:
            await rpc.close()


async def test_a_v3_pool_is_read_and_its_fees_only_grow() -> None:
    async with staged() as (world, rpc):
        tokens = sorted([await world.token(world.users[:1]) for _ in range(2)])
        factory, ranger = await world.deploy("UniswapV3Factory"), await world.deploy("Ranger")
        await world.do(world.owner, factory, "UniswapV3Factory.createPool", *tokens, 3000)
        pool = str(await world.read(factory, "UniswapV3Factory.getPool", *tokens, 3000)).lower()
        await world.do(world.owner, pool, "UniswapV3Pool.initialize", SQUARE)
        for token in tokens:
            await world.do(world.users[0], token, "Coin.transfer", ranger, 10**6 * ETHER)
        await world.do(world.owner, ranger, "Ranger.provide", pool, -60_000, 60_000, 10**5 * ETHER)
        reader = Reader(rpc, UniswapV3(pool))
        first, found = await reader.look()
        assert (found, first.extra["sqrt_price"], first.extra["liquidity"]) == ([], SQUARE, 10**5 * ETHER)
        assert [*first.reserves] == tokens
        assert all(amount > 9 * 10**4 * ETHER for amount in first.reserves.values())
        for straight in (True, False, True):
            await world.do(world.owner, ranger, "Ranger.swap", pool, straight, 3_000 * ETHER)
            state, found = await reader.look()
            assert found == []
        assert state.extra["fee_growth0"] > first.extra["fee_growth0"] == 0
        await world.do(world.owner, ranger, "Ranger.withdraw", pool, -60_000, 60_000, 5 * 10**4 * ETHER)
        assert (await reader.look())[1] == []
        await rpc.call("anvil_setStorageAt", [pool, "0x1", "0x" + "00" * 32], timeout=10)
        await rpc.call("evm_mine", [], timeout=10)
        assert [(made.kind, made.confidence >= 0.8) for made in (await reader.look())[1]] == [("fee_growth", True)]


async def test_the_virtual_price_of_a_stable_pool_survives_everything_but_its_owner() -> None:
    async with staged() as (world, rpc):
        coins = [await world.token(world.users[:2]) for _ in range(2)]
        pool = await world.deploy("TwoCoinPool", *coins)
        for user in world.users[:2]:
            for coin in coins:
                await world.do(user, coin, "Coin.approve", pool, ALL)
            await world.do(user, pool, "TwoCoinPool.add_liquidity", [10**6 * ETHER, 10**6 * ETHER], 0)
        reader = Reader(rpc, Curve(pool))
        first, _ = await reader.look()
        assert first.reserves == dict.fromkeys(coins, 2 * 10**6 * ETHER)
        assert (first.supply, first.extra) == (4 * 10**6 * ETHER, {"virtual_price": 10**18})
        await world.do(world.users[0], pool, "TwoCoinPool.exchange", 0, 10**5 * ETHER)
        assert (await reader.look())[1] == []
        await world.do(world.users[0], pool, "TwoCoinPool.remove_liquidity", 10**6 * ETHER, [0, 0])
        assert (await reader.look())[1] == []
        await world.do(world.owner, pool, "TwoCoinPool.fees", 1, 10**5 * ETHER)
        assert [(made.kind, made.confidence >= 0.8) for made in (await reader.look())[1]] == [("virtual_price", True)]


async def test_a_bridge_is_held_to_the_rules_of_its_operator() -> None:
    async with staged() as (world, rpc):
        token, bridge = await world.token(), await world.deploy("Bridge")
        await world.do(world.owner, token, "Coin.mint", bridge, 10**6 * ETHER)
        asks = {name: world.call(f"Bridge.{name}") for name in ("attested", "released")} | {"gone": "0xdeadbeef"}
        rules = ["released <= attested", "gone <= 5"]
        reader = Reader(rpc, Accounts(bridge, (token,), asks), accounts={bridge: rules})
        first, found = await reader.look()
        assert (found, first.reserves[token], first.extra) == ([], 10**6 * ETHER, {"attested": 0, "released": 0})
        await world.do(world.owner, bridge, "Bridge.attest", b"\1" * 32, 500)
        await world.do(world.users[0], bridge, "Bridge.process", token, world.users[0], 500, b"\1" * 32)
        assert (await reader.look())[1] == []
        await world.do(world.users[1], bridge, "Bridge.process", token, world.users[1], 10**5 * ETHER, bytes(32))
        (made,) = (await reader.look())[1]
        assert (made.kind, made.confidence >= 0.8, made.evidence["attested_after"]) == ("accounts", True, 500)
        assert (await reader.look())[1] == [], "said once"
