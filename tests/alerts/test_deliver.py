"""At least once to everyone, whatever the receivers do."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest
from standardwebhooks import Webhook as Verifier

from alerts.base import Channel, Notification, Outcome, Receipt
from alerts.channels.webhook import Webhook
from alerts.deliver import Delivery
from alerts.lane import Limits
from alerts.outbox import MemoryOutbox, Outbox, SqliteOutbox
from detectors.base import Severity
from tests.alerts.channels.test_webhook import SECRET
from tests.support.notices import told
from tests.support.receivers import Receiver, answers, cuts, hangs, receiver, until

QUICK = Limits(deadline=0.5, first_wait=0.01, longest_wait=0.05, waiting=5)


def hook(at: Receiver, timeout: float = 5.0) -> Webhook:
    return Webhook(url=at.url, secret=SECRET, allow_private=True, timeout=timeout)


@asynccontextmanager
async def delivering(delivery: Delivery) -> AsyncIterator[None]:
    """Run it, then stop it as a daemon is stopped."""
    running = asyncio.create_task(delivery.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await delivery.close()


def outcomes(receipts: list[Receipt], channel: str) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts if receipt.channel == channel]


async def test_a_flaky_receiver_gets_it_in_the_end_under_one_id() -> None:
    receipts: list[Receipt] = []
    async with receiver(answers(500), answers(429, Retry_After="0"), hangs, cuts) as flaky:
        delivery = Delivery({"pager": hook(flaky)}, MemoryOutbox(), receipts.append, limits=QUICK)
        async with delivering(delivery):
            await delivery.submit(told(), ["pager"])
            assert delivery.depth == 1
            assert delivery.oldest > 0
            assert await delivery.drain(20)
            assert (delivery.depth, delivery.oldest) == (0, 0.0)
    assert outcomes(receipts, "pager") == [Outcome.RETRY] * 4 + [Outcome.OK]
    assert [receipt.attempt for receipt in receipts] == [1, 2, 3, 4, 5]
    assert {got.headers["webhook-id"] for got in flaky.received} == {told().id}
    assert len({got.body for got in flaky.received}) == 1
    assert all(Verifier(SECRET).verify(got.body, got.headers) for got in flaky.received)
    assert "no answer within" in receipts[2].detail


async def test_a_receiver_that_hangs_delays_nobody_else() -> None:
    receipts: list[Receipt] = []
    patient = msgspec.structs.replace(QUICK, deadline=60.0, waiting=100)
    async with receiver(*[hangs] * 20) as stuck, receiver() as well:
        delivery = Delivery({"stuck": hook(stuck, 60.0), "well": hook(well)}, MemoryOutbox(), receipts.append, limits=patient)
        async with delivering(delivery):
            for n in range(10):
                await delivery.submit(told(revision=n), ["stuck", "well"])
            await until(lambda: len(outcomes(receipts, "well")) == 10)
    assert outcomes(receipts, "well") == [Outcome.OK] * 10
    assert outcomes(receipts, "stuck") == []


async def test_gone_disables_the_receiver_and_keeps_the_letters() -> None:
    receipts: list[Receipt] = []
    box = MemoryOutbox()
    async with receiver(answers(410)) as gone:
        delivery = Delivery({"pager": hook(gone)}, box, receipts.append, limits=QUICK)
        async with delivering(delivery):
            await delivery.submit(told(revision=1), ["pager"])
            assert await delivery.drain(20)
            await delivery.submit(told(revision=2), ["pager"])
    assert outcomes(receipts, "pager") == [Outcome.DEAD] * 2
    assert len(gone.received) == 1
    assert {dead.entry.notification.id for dead in box.dead()} == {told(revision=1).id, told(revision=2).id}


async def test_a_critical_that_its_receiver_will_never_take_goes_to_the_others_once() -> None:
    receipts: list[Receipt] = []
    async with receiver(answers(410)) as gone, receiver(answers(400)) as strict, receiver() as well:
        channels = {"gone": hook(gone), "strict": hook(strict), "well": hook(well)}
        delivery = Delivery(channels, MemoryOutbox(), receipts.append, limits=QUICK)
        async with delivering(delivery):
            await delivery.submit(told(), ["gone"])
            await until(lambda: len(receipts) == 3)
            await delivery.submit(msgspec.structs.replace(told(), id="w", severity=Severity.WARNING), ["gone"])
    assert outcomes(receipts, "gone") == [Outcome.DEAD] * 2
    assert outcomes(receipts, "strict") == [Outcome.DEAD]
    assert outcomes(receipts, "well") == [Outcome.OK]


async def test_a_refused_message_is_a_dead_letter_and_the_next_one_goes_through() -> None:
    receipts: list[Receipt] = []
    box = MemoryOutbox()
    async with receiver(answers(400)) as strict:
        delivery = Delivery({"pager": hook(strict)}, box, receipts.append, limits=QUICK)
        async with delivering(delivery):
            await delivery.submit(told(revision=1), ["pager"])
            await delivery.submit(told(revision=2), ["pager"])
            assert await delivery.drain(20)
    assert outcomes(receipts, "pager") == [Outcome.DEAD, Outcome.OK]
    assert "answered 400" in box.dead()[0].why


async def test_what_was_owed_before_a_restart_is_delivered_after_it(tmp_path: Path) -> None:
    receipts: list[Receipt] = []
    async with receiver(answers(503)) as down:
        first = Delivery({"pager": hook(down)}, SqliteOutbox(tmp_path / "o"), receipts.append, limits=Limits(first_wait=600.0))
        async with delivering(first):
            await first.submit(told(), ["pager"])
            await down.wait_for(1)
        second = Delivery({"pager": hook(down)}, SqliteOutbox(tmp_path / "o"), receipts.append, limits=QUICK)
        async with delivering(second):
            await down.wait_for(2)
            assert await second.drain(20)
            await second.submit(told(), ["pager"])
            assert second.depth == 0
    assert outcomes(receipts, "pager")[-1] is Outcome.OK
    assert {got.headers["webhook-id"] for got in down.received} == {told().id}
    assert len(down.received) == 2


async def test_a_storm_keeps_every_critical_and_says_what_it_dropped() -> None:
    receipts: list[Receipt] = []
    async with receiver(*[hangs] * 3) as slow:
        delivery = Delivery(
            {"pager": hook(slow)}, MemoryOutbox(), receipts.append, limits=msgspec.structs.replace(QUICK, deadline=0.1)
        )
        storm = [
            msgspec.structs.replace(told(revision=n), key=str(n), severity=Severity.CRITICAL if n % 10 == 0 else Severity.INFO)
            for n in range(100)
        ]
        async with delivering(delivery):
            for each in storm:
                await delivery.submit(each, ["pager"])
            assert await delivery.drain(20)
    taken = {receipt.notification for receipt in receipts if receipt.outcome is Outcome.OK}
    dropped = {receipt.notification for receipt in receipts if receipt.outcome is Outcome.DEAD}
    assert {each.id for each in storm if each.severity is Severity.CRITICAL} <= taken
    assert taken | dropped == {each.id for each in storm}
    assert not taken & dropped
    assert len(dropped) >= 80


class Broken(Channel):
    """A plug-in with a bug, whose exception holds a secret."""

    name: ClassVar[str] = "broken"
    summary: ClassVar[str] = "Fails."

    async def send(self, notification: Notification) -> None:
        """Fail as no channel should."""
        raise KeyError(f"token-4711 {notification.id}")


async def test_a_channel_with_a_bug_hurts_only_itself_and_tells_no_secret() -> None:
    receipts: list[Receipt] = []
    async with receiver() as well:
        delivery = Delivery({"broken": Broken(), "well": hook(well)}, MemoryOutbox(), receipts.append, limits=QUICK)
        async with delivering(delivery):
            await delivery.submit(told(), ["broken", "well"])
            await until(lambda: len(outcomes(receipts, "broken")) >= 3 and len(outcomes(receipts, "well")) == 1)
    assert outcomes(receipts, "well") == [Outcome.OK]
    assert all("KeyError" in receipt.detail for receipt in receipts if receipt.channel == "broken")
    assert "4711" not in str(receipts)


class Endless(Channel):
    """A plug-in that forgot to set a deadline, and says what it does."""

    name: ClassVar[str] = "endless"
    summary: ClassVar[str] = "Waits."
    refresh_every: float | None = 60.0

    def __init__(self, *, did: list[str]) -> None:
        self.did = did
        self.go = asyncio.Event()

    async def send(self, notification: Notification) -> None:
        """Wait for ever the first time."""
        self.did.append("send" if notification.id else "nothing")
        if self.did.count("send") == 1:
            await asyncio.Event().wait()

    async def refresh(self, active: Iterable[Notification]) -> None:
        """Read what is active, then take as long as a slow network does."""
        self.did.append(f"refresh {len(list(active))}")
        await self.go.wait()
        self.did.append("refreshed")


async def test_a_channel_without_a_deadline_gets_ours() -> None:
    receipts: list[Receipt] = []
    channel = Endless(did=[])
    channel.go.set()
    delivery = Delivery({"pager": channel}, MemoryOutbox(), receipts.append, limits=QUICK)
    async with delivering(delivery):
        await delivery.submit(told(), ["pager"])
        assert await delivery.drain(20)
    assert outcomes(receipts, "pager") == [Outcome.RETRY, Outcome.OK]
    assert "0.5 s" in receipts[0].detail


async def test_a_refresh_begun_before_the_end_never_arrives_after_it() -> None:
    channel = Endless(did=[])
    patient = msgspec.structs.replace(QUICK, deadline=30.0)
    delivery = Delivery({"pager": channel}, MemoryOutbox(), lambda _: None, active=lambda _: [told()], limits=patient)
    async with delivering(delivery):
        await until(lambda: "refresh 1" in channel.did)
        await delivery.submit(told("closed", "open"), ["pager"])
        await asyncio.sleep(0.05)
        channel.go.set()
        await until(lambda: "send" in channel.did)
    assert channel.did == ["refresh 1", "refreshed", "send"]


async def test_without_a_disk_people_are_told_all_the_same(tmp_path: Path) -> None:
    receipts: list[Receipt] = []
    async with receiver() as well:
        delivery = Delivery({"pager": hook(well)}, SqliteOutbox(tmp_path / "absent" / "o"), receipts.append, limits=QUICK)
        async with delivering(delivery):
            await delivery.submit(told(), ["pager"])
            await well.wait_for(1)
            assert await delivery.drain(20)
    assert outcomes(receipts, "pager") == [Outcome.OK]
    assert Outcome.RETRY in outcomes(receipts, "outbox")


async def test_hostile_text_is_harmless_before_it_reaches_disk_or_channel(tmp_path: Path) -> None:
    receipts: list[Receipt] = []
    async with receiver() as well:
        delivery = Delivery({"pager": hook(well)}, SqliteOutbox(tmp_path / "o"), receipts.append, limits=QUICK)
        async with delivering(delivery):
            await delivery.submit(msgspec.structs.replace(told(), title="a\ud800\u202e\x1b[2J", body="b\x00\nc"), ["pager"])
            assert await delivery.drain(20)
    body = Verifier(SECRET).verify(well.received[0].body, well.received[0].headers)
    assert (body["data"]["title"], body["data"]["body"]) == ("a[2J", "b\nc")


async def test_what_a_removed_receiver_was_owed_becomes_a_dead_letter() -> None:
    receipts: list[Receipt] = []
    box: Outbox = MemoryOutbox()
    delivery = Delivery({}, box, receipts.append)
    await delivery.submit(told(), ["pagr"])
    await delivery.close()
    assert [receipt.outcome for receipt in receipts] == [Outcome.DEAD]
    assert "pagr" in box.dead()[0].why


@pytest.mark.parametrize("seconds", [0.05])
async def test_draining_gives_up_in_time(seconds: float) -> None:
    async with receiver(hangs) as stuck:
        delivery = Delivery({"pager": hook(stuck)}, MemoryOutbox(), lambda _: None)
        async with delivering(delivery):
            await delivery.submit(told(), ["pager"])
            assert not await delivery.drain(seconds)
