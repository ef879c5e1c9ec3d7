"""What a daemon's next life tells of blindness, fees, acknowledgements: no second beginning, and the end that is still owed."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from alerts.channels.webhook import Webhook
from alerts.outbox import MemoryOutbox, Outbox
from alerts.pager import Pager
from monitor.breaker.desk import Made
from monitor.breaker.flags import FlagBoard, Spec
from monitor.breaker.holds import Decision, State
from monitor.breaker.machine import Breaker, apply
from monitor.breaker.people import Order, pause, resume
from monitor.breaker.timing import Acknowledged
from monitor.notices import FEES_CONFIRMED_WITHIN, Notices, Places
from monitor.windows import Windows
from tests.support.findings import BANK, CHAIN, finding, position
from tests.support.receivers import Receiver, receiver, until

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
JOURNAL = "1795564605221"


class Life:
    """A daemon's life as far as people hear of it."""

    def __init__(self, hook: Receiver, box: Outbox) -> None:
        channel = Webhook(url=hook.url, secret=SECRET, allow_private=True)
        self.board = FlagBoard([Spec(integration="bank", chain=CHAIN, blind_after=60.0)], epoch=1)
        self.pager = Pager({"hook": channel}, box, lambda _: None)
        self.notices = Notices(self.pager, self.board, {"bank": CHAIN}, lambda: "", Places())
        self.breaker = Breaker(integration="bank")
        self.made: list[Made] = []

    def sees(self) -> None:
        """A head comes."""
        self.board.beat()
        self.board.saw_head(CHAIN, position(10), time.time())

    def decides(self, decision: Decision | None) -> Made:
        """A decision is in force."""
        assert decision is not None
        self.breaker = apply(self.breaker, decision, len(self.made) + 1)
        self.made.append(Made(decision, self.breaker, len(self.made) + 1))
        self.notices.told(self.made[-1])
        return self.made[-1]


@asynccontextmanager
async def life(hook: Receiver, box: Outbox) -> AsyncIterator[Life]:
    """One life, from its restart to its end, by which everything is told."""
    one = Life(hook, box)
    await one.notices.resume(JOURNAL, lambda: len(one.made))
    one.notices.resumed()
    running = asyncio.create_task(one.notices.run())
    try:
        yield one
        await asyncio.sleep(0.05)
        assert await one.pager.delivery.drain(20)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await one.pager.close()


def kinds(hook: Receiver) -> list[str]:
    """What the webhook was told, by kind."""
    return [json.loads(got.body)["type"] for got in hook.received]


async def test_a_chain_that_stays_blind_over_a_restart_is_told_blind_once_and_seen_again_once() -> None:
    box = MemoryOutbox()
    async with receiver() as hook:
        async with life(hook, box) as first:
            first.sees()
            first.notices.look(time.time())
            first.board.blind_now(CHAIN, "the node went away")
            first.notices.look(time.time())
            await hook.wait_for(1)
        async with life(hook, box) as second:
            second.board.beat()
            second.notices.look(time.time())  # no head yet: still blind, and told already
            await asyncio.sleep(0.1)
            assert kinds(hook) == ["chain.blind"]
            second.sees()
            second.notices.look(time.time())
            await hook.wait_for(2)
    assert kinds(hook) == ["chain.blind", "chain.recovered"]
    since = [json.loads(got.body)["data"]["since"] for got in hook.received]
    assert since[0] == since[1], "one incident"


async def test_a_blind_chain_is_told_though_what_stands_on_it_is_paused() -> None:
    async with receiver() as hook, life(hook, MemoryOutbox()) as one:
        one.sees()
        one.board.publish(one.decides(pause(one.breaker, Order(who="ada", reason="drill"), time.time())).breaker)
        one.notices.look(time.time())
        await hook.wait_for(1)
        one.board.blind_now(CHAIN, "the node went away")
        one.notices.look(time.time())
        await hook.wait_for(2)
    assert kinds(hook) == ["breaker.forced", "chain.blind"]
    assert "no integration" in json.loads(hook.received[1].body)["data"]["body"], "what is paused does not read unknown"


async def test_fees_off_their_forecast_before_a_restart_end_by_themselves_when_nobody_sees_them_off_after_it() -> None:
    box, odd = MemoryOutbox(), finding(0.6, detector="gas", kind="congestion")
    async with receiver() as hook:
        async with life(hook, box) as first:
            first.notices.fees(CHAIN, odd)
            await hook.wait_for(1)
        async with life(hook, box) as second:
            second.notices.fees(CHAIN, odd)  # still off: nobody is told again
            second.notices.look(time.time() + FEES_CONFIRMED_WITHIN + 1)
        async with life(hook, box) as third:
            third.notices.look(time.time() + FEES_CONFIRMED_WITHIN - 1)
            await asyncio.sleep(0.1)
            assert len(hook.received) == 1
            third.notices.look(time.time() + FEES_CONFIRMED_WITHIN + 1)
            await hook.wait_for(2)
    assert [json.loads(got.body)["data"]["resolved"] for got in hook.received] == [False, True]


async def test_acknowledging_an_incident_that_is_over_takes_up_nothing_that_came_after_it() -> None:
    async with receiver() as hook, life(hook, MemoryOutbox()) as one:
        windows = Windows({"bank": [BANK]}, {"bank": CHAIN}, lambda: one.made)

        async def keep(_: object) -> None:
            """Nothing is kept."""

        one.notices.reconcile(windows, keep)
        first = one.decides(pause(one.breaker, Order(who="ada", reason="drill"), time.time()))
        one.decides(resume(one.breaker, Order(who="ada", reason="over"), time.time()))
        assert one.breaker.state is State.CLOSED
        second = one.decides(pause(one.breaker, Order(who="ada", reason="again"), time.time()))
        await hook.wait_for(3)
        for made, taken in ((first, None), (second, "human:bob")):
            news = Acknowledged(incident=made.decision.id, integration="bank", at=time.time(), by="human:bob")
            one.notices.acknowledged(news)
            await asyncio.sleep(0.1)
            standing = one.pager.standing("breaker/bank")
            assert standing is not None
            assert (standing.taken and standing.taken.by) == taken
        await until(lambda: len(hook.received) == 4)
    assert kinds(hook)[-1] == "incident.acknowledged"


async def test_a_life_without_books_tells_what_stands_and_only_that() -> None:
    async with receiver() as hook:
        one = Life(hook, MemoryOutbox())
        await one.notices.resume(JOURNAL, lambda: len(one.made) + 1)
        one.decides(pause(one.breaker, Order(who="ada", reason="drill"), time.time()))
        one.decides(resume(one.breaker, Order(who="ada", reason="over"), time.time()))
        standing = one.decides(pause(one.breaker, Order(who="ada", reason="again"), time.time()))
        one.notices.resumed()
        running = asyncio.create_task(one.notices.run())
        await hook.wait_for(1)
        await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await one.pager.close()
    [told] = [json.loads(got.body)["data"] for got in hook.received]
    assert (told["to"], told["reason"]) == (standing.decision.after, "again")
