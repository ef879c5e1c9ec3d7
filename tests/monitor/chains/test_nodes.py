"""Several providers of one chain, real ones: when the one in the lead dies, freezes, lags or lies, the others take over."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable

from detectors.events import Position
from monitor.chains.evm import Evm
from monitor.chains.health import State
from monitor.chains.link import Link
from monitor.chains.nodes import Nodes
from monitor.chains.rpc import Rpc
from monitor.demo.anvil import Anvil, free_port
from monitor.feeds.heads import Heads
from monitor.feeds.quorum import Quorum
from monitor.metrics import REGISTRY
from tests.support.chain import CHAIN, TalkingChain
from tests.support.fault_proxy import FaultProxy
from tests.support.following import Ledger
from tests.support.providers import Frozen, be_honest, lie_about_hashes, providers, refuse_traces


def failed_checks(check: str) -> float:
    sample = {"chain": CHAIN, "check": check, "outcome": "failed"}
    return REGISTRY.get_sample_value("seawall_node_checks_total", sample) or 0.0


class Followed:
    """Nodes and a follower over them, with what it handed out."""

    def __init__(self, *urls: str, quorum: int = 1) -> None:
        links = [Link(url, chain=CHAIN, provider=name) for name, url in zip("abcd", urls, strict=False)]
        self.nodes = Nodes(links, block_time=1.0, quorum=quorum)
        self.heads = Heads(self.nodes.heads, Evm(self.nodes.heads, chain=CHAIN), shorter_for=60.0)
        self.quorum = Quorum(self.nodes, self.heads, patience=1.0)
        self.ledger = Ledger()
        self.told: list[str | None] = []

    @property
    def lead(self) -> str:
        return self.nodes.leader.provider

    def state(self, name: str) -> State:
        return self.nodes.health[name].state

    async def follow(self) -> None:
        await self.nodes.capable()
        async for step in self.heads.follow():
            self.ledger.take(step)
            self.heads.acknowledge(step)

    async def until(self, true: Callable[[], bool], within: float = 20.0) -> None:
        try:
            async with asyncio.timeout(within):
                while not true():  # noqa: ASYNC110 - seen from outside, as an operator would
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"waited in vain: tip {self.heads.tip}, nodes {self.nodes.facts()}") from None

    async def caught_up(self, chain: TalkingChain) -> None:
        head = await chain.head()
        await self.until(lambda: self.heads.tip is not None and self.heads.tip.id == head.id)
        assert self.ledger.logs == await chain.canonical(min(self.ledger.blocks))


@contextlib.asynccontextmanager
async def followed(*urls: str, quorum: int = 1) -> AsyncIterator[Followed]:
    made = Followed(*urls, quorum=quorum)
    tasks = [
        asyncio.create_task(made.nodes.run()),
        asyncio.create_task(made.follow()),
        asyncio.create_task(made.quorum.run(lambda: made.told.append(made.quorum.trouble))),
    ]
    try:
        yield made
        for task in tasks:
            if task.done():
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def twins() -> AsyncIterator[tuple[tuple[Anvil, TalkingChain], ...]]:
    """Two processes with one chain: the same first block, the same clock, and, where both are told the same, the same blocks."""
    now = str(int(time.time()))
    async with await Anvil.start("--timestamp", now) as first, await Anvil.start("--timestamp", now) as second:
        made = []
        for node in (first, second):
            rpc = await Rpc.connect(node.ws, provider="test", chain=CHAIN)
            await rpc.call("anvil_setBlockTimestampInterval", (1,), timeout=5)
            await rpc.close()
            made.append((node, await TalkingChain.on(node)))
        yield tuple(made)
        for _, chain in made:
            await chain.close()


async def _speaking(chain: TalkingChain, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await chain.speak()
        await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def speaking(chain: TalkingChain) -> AsyncIterator[None]:
    """Blocks with logs keep coming meanwhile."""
    stop = asyncio.Event()
    task = asyncio.create_task(_speaking(chain, stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def test_a_lead_whose_connections_are_reset_gives_way_and_no_log_is_lost() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
        assert it.lead == "a"
        async with speaking(chain):
            a.reset()
            await it.until(lambda: it.lead == "b")
            grown = await chain.height() + 3
            await it.until(lambda: it.heads.tip is not None and it.heads.tip.height >= grown)
            await it.until(lambda: it.state("a") is State.ALIVE)
            assert it.lead == "b", "nothing moves back for its own sake"
        await it.caught_up(chain)
        assert it.nodes.moves == 1


async def test_a_black_hole_gives_way_within_the_time_of_three_looks() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
        async with speaking(chain):
            a.hole()
            await it.until(lambda: it.lead == "b", within=9)
            assert it.state("a") is State.UNREACHABLE
            grown = await chain.height() + 3
            await it.until(lambda: it.heads.tip is not None and it.heads.tip.height >= grown)
            a.clear()
            await it.until(lambda: it.state("a") is State.ALIVE)
        await it.caught_up(chain)
        assert it.nodes.moves == 1


async def test_a_provider_that_answers_but_stands_still_is_demoted_and_comes_back_when_it_moves() -> None:
    async with providers() as (chain, (a, b)):
        stuck = Frozen(a)
        async with followed(a.ws, b.ws) as it:
            await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
            async with speaking(chain):
                await chain.speak(2)
                stuck.freeze()
                dialled = a.connections
                await it.until(lambda: it.lead == "b" and it.state("a") is State.OUT_OF_SYNC)
                await it.until(lambda: a.connections >= dialled + 4)  # whoever waited there was told
                stuck.thaw()
                await it.until(lambda: it.state("a") is State.ALIVE)
            await it.caught_up(chain)
            assert it.ledger.reverts == [], "a node that lags is no reorganisation"
            assert it.nodes.moves == 1


async def test_a_node_that_is_frozen_and_then_killed_gives_way_to_its_twin_and_no_log_is_lost() -> None:
    async with twins() as ((first, one), (second, other)), followed(first.ws, second.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
        for chain in (one, other):
            await chain.speak(3)
        first.process.send_signal(signal.SIGSTOP)
        await other.speak(2)
        await it.until(lambda: it.lead == "b", within=9)
        await it.caught_up(other)
        first.process.send_signal(signal.SIGCONT)
        await one.speak(2)
        await it.until(lambda: it.state("a") is State.ALIVE)
        first.process.kill()
        await it.until(lambda: it.state("a") is State.UNREACHABLE)
        await other.speak(2)
        await it.caught_up(other)
        assert (it.ledger.reverts, it.nodes.moves) == ([], 1)


async def test_a_node_with_the_same_chain_id_and_another_first_block_is_never_followed() -> None:
    async with (
        providers() as (chain, (a, c)),
        await Anvil.start("--timestamp", "1700000000") as other,
        followed(a.ws, other.ws, c.ws) as it,
    ):
        await it.until(lambda: it.state("a") is it.state("c") is State.ALIVE and it.state("b") is State.WRONG_CHAIN)
        a.hole()
        await it.until(lambda: it.lead == "c")
        await chain.speak(3)
        await it.caught_up(chain)
        assert it.state("b") is State.WRONG_CHAIN


async def test_both_nodes_dead_and_the_one_that_comes_back_first_is_followed_at_once() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and bool(it.ledger.blocks))
        a.hole()
        await it.until(lambda: it.lead == "b")
        b.hole()
        await it.until(lambda: it.state("b") is State.UNREACHABLE)
        await chain.speak(2)
        a.clear()
        await it.until(lambda: it.lead == "a")
        await it.caught_up(chain)


async def test_a_node_that_can_trace_leads_before_one_that_cannot() -> None:
    async with providers() as (_, (a, b)):
        a.replies = refuse_traces
        async with followed(a.ws, b.ws) as it:
            await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE and it.lead == "b")
            assert (await it.nodes.capable()).judges


async def test_whoever_takes_the_lead_is_known_by_what_it_offers_and_not_by_what_the_last_one_did() -> None:
    async with providers() as (_, (a, b)):
        b.replies = refuse_traces
        async with followed(a.ws, b.ws) as it:
            offered: list[bool] = []
            it.nodes.moved = lambda capabilities: offered.append(capabilities.judges)
            await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
            assert it.lead == "a"
            a.hole()
            await it.until(lambda: it.lead == "b")
            sample = {"chain": CHAIN, "capability": "trace_call"}
            assert REGISTRY.get_sample_value("seawall_chain_capability", sample) == 0
            a.clear()
            await it.until(lambda: it.lead == "a")
            assert offered[-2:] == [False, True]
            assert REGISTRY.get_sample_value("seawall_chain_capability", sample) == 1


async def test_a_probe_is_not_repeated_on_every_connection() -> None:
    async with providers() as (_, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
        for dialled in (8, 12):
            b.reset()
            await it.until(lambda: b.connections >= dialled and it.state("b") is State.ALIVE)  # noqa: B023 - awaited here
        assert b.asked.count("debug_traceBlockByHash") == 1
        assert b.asked.count("web3_clientVersion") >= 2


async def test_a_second_node_of_another_chain_is_never_used_even_when_it_is_the_only_one_left() -> None:
    port = free_port()
    node = await Anvil.start(port=port)
    async with await Anvil.start("--chain-id", "5") as foreign, node, followed(node.ws, foreign.ws) as it:
        await it.until(lambda: it.state("a") is State.ALIVE and it.state("b") is State.WRONG_CHAIN)
        node.process.kill()
        await node.process.wait()
        await it.until(lambda: it.state("a") is State.UNREACHABLE)
        await asyncio.sleep(1.0)
        assert (it.lead, it.nodes.moves) == ("a", 0)
        (fact, _) = it.nodes.facts()
        assert fact["degraded"] is True


async def test_a_node_that_changes_chains_behind_an_open_connection_is_refused() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
        await chain.call("anvil_setChainId", 5)
        await it.until(lambda: it.state("a") is it.state("b") is State.WRONG_CHAIN)
        assert it.nodes.trouble is not None
        assert "eip155:5" in it.nodes.trouble
        await chain.call("anvil_setChainId", 31337)
        await it.until(lambda: State.ALIVE in {it.state("a"), it.state("b")} and it.state(it.lead) is State.ALIVE)


async def test_two_of_two_must_agree_a_liar_is_trouble_and_its_end_the_end_of_it() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws, quorum=2) as it:
        await it.until(lambda: it.quorum.certain(0) == 0)
        assert it.quorum.trouble is None
        lie_about_hashes(b)
        await chain.speak()
        await it.until(lambda: it.quorum.trouble is not None)
        assert "different blocks" in str(it.quorum.trouble)
        head = await chain.height()
        await it.caught_up(chain)
        assert it.quorum.certain(head) < head, "what one of two denies is not final"
        be_honest(b)
        await it.until(lambda: it.quorum.trouble is None and it.quorum.certain(head) == head)
        assert [one is None for one in it.told] == [False, True]


async def test_a_reorganisation_is_agreed_upon_again() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws, quorum=2) as it:
        await chain.speak(5)
        head = await chain.height()
        await it.until(lambda: it.quorum.certain(head) == head)
        await chain.reorg(3)
        await it.until(lambda: bool(it.ledger.reverts))
        await it.until(lambda: it.quorum.certain(head) == head)
        await it.caught_up(chain)
        assert it.quorum.trouble is None


async def test_fewer_live_nodes_than_the_quorum_is_trouble_too() -> None:
    async with providers() as (chain, (a, b)), followed(a.ws, b.ws, quorum=2) as it:
        await it.until(lambda: it.quorum.certain(0) == 0)
        b.hole()
        await it.until(lambda: it.quorum.trouble is not None)
        assert "too few" in str(it.quorum.trouble)
        await chain.speak()
        await it.caught_up(chain)
        b.clear()
        await it.until(lambda: it.quorum.trouble is None)


async def test_one_liar_of_three_is_outvoted_and_loses_the_lead() -> None:
    async with providers(3) as (chain, (a, b, c)), followed(a.ws, b.ws, c.ws, quorum=2) as it:
        await it.until(lambda: {it.state(name) for name in "abc"} == {State.ALIVE} and it.quorum.certain(0) == 0)
        head = await chain.head()
        forged = Position(head.height, "0x" + "1e" * 32, head.parent)
        assert [await it.nodes.agrees(forged) for _ in range(3)] == [False] * 3
        await it.until(lambda: it.state("a") is State.QUARANTINED and it.lead != "a")
        assert await it.nodes.agrees(head) is True


async def test_the_state_of_each_node_is_exported_one_hot() -> None:
    async with providers() as (_, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
        hot = {
            state: REGISTRY.get_sample_value("seawall_node_state", {"chain": CHAIN, "provider": "b", "state": state})
            for state in State
        }
        assert hot == {state: float(state is State.ALIVE) for state in State}


async def test_one_connection_that_stands_still_is_found_out_by_another_to_the_same_node_and_renewed() -> None:
    async with providers(1) as (chain, (a,)):
        frozen = Frozen(a)
        async with followed(a.ws) as it:
            await it.until(lambda: it.state("a") is State.ALIVE and bool(it.ledger.blocks))
            await chain.speak()
            frozen.freeze()
            dialled = a.connections
            async with speaking(chain):
                await it.until(lambda: a.connections > dialled)
                frozen.thaw()
                await it.until(lambda: it.state("a") is State.ALIVE)
            await it.caught_up(chain)
            assert failed_checks("second_connection") >= 1


async def test_the_last_of_two_nodes_says_so_and_so_does_one_that_leads_for_want_of_a_better() -> None:
    async with providers() as (_, (a, b)), followed(a.ws, b.ws) as it:
        await it.until(lambda: it.state("a") is it.state("b") is State.ALIVE)
        assert it.nodes.degraded is None
        b.hole()
        await it.until(lambda: "a is the last of 2 nodes that is alive" in str(it.nodes.degraded))
        assert REGISTRY.get_sample_value("seawall_chain_degraded", {"chain": CHAIN}) == 1
        a.hole()
        await it.until(lambda: "for want of a better node" in str(it.nodes.degraded))
        a.clear()
        b.clear()
        await it.until(lambda: it.nodes.degraded is None)
        assert REGISTRY.get_sample_value("seawall_chain_degraded", {"chain": CHAIN}) == 0


async def test_a_leader_with_a_private_fork_of_its_own_hides_nothing_and_releases_nothing() -> None:
    """Every hash on its fork is right, so only the other two can tell; until they do, nothing of it counts as final."""
    async with (
        twins() as ((forked, liar), (honest, truth)),
        FaultProxy(honest.ws) as b,
        FaultProxy(honest.ws) as c,
        followed(forked.ws, b.ws, c.ws, quorum=2) as it,
    ):
        for chain in (liar, truth):
            await chain.speak(3)
        shared = await truth.height()
        await it.until(lambda: it.quorum.certain(shared) == shared)
        assert it.lead == "a"
        certain: set[int] = set()
        await liar.mine(2)  # the same heights, without what was said in them
        await truth.speak(2)
        top = await truth.height()

        def honest_again() -> bool:
            certain.add(it.quorum.certain(top))
            return it.lead != "a"

        await it.until(honest_again)
        assert it.state("a") is State.QUARANTINED
        await it.caught_up(truth)
        assert [first for first, _ in it.ledger.reverts] == [shared + 1], "what the liar told was taken back, once"
        assert certain <= {shared, -1}, "nothing of the fork was ever final"
        await it.until(lambda: it.quorum.certain(top) == top)


async def test_a_provider_that_lags_is_no_reorganisation_and_a_reorganisation_is_no_lag() -> None:
    async with providers(3) as (chain, (a, b, c)):
        stuck = Frozen(a)
        async with followed(a.ws, b.ws, c.ws, quorum=2) as it:
            await it.until(lambda: {it.state(name) for name in "abc"} == {State.ALIVE} and bool(it.ledger.blocks))
            await chain.speak(4)
            await it.caught_up(chain)
            await asyncio.sleep(0.6)
            stuck.freeze()
            async with speaking(chain):
                await it.until(lambda: it.state("a") is State.OUT_OF_SYNC and it.lead != "a")
            await it.caught_up(chain)
            assert it.ledger.reverts == []
            await chain.reorg(2)
            await it.until(lambda: len(it.ledger.reverts) == 1)
            await it.caught_up(chain)
            assert {it.state(name) for name in "bc"} == {State.ALIVE}
