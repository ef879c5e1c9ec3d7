"""From a decision to the people who are to know."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from alerts.base import Kind, Notification, Outcome, Receipt, Sight
from alerts.channels.alertmanager import Alertmanager
from alerts.channels.webhook import Webhook
from alerts.group import Taken
from alerts.outbox import Entry, MemoryOutbox, Outbox, OutboxError, SqliteOutbox, Told
from alerts.pager import Pager
from alerts.render import sight
from alerts.route import Route, Routing
from alerts.storm import WINDOW
from tests.alerts.channels.test_webhook import SECRET
from tests.support.alertmanager import alertmanager, alerts
from tests.support.notices import finding, told
from tests.support.receivers import Receiver, receiver, until

CHAIN = "eip155:1"


def pager(receipts: list[Receipt], url: str, routing: Routing | None = None, outbox: Outbox | None = None) -> Pager:
    channels = {name: Webhook(url=f"{url}/{name}", secret=SECRET, allow_private=True) for name in ("day", "night")}
    return Pager(channels, outbox or MemoryOutbox(), receipts.append, routing=routing)


def kinds(got: Receiver) -> list[str]:
    """What the receiver was told, by kind."""
    return [json.loads(one.body)["type"] for one in got.received]


@asynccontextmanager
async def running(paging: Pager) -> AsyncIterator[Pager]:
    """A pager that delivers, until the block's end, by which everything owed must have been."""
    task = asyncio.create_task(paging.run())
    try:
        yield paging
        assert await paging.delivery.drain(20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await paging.close()


def one_channel(got: Receiver, outbox: Outbox, **options: object) -> Pager:
    """A pager with one webhook."""
    channel = Webhook(url=got.url, secret=SECRET, allow_private=True)
    return Pager({"hook": channel}, outbox, lambda _: None, **options)  # type: ignore[arg-type]


async def holds(base: str, notification: Notification) -> bool:
    """Does this Alertmanager hold just this alert?"""
    return [each["labels"] for each in await alerts(base)] == [notification.labels]


async def test_an_attack_of_many_findings_pages_once_and_ends_once() -> None:
    receipts: list[Receipt] = []
    night = Routing(routes=(Route(to=("night",), match={"severity": "critical"}), Route(to=("day",))))
    async with receiver() as hook, running(pager(receipts, hook.url, night)) as paging:
        for n in range(5):
            await paging.tell(told("open", "closed" if n == 0 else "open", revision=n, findings=(finding(id=str(n)),)))
        assert [each.key for each in paging.active("night")] == ["breaker/aave-v3"]
        assert list(paging.active("day")) == []
        await paging.tell(told("closed", "open", revision=9))
        assert list(paging.active("night")) == []
    assert [(got.path, json.loads(got.body)["type"]) for got in hook.received] == [
        ("/hook/night", "breaker.opened"),
        ("/hook/night", "breaker.closed"),
    ]
    assert [receipt.outcome for receipt in receipts] == [Outcome.OK] * 2


async def test_after_a_restart_what_was_told_is_not_told_again_and_what_was_not_is() -> None:
    box = MemoryOutbox()
    async with receiver() as hook:
        async with running(one_channel(hook, box)) as first:
            assert await first.restore("7") is None
            await first.tell(told(revision=1), 1)
        async with running(one_channel(hook, box)) as second:
            assert await second.restore("7") == 1
            assert await second.tell(told("open", "open", revision=2), 2) is None
            end = await second.tell(told("closed", "open", revision=3), 3)
        assert kinds(hook) == ["breaker.opened", "breaker.closed"]
        third = one_channel(hook, box)
        assert (await third.restore("7"), await third.restore("another journal")) == (3, None)
        assert third.standing("breaker/aave-v3") is None
        await third.close()
    assert isinstance(end, Notification)
    assert end.incident == told(revision=1).id


class Stumbling(MemoryOutbox):
    """An outbox whose disk does not take what is told of `compound`."""

    def put(self, entries: Sequence[Entry], told: Told | None = None) -> list[Entry]:
        """Refuse it."""
        if any(entry.notification.labels.get("integration") == "compound" for entry in entries):
            raise OutboxError("no space left")
        return super().put(entries, told)


async def test_what_no_disk_took_is_told_from_memory_and_looked_at_again_by_the_next_life() -> None:
    box = Stumbling()
    async with receiver() as hook:
        async with running(one_channel(hook, box)) as first:
            await first.restore("7")
            await first.tell(told(revision=1), 1)
            await first.tell(told(integration="compound", revision=2), 2)
            await first.tell(told(integration="maker", revision=3), 3)
            await first.caught_up(3)
        assert len(hook.received) == 3
        second = one_channel(hook, box)
        assert await second.restore("7") == 1
        assert second.standing("breaker/maker") is not None
        await second.close()


async def test_what_waits_in_a_storm_at_a_crash_is_told_by_the_next_life() -> None:
    box = MemoryOutbox()
    async with receiver() as hook:
        async with running(one_channel(hook, box, calm=1)) as first:
            await first.restore("7")
            await first.tell(told(revision=1), 1)
            assert await first.tell(told(integration="compound", revision=2), 2) is None
            await first.caught_up(2)
            first._storm = type(first._storm)()  # the crash: what only memory held is gone
        async with running(one_channel(hook, box)) as second:
            assert await second.restore("7") == 1, "the record before the first that was not told"
            assert second.standing("breaker/compound") is None
            assert await second.tell(told(integration="compound", revision=2), 2) is not None
    assert len(hook.received) == 2


async def test_an_alert_outlives_a_restart_of_ours_and_of_alertmanager(tmp_path: Path) -> None:
    receipts: list[Receipt] = []
    begun = told(at=time.time())

    def again(base: str) -> Pager:
        return Pager({"am": Alertmanager(urls=(base,))}, SqliteOutbox(tmp_path / "outbox"), receipts.append)

    async with receiver() as hook:
        async with alertmanager(tmp_path, hook.url) as base:
            for told_before in (False, True):
                paging = again(base)
                assert await paging.restore("7") == (1 if told_before else None)
                async with running(paging):
                    if not told_before:
                        await paging.tell(begun, 1)
                    await until(lambda: holds(base, begun))
        async with alertmanager(tmp_path, hook.url) as fresh:
            paging = again(fresh)
            await paging.restore("7")
            async with running(paging):
                await until(lambda: holds(fresh, begun))
    assert [receipt.outcome for receipt in receipts] == [Outcome.OK]


def blindness(at: float, *, blind: bool) -> Notification:
    """A chain's own alert, or its end."""
    return sight(Sight(chain=CHAIN, blind=blind, at=at, since=at, reason="no new head", integrations=("aave-v3",)))


async def test_a_blind_chain_keeps_its_detectors_alerts_back_and_says_afterwards_what_still_stands() -> None:
    box, back = MemoryOutbox(), list[Notification]()
    unseen = {"aave-v3", "compound"}
    async with receiver() as hook:
        options: dict[str, object] = {"blind": unseen.__contains__, "on_kept_back": back.append}
        async with running(one_channel(hook, box, **options)) as first:
            await first.restore("7")
            await first.tell(blindness(1_767_323_000.0, blind=True))
            assert await first.tell(told(revision=1), 1) is None
            assert await first.tell(told(integration="compound", revision=2), 2) is None
            assert await first.tell(told("closed", "open", integration="compound", revision=3), 3) is None
            by_hand = await first.tell(told("forced_open", by="human:alice", integration="compound", revision=4), 4)
            assert by_hand is not None, "what a person did is never kept back"
            await first.look(time.time())
        async with running(one_channel(hook, box, **options)) as second:
            assert await second.restore("7") == 0, "the record before the first that was kept back"
            assert await second.tell(told(revision=1), 1) is None
            unseen.clear()
            recovered = await second.tell(blindness(1_767_323_900.0, blind=False))
            assert recovered is not None
            assert (recovered.facts["kept_back"], recovered.facts["standing"]) == (1, 1)
    assert kinds(hook) == ["chain.blind", "breaker.forced", "chain.recovered", "breaker.opened"]
    assert "it still stands" in json.loads(hook.received[-1].body)["data"]["body"]
    assert [one.labels["integration"] for one in back] == ["aave-v3", "compound", "compound", "aave-v3"]


async def test_what_a_person_ended_meanwhile_is_not_told_as_standing_when_the_chain_is_seen_again() -> None:
    unseen = {"aave-v3"}
    async with receiver() as hook, running(one_channel(hook, MemoryOutbox(), blind=unseen.__contains__)) as paging:
        await paging.restore("7")
        await paging.tell(blindness(1_767_323_000.0, blind=True))
        assert await paging.tell(told(revision=1), 1) is None
        assert await paging.tell(told("closed", "open", by="human:ada", revision=2), 2) is not None
        unseen.clear()
        recovered = await paging.tell(blindness(1_767_323_900.0, blind=False))
        assert recovered is not None
        assert (recovered.facts["kept_back"], recovered.facts["standing"]) == (1, 0)
        await paging.caught_up(2)
        assert await paging.delivery.drain(20)
        assert await paging.restore("7") == 2
    assert sorted(kinds(hook)) == ["breaker.closed", "chain.blind", "chain.recovered"], "and no breaker.opened"


async def test_a_blindness_keeps_nothing_back_about_a_vital_integration_or_one_that_is_seen() -> None:
    async with receiver() as hook:
        paging = one_channel(hook, MemoryOutbox(), vital=["aave-v3"], blind={"aave-v3"}.__contains__)
        async with running(paging):
            await paging.tell(blindness(1_767_323_000.0, blind=True))
            assert await paging.tell(told(revision=1), 1) is not None
            assert await paging.tell(told(integration="compound", revision=2), 2) is not None
    assert kinds(hook) == ["chain.blind", "breaker.opened", "breaker.opened"]


async def test_what_nobody_takes_up_is_told_again_until_somebody_does_or_it_ends() -> None:
    begun = told()
    async with receiver() as hook, running(one_channel(hook, MemoryOutbox(), repeat=600.0)) as paging:
        await paging.tell(begun, 1)
        for minute in (5, 10, 15, 20):
            await paging.look(begun.at + 60 * minute)
        await paging.taken_up(begun.key, Taken(by="human:alice", at=begun.at + 1300, via=""), "on it")
        await paging.look(begun.at + 6000)
        await paging.given_back(begun.key, "human:alice", begun.at + 7000)
        await paging.look(begun.at + 7600)
        await paging.tell(told("closed", "open", revision=18), 2)
        await paging.look(begun.at + 9000)
    bodies = [json.loads(one.body) for one in hook.received]
    assert [one["type"] for one in bodies] == [
        "breaker.opened", "breaker.opened", "breaker.opened", "incident.acknowledged", "incident.unacknowledged",
        "breaker.opened", "breaker.closed",
    ]  # fmt: skip
    assert len({one["data"]["incident"] for one in bodies}) == 1
    assert len({one.headers["webhook-id"] for one in hook.received}) == len(bodies)
    assert "taken up by human:alice" in bodies[3]["data"]["title"]


async def test_many_that_nobody_takes_up_are_repeated_as_any_storm_is_told() -> None:
    box, now = MemoryOutbox(), time.time()
    async with receiver() as hook:
        async with running(one_channel(hook, box, calm=50)) as first:
            for n in range(30):
                await first.tell(msgspec.structs.replace(told(integration=f"pool-{n}", revision=n), at=now), n + 1)
        second = one_channel(hook, box, calm=3, repeat=600.0)
        await second.restore("")
        async with running(second):
            await second.look(now + 3600)
            await second.look(now + 3606)
    assert kinds(hook)[30:] == [*["breaker.opened"] * 3, "storm"]
    assert json.loads(hook.received[-1].body)["data"]["alerts"] == 27


async def test_what_has_grown_worse_is_no_longer_taken_up_and_a_receiver_is_not_told_its_own_reply() -> None:
    receipts: list[Receipt] = []
    async with receiver() as hook, running(pager(receipts, hook.url)) as paging:
        await paging.tell(told("forced_open", by="human:alice", revision=1), 1)
        await paging.taken_up("breaker/aave-v3", Taken(by="human:bob", at=1_767_323_050.0, via="night"))
        await paging.tell(told("open", "forced_open", revision=2, page="two holds"), 2)
        known = paging.standing("breaker/aave-v3")
        assert known is not None
        assert known.taken is None
    said = [(got.path, json.loads(got.body)["type"]) for got in hook.received]
    assert [kind for path, kind in said if path == "/hook/night"] == ["breaker.forced", "breaker.opened"]
    assert ("/hook/day", "incident.acknowledged") in said


async def test_a_storm_ends_with_a_word_and_its_incidents_are_not_repeated_one_by_one() -> None:
    now = time.time()
    async with receiver() as hook, running(one_channel(hook, MemoryOutbox(), calm=1)) as paging:
        for n in range(20):
            await paging.tell(msgspec.structs.replace(told(integration=f"pool-{n}", revision=n), at=now), n)
        await paging.look(now + 6)
        await paging.look(now + 7 + WINDOW)
        assert [one.key for one in paging.active("hook")] == ["breaker/pool-0"]
    assert kinds(hook)[0] == "breaker.opened"
    assert kinds(hook).count("storm") == 2
    ended = [json.loads(one.body)["data"] for one in hook.received if json.loads(one.body)["type"] == Kind.STORM]
    assert [one["resolved"] for one in ended] == [False, True]
