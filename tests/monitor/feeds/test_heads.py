"""A follower on a real chain: whatever the chain does, the processed set is the canonical one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from detectors.events import Gap, Position, Reverted
from monitor.chains.evm import Evm
from monitor.chains.link import Link
from monitor.demo.anvil import Anvil, free_port
from monitor.feeds.heads import Heads, Ingested
from tests.support.chain import CHAIN, TalkingChain
from tests.support.following import following


@contextlib.asynccontextmanager
async def talking(*options: str) -> AsyncIterator[tuple[Anvil, TalkingChain]]:
    async with await Anvil.start(*options) as node:
        chain = await TalkingChain.on(node)
        try:
            yield node, chain
        finally:
            await chain.close()


async def test_a_fresh_start_begins_at_the_head_and_goes_on_block_by_block() -> None:
    async with talking() as (node, chain):
        await chain.speak(3)
        async with following(node.ws) as followed:
            await followed.settled(chain)
            await chain.speak(5)
            await followed.settled(chain)
            assert [step.block.position.height for step in followed.ledger.steps if isinstance(step, Ingested)] == list(
                range(4, 10)
            )
            assert len(followed.ledger.logs) == 12


async def test_after_an_absence_every_block_since_the_cursor_is_given_out() -> None:
    async with talking() as (node, chain):
        cursor = await chain.head()
        await chain.speak(40)
        async with following(node.ws, cursor) as followed:
            await followed.settled(chain)
            assert sorted(followed.ledger.blocks) == list(range(cursor.height + 1, cursor.height + 41))
            assert len(followed.ledger.logs) == 80


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
async def test_a_reorganisation_is_told_as_one_range_and_replaced(depth: int) -> None:
    async with talking() as (node, chain), following(node.ws, await chain.head()) as followed:
        await chain.speak(8)
        await followed.settled(chain)
        top = (await chain.head()).height
        await chain.reorg(depth)
        await chain.speak()
        await followed.settled(chain)
        assert followed.ledger.reverts == [(top - depth + 1, top)]


async def test_a_rollback_that_no_push_tells_of_is_found() -> None:
    async with talking() as (node, chain), following(node.ws, await chain.head(), every=0.2) as followed:
        await chain.speak(6)
        await followed.settled(chain)
        top = (await chain.head()).height
        await chain.call("anvil_rollback", 3)
        await followed.settled(chain)  # without a new block: believed after a while, since a lagging node looks the same
        assert followed.ledger.reverts == [(top - 2, top)]
        await chain.speak(5)
        await followed.settled(chain)


async def test_a_rollback_with_another_future_is_believed_at_once() -> None:
    async with talking() as (node, chain), following(node.ws, await chain.head()) as followed:
        await chain.speak(6)
        await followed.settled(chain)
        await chain.call("anvil_rollback", 4)
        await chain.speak(2)
        await followed.settled(chain)
        assert len(followed.ledger.reverts) == 1


async def test_a_reorganisation_while_we_were_away_is_told_from_the_known_positions() -> None:
    async with talking() as (node, chain):
        async with following(node.ws, await chain.head()) as before:
            await chain.speak(6)
            await before.settled(chain)
        known = [block.block.position for block in before.ledger.blocks.values()]
        await chain.reorg(4)
        await chain.speak(3)
        async with following(node.ws, known[-1], known=known[:-1]) as after:
            after.ledger.blocks.update(before.ledger.blocks)
            await after.settled(chain)
        assert after.ledger.reverts == [(known[-4].height, known[-1].height)]
        assert after.ledger.gaps == []


async def test_a_reorganisation_deeper_than_anything_remembered_says_what_it_could_not_undo() -> None:
    async with talking() as (node, chain):
        await chain.speak(6)
        cursor = await chain.head()
        await chain.reorg(4)
        await chain.speak()
        async with following(node.ws, cursor) as followed:
            await followed.settled(chain)
        assert [type(step) for step in followed.ledger.steps[:2]] == [Reverted, Gap]
        assert followed.ledger.reverts == [(cursor.height, cursor.height)]
        assert sorted(followed.ledger.blocks) == [cursor.height, cursor.height + 1]


async def test_a_chain_that_contradicts_what_was_final_stops_the_cursor_and_says_so() -> None:
    async with (
        talking("--slots-in-an-epoch", "1") as (node, chain),
        following(node.ws, await chain.head(), every=0.1) as followed,
    ):
        await chain.speak(8)
        await followed.settled(chain)
        kept = followed.ledger.logs
        await chain.reorg(5)
        await chain.speak()
        await followed.until(lambda: "was final" in (followed.heads.trouble or ""))
        await asyncio.sleep(0.5)
        assert followed.ledger.logs == kept
        assert followed.ledger.reverts == []


async def test_a_rollback_below_what_was_final_stops_the_cursor_too() -> None:
    async with (
        talking("--slots-in-an-epoch", "1") as (node, chain),
        following(node.ws, await chain.head(), every=0.1) as followed,
    ):
        await chain.speak(8)
        await followed.settled(chain)
        await chain.call("anvil_rollback", 6)
        await followed.until(lambda: "catches up" in (followed.heads.trouble or ""))
        await asyncio.sleep(2.5)
        assert followed.ledger.reverts == []
        assert followed.link.state.up


async def test_finality_is_told_with_each_block_and_never_goes_back() -> None:
    async with talking("--slots-in-an-epoch", "1") as (node, chain), following(node.ws, await chain.head()) as followed:
        await chain.speak(8)
        await followed.settled(chain)
        told = [step.closing(at=0.0).finalized for step in followed.ledger.steps if isinstance(step, Ingested)]
        assert told == sorted(told)
        assert told[-1] > 0
        assert followed.heads.lineage.final == told[-1]


async def test_a_step_that_was_not_acknowledged_is_offered_again() -> None:
    async with talking() as (node, chain):
        link = Link(node.ws, chain=CHAIN, provider="node")
        heads = Heads(link.heads, Evm(link.heads, chain=CHAIN), cursor=await chain.head(), every=0.05)
        await chain.speak(2)
        running = asyncio.create_task(link.run())
        offered = []
        async with contextlib.aclosing(heads.follow()) as steps:
            async for step in steps:
                assert isinstance(step, Ingested)
                offered.append(step.block.position.height)
                if len(offered) >= 3:
                    heads.acknowledge(step)
                if len(offered) == 4:
                    break
        assert offered == [2, 2, 2, 3]
        with pytest.raises(ValueError, match="offered last"):
            heads.acknowledge(step)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_blocks_come_with_their_transactions_in_full_where_asked() -> None:
    async with talking() as (node, chain), following(node.ws, await chain.head(), bodies=True) as followed:
        await chain.speak(2)
        await followed.settled(chain)
        block = followed.ledger.blocks[3].block
        assert [body.id for body in block.bodies] == list(block.transactions)
        assert block.bodies[0].input.endswith("02")
        assert followed.ledger.blocks[3].opening.transactions == 1


async def test_killing_the_node_and_starting_it_again_loses_nothing(tmp_path: Path) -> None:
    state, port = tmp_path / "state.json", free_port()
    saved = ("--state", str(state), "--state-interval", "1")
    node = await Anvil.start(*saved, port=port)
    chain = await TalkingChain.on(node)
    async with following(node.ws, Position(0, await _genesis(chain))) as followed:
        await chain.speak(6)
        await followed.settled(chain)
        height = (await chain.head()).height
        while not state.exists() or f'"{hex(height)}"' not in state.read_text():  # noqa: ASYNC110 - the node writes when it likes
            await asyncio.sleep(0.2)
        node.process.kill()
        await node.process.wait()
        await chain.close()
        await followed.until(lambda: not followed.link.state.up)
        node = await Anvil.start(*saved, port=port)
        try:
            chain = await TalkingChain.on(node)
            await chain.speak(4)
            await followed.settled(chain)
            assert sorted(followed.ledger.blocks) == list(range(1, height + 5))
            assert followed.heads.trouble is None
        finally:
            await chain.close()
            await node.stop()


async def _genesis(chain: TalkingChain) -> str:
    return str((await chain.rpc.call("eth_getBlockByNumber", ("0x0", False), timeout=5))["hash"])
