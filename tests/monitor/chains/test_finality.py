"""Confirmations where a node has no tags: what counts as safe and final, and what a reorganisation below them means."""

import asyncio

from monitor.chains.evm import Evm
from monitor.chains.finality import Confirmed, Depth
from monitor.chains.link import Link
from monitor.demo.anvil import Anvil
from monitor.feeds.heads import Heads, Ingested
from tests.support.chain import CHAIN, TalkingChain

DEPTH = Depth(safe=2, final=4)


async def test_a_node_without_tags_is_safe_and_final_by_depth_and_one_with_tags_by_its_own_word() -> None:
    async with await Anvil.start("--no-mining") as node:
        chain = await TalkingChain.on(node)
        await chain.mine(9)
        height = await chain.height()
        without, tagged = (Confirmed(Evm(chain.rpc, chain=CHAIN, tags=tags), DEPTH) for tags in (False, True))
        counted, named = await without.extent(within=5), await tagged.extent(within=5)
        assert (counted.safe, counted.finalized) == (height - 2, height - 4)
        assert (named.safe, named.finalized) == (0, 0), "anvil's own: its epochs are 32 blocks long"
        silent = await Confirmed(Evm(chain.rpc, chain=CHAIN, tags=False), None).extent(within=5)
        assert (silent.safe, silent.finalized) == (-1, -1), "nobody said how many, so nothing is known"
        await chain.close()


async def test_a_reorg_below_the_confirmations_is_not_followed_and_one_above_is() -> None:
    async with await Anvil.start("--no-mining") as node:
        chain = await TalkingChain.on(node)
        link = Link(node.ws, chain=CHAIN, provider="node")
        heads = Heads(link.heads, Confirmed(Evm(link.heads, chain=CHAIN, tags=False), DEPTH), every=0.1)
        steps: list[int] = []

        async def follow() -> None:
            async for step in heads.follow():
                heads.acknowledge(step)
                steps.append(step.finalized if isinstance(step, Ingested) else -9)

        async def until_broken(*, broken: bool) -> None:
            async with asyncio.timeout(15):
                while heads.broken is not broken:  # noqa: ASYNC110 - the node is another process
                    await asyncio.sleep(0.02)

        async def until_at_head() -> None:
            async with asyncio.timeout(15):
                while heads.tip is None or heads.tip.id != (await chain.head()).id:  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.02)

        tasks = [asyncio.create_task(link.run()), asyncio.create_task(follow())]
        try:
            await until_at_head()
            for _ in range(8):
                await chain.mine()
                await until_at_head()
            assert steps[-1] == await chain.height() - 4
            await chain.reorg(3, speaking=False)
            await until_at_head()
            assert not heads.broken
            await chain.reorg(7, speaking=False)
            await until_broken(broken=True)
            assert "final" in (heads.trouble or "")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await chain.close()
