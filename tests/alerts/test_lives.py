"""Whatever happens in between (crashes, blindness, storms), nothing stays untold, and nobody hears of one beginning twice."""

import asyncio
import time
from typing import ClassVar

from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.base import Channel, Kind, Notification, Sight
from alerts.outbox import MemoryOutbox
from alerts.pager import Pager
from alerts.render import sight
from tests.support.notices import told

CHAIN, NAMES = "eip155:1", ("aave", "compound", "maker")
STEPS = st.lists(st.sampled_from([*NAMES, "ada aave", "ada compound", "crash", "blind", "see", "look"]), max_size=14)


class Paper(Channel):
    """Writes down what it is told."""

    name: ClassVar[str] = "paper"
    summary: ClassVar[str] = "For this test."

    def __init__(self, *, sheet: list[Notification]) -> None:
        self.sheet = sheet

    async def send(self, notification: Notification) -> None:
        """Write it down."""
        self.sheet.append(notification)


class World:
    """A journal of decisions, an outbox that outlives the pagers over it, and what was told."""

    def __init__(self, calm: int) -> None:
        self.calm = calm
        self.journal: list[Notification] = []
        self.sheet: list[Notification] = []
        self.box = MemoryOutbox()
        self.blind = False
        self.now = time.time()

    def paused(self, name: str) -> bool:
        """Is it, by the newest decision?"""
        mine = [one for one in self.journal if one.labels["integration"] == name]
        return bool(mine) and not mine[-1].resolved

    async def begin(self) -> None:
        """A life: take up what was told, then whatever the journal has beyond it, as a daemon does."""
        channels = {"paper": Paper(sheet=self.sheet)}
        self.pager = Pager(channels, self.box, lambda _: None, calm=self.calm, blind=lambda _: self.blind)
        mark = await self.pager.restore("7")
        self.running = asyncio.create_task(self.pager.run())
        for sequence, one in enumerate(self.journal, 1):
            if sequence > (mark or 0):
                await self.pager.tell(one, sequence)
        await self.pager.caught_up(len(self.journal))

    async def crash(self) -> None:
        """What only memory held is gone."""
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    async def step(self, what: str) -> None:
        """One thing that happens."""
        self.now += 7.0
        if what == "crash":
            await self.crash()
            await self.begin()
        elif what == "look":
            await self.pager.look(self.now)
        elif what in {"blind", "see"}:
            if (what == "blind") is not self.blind:
                self.blind = what == "blind"
                news = Sight(chain=CHAIN, blind=self.blind, at=self.now, since=self.now, reason="heads", integrations=NAMES)
                await self.pager.tell(sight(news))
        else:
            by, _, name = what.rpartition(" ")
            sequence, paused = len(self.journal) + 1, self.paused(name)
            states = ("closed", "open") if paused else ("open", "closed")
            author = f"human:{by}" if by else "policy:standard"
            self.journal.append(told(*states, integration=name, revision=sequence, at=self.now, by=author))
            await self.pager.tell(self.journal[-1], sequence)

    async def end(self) -> None:
        """The chain is seen, the storm is told of, and everything is delivered."""
        await self.step("see")
        for _ in range(6):
            await self.step("look")
        async with asyncio.timeout(10):
            while self.box.pending():  # noqa: ASYNC110 - the outbox tells nobody when it is empty
                await asyncio.sleep(0)
        await self.crash()
        await self.pager.close()


async def lived(steps: list[str], calm: int) -> World:
    """A world in which this has happened."""
    world = World(calm)
    await world.begin()
    for step in steps:
        await world.step(step)
    await world.end()
    return world


def heard(world: World, name: str) -> list[Notification]:
    """What was told of this integration by itself, each thing once."""
    return list({one.id: one for one in world.sheet if one.labels.get("integration") == name}.values())


@given(STEPS, st.sampled_from([1, 2, 50]))
@example(["aave", "aave", "aave"], 1)  # its end waited in a storm that its beginning did not wait in
@example(["aave", "compound", "aave", "crash"], 1)  # told with the next alert's books, and to nobody
@example(["blind", "aave", "ada aave", "see"], 50)  # ended by a person, and told as standing afterwards
@settings(max_examples=120, deadline=None)
def test_what_stands_is_known_what_ended_has_ended_and_nothing_begins_twice(steps: list[str], calm: int) -> None:
    world = asyncio.run(lived(steps, calm))
    together = "\n".join(one.body for one in world.sheet if one.kind is Kind.STORM)
    for name in NAMES:
        mine = heard(world, name)
        last = next((one for one in reversed(world.journal) if one.labels["integration"] == name), None)
        known = {one.id for one in mine}
        if last is not None and not last.resolved:
            assert last.id in known or f"{name} PAUSED" in together, "it stands, and nobody knows"
        begun = {one.incident for one in mine if not one.resolved}
        ended = {one.incident for one in mine if one.resolved}
        open_now = {last.id} if last is not None and not last.resolved else set()
        assert begun - ended <= open_now or f"{name} usable again" in together, "it ended, and somebody still waits for that"
        openings = [one for one in mine if one.kind is Kind.OPENED]
        assert len(openings) == len({one.incident for one in openings}), "one beginning for each incident"


@given(STEPS)
@example(["blind", "aave", "aave"])  # began and ended out of sight, and was told by the next life
@settings(max_examples=40, deadline=None)
def test_a_life_that_only_restarts_adds_nothing(steps: list[str]) -> None:
    def told_in(extra: list[str]) -> list[tuple[str, str]]:
        sheet = asyncio.run(lived([*steps, "see", "look", *extra], 50)).sheet
        return sorted((one.key, one.kind) for one in {one.id: one for one in sheet}.values())

    assert told_in(["crash"] * 3) == told_in([])
