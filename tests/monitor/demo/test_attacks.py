"""With nobody watching, every attack of the show works: the money is gone."""

import asyncio

import pytest

from monitor.demo.attacks import held, launch, loss
from monitor.demo.relay import Relay
from monitor.demo.scenery import CROSS_FUNCTION, FLASH_LOAN, REENTRANCY, SWEEPS
from monitor.demo.staging import AGE
from monitor.demo.traffic import Traffic
from monitor.demo.treasury import Treasury
from tests.support.show import Scene, call_tree, scene

LEAST_LOSS = {REENTRANCY: 0.95, FLASH_LOAN: 0.95, CROSS_FUNCTION: 0.02}


async def test_each_public_attack_takes_the_money_in_one_transaction() -> None:
    async with scene(count=3) as show:
        public = [attack for attack in show.stage.attacks if not attack.private]
        assert {attack.name for attack in public} == set(LEAST_LOSS)
        for attack in public:
            before = await held(attack, show.wallet)
            receipt = await show.wallet.receipt(await launch(attack, show.wallet))
            assert receipt["status"] == "0x1", attack.name
            assert (await loss(attack, show.wallet, before)).share >= LEAST_LOSS[attack.name]


async def test_attacks_work_in_the_middle_of_honest_traffic() -> None:
    async with scene(count=6, private=False) as show:
        traffic = Traffic(show.wallet, show.stage, seed=5)
        await show.by_hand()
        for attack in show.stage.attacks:
            await traffic.burst(20)
            before = await held(attack, show.wallet)
            robbery = await launch(attack, show.wallet)
            await show.mine()
            assert (await show.wallet.receipt(robbery))["status"] == "0x1", attack.name
            gone = await loss(attack, show.wallet, before)
            assert gone.share >= 0.9 * LEAST_LOSS[attack.name]  # what traffic puts in after the attack is not the attacker's


async def test_only_the_attack_on_one_function_goes_deep() -> None:
    async with scene(count=3, private=False) as show:
        trees = {a: await call_tree(show.wallet, await launch(a, show.wallet)) for a in show.stage.attacks}
        depth = {attack.name: _entries(tree, attack.victim) for attack, tree in trees.items()}
        assert depth[REENTRANCY] > 20
        assert depth[CROSS_FUNCTION] == 2
        assert depth[FLASH_LOAN] == 1


async def test_without_a_rescue_the_private_attack_leaves_nothing() -> None:
    async with scene(count=0) as show, Relay(show.anvil.port) as relay:
        (attack,) = show.stage.attacks
        treasury, before = Treasury(show.wallet, show.stage, attack.integration), await held(attack, show.wallet)
        assert await treasury.begin() == before // 10
        shares = []
        for _ in range(SWEEPS):
            assert (await show.wallet.receipt(await launch(attack, show.wallet, relay)))["status"] == "0x1"
            shares.append((await loss(attack, show.wallet, before)).share)
        assert shares == pytest.approx([0.3, 0.6, 0.9, 1.0])
        assert await treasury.saved_share(None) == pytest.approx(0.0)


async def test_a_rescue_after_the_first_private_block_saves_what_is_left() -> None:
    async with scene(count=0) as show, Relay(show.anvil.port) as relay:
        (attack,) = show.stage.attacks
        treasury = Treasury(show.wallet, show.stage, attack.integration)
        await treasury.begin()
        assert (await show.wallet.receipt(await launch(attack, show.wallet, relay)))["status"] == "0x1"
        await show.by_hand()
        second = await launch(attack, show.wallet, relay)
        rescue = await treasury.rescue()
        await show.mine()
        rescued, robbed = await asyncio.gather(show.wallet.receipt(rescue), show.wallet.receipt(second))
        assert rescued["blockNumber"] == robbed["blockNumber"]
        assert int(rescued["transactionIndex"], 16) < int(robbed["transactionIndex"], 16)
        assert await treasury.saved_share(rescue) == pytest.approx(0.7)


async def test_a_private_attack_is_refused_without_the_relay_that_hides_it() -> None:
    async with scene(count=0) as show:
        with pytest.raises(ValueError, match="needs the relay"):
            await launch(show.stage.attacks[0], show.wallet)


async def test_protocols_are_old_and_attackers_are_new() -> None:
    async with scene(count=3) as show:
        head = int((await show.node.call("eth_getBlockByNumber", ["latest", False]))["timestamp"], 16)
        protocols = [await _age(show, head, integration.victim) for integration in show.stage.integrations]
        attackers = [await _age(show, head, attack.contract) for attack in show.stage.attacks]
        assert min(protocols) > AGE * 0.9
        assert max(attackers) < 3600
        assert not {attack.contract for attack in show.stage.attacks} & set(show.stage.trusted)


async def _age(show: Scene, head: int, address: str) -> int:
    """Seconds since the block that deployed `address`, found by bisection."""
    low, high = 0, int(await show.node.call("eth_blockNumber", []), 16)
    while low < high:
        middle = (low + high) // 2
        if await show.node.call("eth_getCode", [address, hex(middle)]) == "0x":
            low = middle + 1
        else:
            high = middle
    block = await show.node.call("eth_getBlockByNumber", [hex(low), False])
    return head - int(block["timestamp"], 16)


def _entries(frame: dict[str, object], victim: str, nested: int = 0) -> int:
    """How many calls into `victim` are open at once, at most."""
    nested += frame["to"] == victim
    return max([nested, *(_entries(call, victim, nested) for call in frame.get("calls", []))])  # type: ignore[attr-defined]
