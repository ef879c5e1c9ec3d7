"""What a false pause costs whoever wants one: the smallest honest deed that trips, searched for on a real chain."""

from collections.abc import Awaitable, Callable

import msgspec

from tests.scenarios import ways
from tests.scenarios.scenario import Scenario, Staged, holdings
from tests.scenarios.world import ETHER, World

HELD = 1_000
"""Ether that the contract holds, the tripper's share included."""

STEPS = 8


class Trip(msgspec.Struct, frozen=True):
    """`share` of the contract's holdings that must be one's own and be taken out to cause a pause; None: up to 0.6 none does."""

    what: str
    stage: str
    share: float | None


async def _plain(world: World, share: float) -> Staged:
    bank, user = await _bank(world, share)
    own = int(HELD * share * ETHER)
    return Staged(watch=(holdings(bank),), blocks=[[world.tx(user, bank, "GoodBank.withdraw", own)]])


async def _nested(world: World, share: float) -> Staged:
    bank, user = await _bank(world, 0.0)
    saver = await world.deploy("EagerSaver", by=user)
    own = int(HELD * share * ETHER)
    await world.do(user, saver, "EagerSaver.put", bank, value=own)
    return Staged(watch=(holdings(bank),), blocks=[[world.tx(user, saver, "EagerSaver.take", bank, 4, own // 4)]])


async def _bank(world: World, share: float) -> tuple[str, str]:
    bank, user = await world.deploy("GoodBank"), world.users[5]
    await world.do(world.users[0], bank, "GoodBank.deposit", value=int(HELD * (1 - share) * ETHER))
    if share:
        await world.do(user, bank, "GoodBank.deposit", value=int(HELD * share * ETHER))
    return bank, user


DEEDS: dict[str, Callable[[World, float], Awaitable[Staged]]] = {
    "one's own deposit withdrawn, of a contract watched as `holdings`": _plain,
    "the same in four nested payments, books in order": _nested,
}


async def trips(seed: int) -> list[Trip]:
    """The smallest share for each deed, announced and mined, to within a four-hundredth."""
    found = []
    for what, stage in DEEDS.items():
        for way in (ways.PENDING, ways.MINED):
            low, high = 0.0, 0.6
            if not await _paused(what, stage, high, way, seed):
                found.append(Trip(what, way, None))
                continue
            for _ in range(STEPS):
                middle = (low + high) / 2
                low, high = (low, middle) if await _paused(what, stage, middle, way, seed) else (middle, high)
            found.append(Trip(what, way, round(high, 3)))
    return found


async def _paused(what: str, stage: Callable[[World, float], Awaitable[Staged]], share: float, way: str, seed: int) -> bool:
    async def staged(world: World) -> Staged:
        return await stage(world, share)

    deed = Scenario(number="0", name=what, family="benign", kinds=frozenset(), stage=staged)
    outcomes = await ways.run(deed, 0, ways=(ways.PENDING, ways.MINED), seed=seed)
    return any(one.paused or one.false == "pause" for one in outcomes if one.way == way)
