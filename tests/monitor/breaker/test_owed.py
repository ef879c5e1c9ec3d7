"""Pauses on their way into the journal: shown until it has them, whatever it takes first, and paid as the breaker then stands."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from detectors.base import Finding
from detectors.events import Stage
from monitor.breaker import desk as desks
from monitor.breaker.desk import Desk
from monitor.breaker.flags import Shown
from monitor.breaker.fold import Cursor, Note
from monitor.breaker.holds import Decision, State
from monitor.breaker.orders import Orders, Wanted
from monitor.breaker.people import Order
from monitor.breaker.policy import Rules, judge
from monitor.errors import JournalError
from monitor.journal.reserve import Reserve
from tests.monitor.breaker.test_desk import a_desk, order
from tests.support.findings import CHAIN, finding, position

OVER = Wanted(order=Order(who="alice", reason="over"), principal="t")


def seen(desk: Desk, found: Finding) -> Callable[[], tuple[Sequence[Decision], Sequence[Note]]]:
    """What policy makes of it, on the breaker as it stands when it is asked."""

    def propose() -> tuple[Sequence[Decision], Sequence[Note]]:
        decision, _ = judge(desk.fold.breaker("bank"), [found], Rules(), found.at, 10, "default")
        return ([decision] if decision else []), []

    return propose


async def test_a_shown_pause_stays_shown_while_a_release_before_it_is_recorded(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, journal):
        orders, states = Orders(desk), []
        await orders.pause("bank", order(1))
        journal.disk.clear()
        before = asyncio.create_task(desk.advance(Cursor(CHAIN, position(1)), time.time()))
        await asyncio.sleep(0)
        release = asyncio.create_task(orders.release("bank", OVER))
        await asyncio.sleep(0)
        after = asyncio.create_task(desk.advance(Cursor(CHAIN, position(2)), time.time()))
        await asyncio.sleep(0)
        attack = seen(desk, finding(stage=Stage.PENDING, at=time.time()))
        changed = desk.board.subscribe()
        with desk.showing(attack()[0]):
            robbed = asyncio.create_task(desk.decide(attack))
            journal.disk.set()
            await release
            states.append(desk.board.read()["bank"].state)
            assert desk.fold.breaker("bank").state is State.CLOSED, "the release is recorded, the attack is not yet"
            await asyncio.gather(before, after, robbed)
        states.append(desk.board.read()["bank"].state)
        assert (states, changed.is_set(), desk.fold.breaker("bank").state) == ([Shown.PAUSE] * 2, True, State.OPEN)


async def test_an_ordered_pause_stays_shown_while_a_release_before_it_is_recorded(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, journal):
        orders = Orders(desk)
        await orders.pause("bank", order(1))
        journal.disk.clear()
        release = asyncio.create_task(orders.release("bank", OVER))
        await asyncio.sleep(0)
        pause = asyncio.create_task(orders.pause("bank", order(2)))
        await asyncio.sleep(0)
        journal.disk.set()
        await release
        assert desk.board.read()["bank"].state is Shown.PAUSE
        assert await pause
        assert [hold.source for hold in desk.fold.breaker("bank").holds.values()] == ["human:person 2"]
        assert not desk.board.read()["bank"].pending


async def test_what_was_shown_for_nothing_is_shown_no_longer(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, _):
        with desk.showing(seen(desk, finding(stage=Stage.PENDING, at=time.time()))()[0]):
            assert desk.board.read()["bank"].paused
        desk.board.beat()
        assert desk.board.read()["bank"].breaker == "closed"
        assert not desk.board.read()["bank"].pending


async def test_an_owed_pause_is_decided_anew_after_a_release_that_the_disk_took_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks, "APPEND_WITHIN", 0.1)
    async with a_desk(tmp_path) as (desk, journal):
        orders = Orders(desk)
        await orders.pause("bank", order(1))
        journal.disk.clear()
        with pytest.raises(JournalError, match="has not answered"):
            await orders.release("bank", OVER)
        assert not await orders.pause("bank", order(2))
        journal.disk.set()
        while journal.head < 2:  # noqa: ASYNC110 - a thread writes
            await asyncio.sleep(0.01)
        await desk.pay()
        assert [hold.source for hold in desk.fold.breaker("bank").holds.values()] == ["human:person 2"]
        assert (desk.owed, desk.board.read()["bank"].state) == ([], Shown.PAUSE)


async def test_an_owed_pause_that_makes_a_feared_one_certain_is_paid(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (desk, journal):
        now = time.time()
        await desk.decide(seen(desk, finding(stage=Stage.PENDING, at=now)))
        journal.full = True
        with pytest.raises(JournalError):
            await desk.decide(seen(desk, finding(stage=Stage.INCLUDED, at=now + 12)))
        journal.full = False
        await desk.pay()
        (hold,) = desk.fold.breaker("bank").holds.values()
        assert (desk.owed, hold.stage) == ([], Stage.INCLUDED)


async def test_an_order_given_again_on_a_full_disk_outlives_the_process_though_the_first_was_released(tmp_path: Path) -> None:
    again = Order(who="runbook", reason="oracle down", key="oracle-down")
    async with a_desk(tmp_path) as (desk, journal):
        desk.reserve = Reserve.open(journal.path)
        orders = Orders(desk)
        assert await orders.pause("bank", again)
        await orders.release("bank", OVER)
        journal.full = True
        assert not await orders.pause("bank", again)
        desk.reserve.close()
    async with a_desk(tmp_path) as (desk, journal):
        desk.reserve = Reserve.open(journal.path)
        desk.restore(journal.read(1))
        assert (len(desk.owed), desk.board.read()["bank"].state) == (1, Shown.PAUSE)
        await desk.pay()
        assert (desk.owed, desk.reserve.kept, desk.fold.breaker("bank").state) == ([], [], State.FORCED_OPEN)
