"""Drains and invariants on a real node: real pairs, lenders and vaults, used honestly and robbed, told by the real feeds."""

from collections.abc import AsyncIterator

import msgspec

from detectors.base import Detector, Finding, Watch
from detectors.drain import Drain
from detectors.events import Block, Committed, Event, Position, Stage
from detectors.execution import Execution
from detectors.invariants import Invariants
from detectors.manipulation import Manipulation
from monitor.chains.rpc import MIB, Rpc
from monitor.chains.traces import Origin, read
from monitor.demo.artifacts import uniswap
from monitor.demo.attacks import launch
from monitor.demo.relay import Relay
from monitor.demo.scenery import CROSS_FUNCTION, FLASH_LOAN, PRIVATE, REENTRANCY
from monitor.demo.scenery import Stage as Staged
from monitor.demo.traffic import Traffic
from monitor.feeds.pools import KINDS, Pools
from monitor.feeds.prices import PoolPrices, Quote
from tests.support.show import Scene, scene

CHAIN = "eip155:31337"
TRACER = {"tracer": "callTracer", "tracerConfig": {"withLog": True}}


class Feed:
    """The blocks of a staged show as the daemon would tell them: executions, then states and prices, then the commit."""

    def __init__(self, rpc: Rpc, show: Scene) -> None:
        self.rpc = rpc
        self.show = show
        stage = show.stage
        contracts = [c for integration in stage.integrations for c in integration.contracts]
        pools = [KINDS[c.kind].of(c.address, c.assets) for c in contracts]
        if not any(c.address == stage.market.pair for c in contracts):
            pools.append(KINDS["uniswap_v2"].of(stage.market.pair, ()))
        self.watch = Watch(watched=frozenset(pool.contract for pool in pools), trusted=frozenset(stage.trusted))
        self.pools = Pools(rpc, CHAIN, pools)
        self.prices = PoolPrices(_quotes(stage))

    async def blocks(self, first: int, last: int) -> AsyncIterator[Event]:
        """Everything of these heights; of the first only what it left behind."""
        for height in range(first, last + 1):
            told = await self.rpc.call("eth_getBlockByNumber", [hex(height), False], timeout=20)
            here = Position(height, told["hash"], told["parentHash"])
            seconds = float(int(told["timestamp"], 16))
            yield Block(chain=CHAIN, at=seconds, position=here, timestamp=seconds)
            for index, tx in enumerate(told["transactions"] if height > first else []):
                yield await self.executed(tx, here, index)
            states = await self.pools.read(here, seconds)
            for event in (*states, *self.prices.take(states)):
                yield event
            yield Committed(chain=CHAIN, at=seconds, first=here, last=here, finalized=height - 8)

    async def executed(self, tx: str, here: Position, index: int) -> Execution:
        """A mined transaction by its call tree with logs."""
        tree = await self.rpc.call("debug_traceTransaction", [tx, TRACER], timeout=20)
        origin = Origin(source=tx, chain=CHAIN, tx=tx, position=here, index=index, stage=Stage.INCLUDED, logged=True)
        (made,) = read(msgspec.json.encode(tree), origin)
        assert isinstance(made, Execution)
        return made


def _quotes(stage: Staged) -> list[Quote]:
    pairs = [(c.assets[1], c.address) for i in stage.integrations for c in i.contracts if c.kind == "uniswap_v2"]
    return [Quote(token=coin, pool=pair, quote=stage.market.dollar) for coin, pair in pairs if coin != stage.market.dollar]


async def judged(show: Scene, first: int) -> dict[str, list[Finding]]:
    """What the detectors of money made of the show since block `first`, by transaction; those of block ends by pool."""
    rpc = await Rpc.connect(show.anvil.ws, provider="test", chain=CHAIN, max_size=64 * MIB)
    try:
        feed, last = Feed(rpc, show), int(await show.node.call("eth_blockNumber", []), 16)
        detectors: list[Detector] = [kind({CHAIN: feed.watch}) for kind in (Drain, Invariants, Manipulation)]
        found: dict[str, list[Finding]] = {}
        async for event in feed.blocks(first, last):
            for detector in detectors:
                if isinstance(event, detector.wants):
                    for made in detector.observe(event):
                        assert isinstance(made, Finding)
                        found.setdefault(made.tx or made.subject, []).append(made)
    finally:
        await rpc.close()
    return found


async def height(show: Scene) -> int:
    return int(await show.node.call("eth_blockNumber", []), 16)


async def test_honest_traffic_over_every_venue_gives_no_warning_and_each_robbery_a_pause_by_money_alone() -> None:
    async with scene(count=3, private=False) as show:
        first = await height(show)
        traffic = Traffic(show.wallet, show.stage, seed=11)
        await traffic.burst(150)
        assert await traffic.reverted() == []
        robberies = {await launch(attack, show.wallet): attack for attack in show.stage.attacks}
        assert {(await show.wallet.receipt(tx))["status"] for tx in robberies} == {"0x1"}
        found = await judged(show, first)
    assert len(set(traffic.sent.values())) >= 10, "every kind of business"
    honest = {tx: made for tx, made in found.items() if tx in traffic.sent}
    assert {made.title for findings in honest.values() for made in findings if made.confidence >= 0.5} == set()
    for tx, attack in robberies.items():
        if attack.name == CROSS_FUNCTION:
            continue  # a few per cent of the bank: the books tell, not the amount
        best = max(found.get(tx, []), key=lambda made: made.confidence)
        assert (attack.name, best.confidence >= 0.8, best.subject) == (attack.name, True, attack.victim)
    assert {attack.name for attack in robberies.values()} >= {REENTRANCY, FLASH_LOAN}
    (lifted,) = (tx for tx, attack in robberies.items() if attack.name == FLASH_LOAN)
    (price,) = (made for made in found[lifted] if made.kind == "price")
    assert price.confidence >= 0.8, "the lender believed a spot price in the middle of a flash loan"


async def test_the_first_private_sweep_of_a_vault_pauses_by_its_flows_and_by_its_share_price() -> None:
    async with scene(count=0) as show, Relay(show.anvil.port) as relay:
        (attack,) = show.stage.attacks
        assert attack.name == PRIVATE
        first = await height(show)
        tx = await launch(attack, show.wallet, relay)
        await show.wallet.receipt(tx)
        found = await judged(show, first)
    kinds = {made.kind for made in found[tx] if made.confidence >= 0.8 and made.subject == attack.victim}
    assert {"outflow", "vault_share"} <= kinds
    assert [made.kind for made in found[attack.victim] if made.confidence >= 0.8] == ["vault_share"], "and at the block's end"


async def test_a_pair_that_pays_the_protocol_its_fee_is_never_taken_for_robbed() -> None:
    async with scene(count=0) as show:
        first, factory, code = await height(show), show.stage.market.factory, uniswap("UniswapV2Factory")
        setter = str(await show.wallet.read(factory, code, "feeToSetter")).lower()
        await show.wallet.do(setter, factory, code.call("setFeeTo", show.stage.treasury))
        traffic = Traffic(show.wallet, show.stage, seed=5)
        await traffic.burst(200)
        pair = uniswap("UniswapV2Pair")
        paid = int(await show.wallet.read(show.stage.market.pair, pair, "balanceOf", show.stage.treasury))
        found = await judged(show, first)
    assert paid > 0, "the fee was really minted"
    assert found == {}
