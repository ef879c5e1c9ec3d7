"""A storm: few notifications, every one of them counted, and the one that matters not last."""

import asyncio
import time

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from alerts.base import Kind, Notification, Receipt
from alerts.channels.webhook import Webhook
from alerts.outbox import MemoryOutbox
from alerts.pager import Pager
from alerts.storm import CALM, FIRST_DIGEST, NAMED, VITAL, WINDOW, Storm
from tests.alerts.channels.test_webhook import SECRET
from tests.support.notices import told
from tests.support.receivers import receiver

VITALS = frozenset({"aave-v3"})


ONE = told()


def about(integration: str, number: int) -> Notification:
    """An alert about this integration, as rendering would make it."""
    return msgspec.structs.replace(
        ONE, id=f"{number:032x}", key=f"breaker/{integration}", title=f"{integration} PAUSED", body=f"{integration}: open",
        labels=ONE.labels | {"integration": integration}, at=1_767_323_045.0 + number,
    )  # fmt: skip


def blown(count: int, seconds: float, vital_at: frozenset[int] = frozenset()) -> list[Notification]:
    """So many alerts of as many integrations within so many seconds: what is told."""
    storm, out, now = Storm(VITALS), list[Notification](), 1000.0
    for number in range(count):
        now = 1000.0 + number * seconds / count
        one = about("aave-v3" if number in vital_at else f"pool-{number}", number)
        out += [each for each in (storm.take(one, now), storm.digest(now)) if each is not None]
    return out + [each for each in (storm.digest(now + 60),) if each is not None]


def test_ten_thousand_findings_in_a_minute_are_twenty_notifications_and_none_is_uncounted() -> None:
    out = blown(10_000, 60.0, frozenset({9_000}))
    assert len(out) <= 20
    counted = sum(1 if one.kind is not Kind.STORM else int(str(one.facts["alerts"])) for one in out)
    assert counted == 10_000
    assert any("aave-v3" in one.title or "VITAL" in one.body for one in out), "the vital one is named"


@given(st.integers(1, 400), st.floats(0.1, 300), st.sets(st.integers(0, 399), max_size=3))
def test_whatever_the_weather_nothing_about_a_vital_integration_is_lost(count: int, seconds: float, vital: set[int]) -> None:
    out = blown(count, seconds, frozenset(vital))
    wanted = bool(vital & set(range(count)))
    assert wanted == any("aave-v3" in one.body for one in out)
    assert len(out) <= 20 + seconds / WINDOW * (CALM + VITAL + 3)


def test_calm_weather_tells_each_by_itself() -> None:
    assert len(blown(CALM, 1.0)) == CALM
    assert [one.kind for one in blown(30, 3000.0)] == [Kind.OPENED] * 30


def test_a_digest_comes_soon_and_names_the_worst_first() -> None:
    storm = Storm(VITALS)
    for number in range(CALM + NAMED + 20):
        storm.take(about(f"pool-{number}", number), 1000.0)
    assert storm.digest(1000.0 + FIRST_DIGEST - 0.1) is None
    together = storm.digest(1000.0 + FIRST_DIGEST)
    assert together is not None
    assert together.body.count("\n* ") == NAMED
    assert "And 20 more" in together.body


async def test_a_storm_through_a_real_receiver() -> None:
    receipts: list[Receipt] = []
    async with receiver() as hook:
        channel = Webhook(url=hook.url, secret=SECRET, allow_private=True)
        paging = Pager({"hook": channel}, MemoryOutbox(), receipts.append, vital=VITALS)
        running = asyncio.create_task(paging.run())
        began = time.time()
        for number in range(10_000):
            await paging.tell(msgspec.structs.replace(about(f"pool-{number}", number), at=began))
        await paging.tell(about("aave-v3", 10_000))
        await hook.wait_for(CALM + 2)
        await asyncio.sleep(0.2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await paging.close()
    assert len(hook.received) <= 20
    bodies = b"".join(got.body for got in hook.received)
    assert b"aave-v3" in bodies
    assert b'"type":"storm"' in bodies
