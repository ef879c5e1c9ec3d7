"""What a false pause costs whoever wants one: the smallest honest deed that trips, searched for on a real chain."""

from collections.abc import Awaitable, Callable

import msgspec

from detectors.base import PAUSE_AT
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
    by: tuple[str, ...] = ()
    """The detectors that paused at that share."""


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


MOST = 2 * len(DEEDS) * (STEPS + 1)
"""Attempts in all."""


async def trips(seed: int, tell: Callable[[], None] = lambda: None) -> list[Trip]:
    """The smallest share for each deed, announced and mined, to within a four-hundredth. `tell` is called after each attempt."""
    found = []
    for what, stage in DEEDS.items():
        for way in (ways.PENDING, ways.MINED):
            low, high = 0.0, 0.6
            by = await _paused(what, stage, high, way, seed)
            tell()
            if not by:
                found.append(Trip(what, way, None))
                continue
            for _ in range(STEPS):
                middle = (low + high) / 2
                if now := await _paused(what, stage, middle, way, seed):
                    high, by = middle, now
                else:
                    low = middle
                tell()
            found.append(Trip(what, way, round(high, 3), by))
    return found


async def _paused(
    what: str, stage: Callable[[World, float], Awaitable[Staged]], share: float, way: str, seed: int
) -> tuple[str, ...]:  # fmt: skip
    """Who pauses."""

    async def staged(world: World) -> Staged:
        return await stage(world, share)

    deed = Scenario(number="0", name=what, family="benign", kinds=frozenset(), stage=staged)
    outcomes = await ways.run(deed, 0, ways=(ways.PENDING, ways.MINED), seed=seed)
    return tuple(
        sorted({name for one in outcomes if one.way == way for name, confidence in one.false_by if confidence >= PAUSE_AT})
    )
