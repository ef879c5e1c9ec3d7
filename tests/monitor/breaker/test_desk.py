"""Orders that come together: shown at once, written together, and none of them lost with another's caller."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from monitor.breaker.desk import Desk
from monitor.breaker.flags import FlagBoard, Shown, Spec
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Decision, Mode, State
from monitor.breaker.orders import Orders
from monitor.breaker.people import Order
from monitor.errors import JournalError
from monitor.journal.base import Outcome, Request
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from tests.support.findings import CHAIN

NAMES = ("bank", "pool", "vault")


class Watched(SqliteJournal):
    """A journal whose disk answers when it is let, and that counts its commits."""

    def commit(self, requests: Sequence[Request]) -> list[Outcome]:
        """Wait for the disk."""
        self.commits = getattr(self, "commits", 0) + 1
        self.disk.wait(10)
        if self.full:
            raise JournalError(f"append to {self.path}: the disk is full")
        return super().commit(requests)

    disk: threading.Event
    commits: int
    full: bool


@asynccontextmanager
async def a_desk(folder: Path) -> AsyncIterator[tuple[Desk, Watched]]:
    journal = Watched.open(folder / "journal.db")
    journal.disk, journal.commits, journal.full = threading.Event(), 0, False
    journal.disk.set()
    async with AsyncJournal(journal) as keeper:
        fold = Fold(dict.fromkeys(NAMES, Mode.ENFORCE))
        board = FlagBoard([Spec(integration=name, chain=CHAIN, blind_after=60.0) for name in NAMES], epoch=keeper.epoch)
        desk = Desk(fold, board, keeper, lambda _: None)
        try:
            yield desk, journal
        finally:
            journal.disk.set()


def order(number: int) -> Order:
    return Order(who=f"person {number}", reason=f"drill {number}")


def states(desk: Desk) -> list[Shown]:
    return [flag.state for flag in desk.board.read().values()]


async def test_a_hundred_orders_at_once_wait_for_a_few_commits(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, journal):
        orders = Orders(desk)
        journal.disk.clear()
        waiting = [asyncio.create_task(orders.pause(NAMES[number % 3], order(number))) for number in range(100)]
        await asyncio.sleep(0.05)
        journal.disk.set()
        assert await asyncio.gather(*waiting) == [True] * 100
        assert journal.commits <= 3
        assert {name: len(desk.fold.breaker(name).holds) for name in NAMES} == {"bank": 34, "pool": 33, "vault": 33}
        written = [record.read(Decision) for record in journal.read(1)]
        assert [one.before for one in written].count(State.CLOSED) == 3, "each decided on what the one before left"
        assert [made.revision for made in desk.made] == list(range(1, 101))


async def test_an_order_shows_while_the_disk_is_busy_with_another(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, journal):
        orders = Orders(desk)
        journal.disk.clear()
        first = asyncio.create_task(orders.pause("bank", order(1)))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(orders.pause("pool", order(2)))
        await asyncio.sleep(0)
        assert states(desk) == [Shown.PAUSE, Shown.PAUSE, Shown.UNKNOWN]
        assert desk.board.read()["pool"].pending
        journal.disk.set()
        assert (await first, await second) == (True, True)
        assert not desk.board.read()["pool"].pending


async def test_an_order_whose_caller_is_gone_is_carried_out_and_so_are_those_with_it(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, journal):
        orders = Orders(desk)
        journal.disk.clear()
        gone = asyncio.create_task(orders.pause("bank", order(1)))
        stays = asyncio.create_task(orders.pause("pool", order(2)))
        await asyncio.sleep(0.05)
        gone.cancel()
        await asyncio.sleep(0)
        journal.disk.set()
        assert await stays
        assert [len(desk.fold.breaker(name).holds) for name in NAMES] == [1, 1, 0]


async def test_on_a_full_disk_each_is_told_shown_and_owed(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, journal):
        orders = Orders(desk)
        journal.full = True
        assert await asyncio.gather(*(orders.pause(name, order(1)) for name in NAMES)) == [False] * 3
        assert (states(desk), sorted(one.integration for one in desk.owed)) == ([Shown.PAUSE] * 3, sorted(NAMES))
        journal.full = False
        await desk.pay()
        assert [len(desk.fold.breaker(name).holds) for name in NAMES] == [1, 1, 1]


async def test_the_same_order_twice_at_once_is_one_hold(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        orders, same = Orders(desk), Order(who="bot", reason="drill", automated=True, key="k")
        assert all(await asyncio.gather(orders.pause("bank", same), orders.pause("bank", same)))
        assert len(desk.fold.breaker("bank").holds) == 1
