"""How far enough nodes agree: one liar can neither hide an event nor cause a release, and a laggard is no liar."""

import asyncio

from detectors.events import Position
from monitor.chains.health import State
from tests.support.fault_proxy import FaultProxy
from tests.support.followed import followed, speaking, twins
from tests.support.providers import Frozen, be_honest, lie_about_hashes, providers


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
