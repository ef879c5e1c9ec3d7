"""Honest traffic is honest: everything it sends is mined and succeeds, and it stops where the flag says so."""

import asyncio

from monitor.demo.scenery import REENTRANCY
from monitor.demo.traffic import Traffic
from tests.support.show import scene


async def test_ten_blocks_of_traffic_without_a_revert_and_without_a_hole_in_any_pot() -> None:
    async with scene(count=2) as show:
        traffic = Traffic(show.wallet, show.stage, seed=7)
        pots = [(c.address, asset) for i in show.stage.integrations for c in i.contracts for asset in c.assets]
        before = [await show.wallet.holding(*pot) for pot in pots]
        await show.by_hand()
        for _ in range(10):
            await traffic.burst(30)
            await show.mine()
        mined = [await show.wallet.receipt(tx) for tx in traffic.sent]
        assert len(mined) == 300
        assert await traffic.reverted() == []
        after = [await show.wallet.holding(*pot) for pot in pots]
        assert all(now > 0.8 * then for now, then in zip(after, before, strict=True))


async def test_traffic_runs_until_it_is_stopped() -> None:
    async with scene(count=1) as show:
        stop, asked = asyncio.Event(), []

        def ask(integration: str) -> bool:
            asked.append(integration)
            if len(asked) == 5:
                stop.set()
            return True

        await Traffic(show.wallet, show.stage, seed=4, may_use=ask).run(stop, every=0.01)
        assert len(asked) == 5


async def test_every_operation_the_show_promises_is_sent_and_succeeds() -> None:
    async with scene(count=2) as show:
        traffic = Traffic(show.wallet, show.stage, seed=3)
        while len(set(traffic.sent.values())) < 16 and len(traffic.sent) < 2_000:
            await traffic.one()
        assert set(traffic.sent.values()) == {
            "swap ether for dollars", "swap dollars for ether", "flash swap", "remove liquidity", "remove much liquidity",
            "add liquidity", "deposit ether", "withdraw ether", "deposit dollars", "redeem shares", "buy coins", "sell coins",
            "pledge coins", "borrow", "repay", "take coins back",
        }  # fmt: skip
        assert await traffic.reverted() == []


async def test_a_burst_fills_one_block() -> None:
    async with scene(count=2) as show:
        traffic = Traffic(show.wallet, show.stage, seed=2)
        await show.by_hand()
        sent = await traffic.burst(200)
        await show.mine()
        mined = {(await show.wallet.receipt(tx))["blockNumber"] for tx in sent}
        assert len(sent) == 200
        assert len(mined) == 1
        assert await traffic.reverted() == []


async def test_the_same_seed_chooses_the_same_operations() -> None:
    courses = []
    for _ in range(2):
        async with scene(count=1, private=False) as show:
            traffic = Traffic(show.wallet, show.stage, seed=11)
            for _ in range(25):
                await traffic.one()
            courses.append(list(traffic.sent.values()))
    assert courses[0] == courses[1]


async def test_a_paused_integration_gets_no_more_traffic() -> None:
    async with scene(count=1, private=False) as show:
        paused = show.stage.attacks[0]
        assert paused.name == REENTRANCY
        traffic = Traffic(show.wallet, show.stage, seed=1, may_use=lambda integration: integration != paused.integration)
        for _ in range(60):
            await traffic.one()
        assert traffic.sent
        assert not {"deposit ether", "withdraw ether"} & set(traffic.sent.values())
