"""From a decision to the people who are to know."""

import asyncio
import json
import time
from pathlib import Path

from alerts.base import Notification, Outcome, Receipt
from alerts.channels.alertmanager import Alertmanager
from alerts.channels.webhook import Webhook
from alerts.outbox import MemoryOutbox, SqliteOutbox
from alerts.pager import Pager
from alerts.route import Route, Routing
from tests.alerts.channels.test_webhook import SECRET
from tests.support.alertmanager import alertmanager, alerts
from tests.support.notices import finding, told
from tests.support.receivers import receiver, until


def pager(receipts: list[Receipt], url: str, routing: Routing | None = None) -> Pager:
    channels = {name: Webhook(url=f"{url}/{name}", secret=SECRET, allow_private=True) for name in ("day", "night")}
    return Pager(channels, MemoryOutbox(), receipts.append, routing=routing)


async def holds(base: str, notification: Notification) -> bool:
    """Does this Alertmanager hold just this alert?"""
    return [each["labels"] for each in await alerts(base)] == [notification.labels]


async def test_an_attack_of_many_findings_pages_once_and_ends_once() -> None:
    receipts: list[Receipt] = []
    night = Routing(routes=(Route(to=("night",), match={"severity": "critical"}), Route(to=("day",))))
    async with receiver() as hook:
        paging = pager(receipts, hook.url, night)
        running = asyncio.create_task(paging.run())
        for n in range(5):
            await paging.tell(told("open", "closed" if n == 0 else "open", revision=n, findings=(finding(id=str(n)),)))
        assert [each.key for each in paging.active("night")] == ["breaker/aave-v3"]
        assert list(paging.active("day")) == []
        await paging.tell(told("closed", "open", revision=9))
        assert list(paging.active("night")) == []
        assert await paging.delivery.drain(20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await paging.close()
    assert [(got.path, json.loads(got.body)["type"]) for got in hook.received] == [
        ("/hook/night", "breaker.opened"),
        ("/hook/night", "breaker.closed"),
    ]
    assert [receipt.outcome for receipt in receipts] == [Outcome.OK] * 2


async def test_after_a_restart_what_was_told_is_not_told_again() -> None:
    receipts: list[Receipt] = []
    async with receiver() as hook:
        paging = pager(receipts, hook.url)
        paging.restore(told(revision=1))
        assert await paging.tell(told("open", "open", revision=2)) is None
        end = await paging.tell(told("closed", "open", revision=3))
        await paging.close()
    assert isinstance(end, Notification)
    assert end.incident == told(revision=1).id


async def test_an_alert_outlives_a_restart_of_ours_and_of_alertmanager(tmp_path: Path) -> None:
    receipts: list[Receipt] = []
    begun = told(at=time.time())
    async with receiver() as hook:
        async with alertmanager(tmp_path, hook.url) as base:
            for told_before in (False, True):
                channels = {"am": Alertmanager(urls=(base,))}
                paging = Pager(channels, SqliteOutbox(tmp_path / "outbox"), receipts.append)
                if told_before:
                    paging.restore(begun)
                running = asyncio.create_task(paging.run())
                if not told_before:
                    await paging.tell(begun)
                    assert await paging.delivery.drain(20)
                await until(lambda: holds(base, begun))
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                await paging.close()
        async with alertmanager(tmp_path, hook.url) as fresh:
            paging = Pager({"am": Alertmanager(urls=(fresh,))}, SqliteOutbox(tmp_path / "outbox"), receipts.append)
            paging.restore(begun)
            running = asyncio.create_task(paging.run())
            await until(lambda: holds(fresh, begun))
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await paging.close()
    assert [receipt.outcome for receipt in receipts] == [Outcome.OK]
