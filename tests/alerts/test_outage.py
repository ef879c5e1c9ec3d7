"""A receiver that is down for ten minutes is owed everything, and gets it afterwards: in order, and each of it once."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest

from alerts.base import Notification, Outcome, Receipt
from alerts.channels.webhook import Webhook
from alerts.deliver import Delivery
from alerts.lane import Lane, Limits
from alerts.outbox import Entry, SqliteOutbox
from detectors.base import Severity
from monitor.demo.anvil import free_port
from tests.alerts.channels.test_webhook import SECRET
from tests.support.notices import told
from tests.support.receivers import receiver

DOWN = 600.0
"""Seconds."""

ONE_TAKES = 0.02


def incidents(count: int) -> list[Notification]:
    """Each begins, and every second one ends: what is told, in the order of telling."""
    made = []
    for number in range(count):
        made.append(told(integration=f"pool-{number}", revision=number))
        if number % 2:
            made.append(told("closed", "open", integration=f"pool-{number}", revision=1000 + number))
    return [msgspec.structs.replace(one, severity=Severity.CRITICAL) for one in made]


def outage(owed: list[Notification], jitter: float, asked: float | None = None) -> list[tuple[float, Notification]]:
    """What is delivered, and when, of what comes up over ten minutes of a receiver's absence. The time is made up."""
    lane, now, delivered = Lane(Limits()), 0.0, list[tuple[float, Notification]]()
    coming = [(DOWN * number / len(owed), one) for number, one in enumerate(owed)]
    refused = float("-inf")
    while coming or len(lane):
        while coming and coming[0][0] <= now:
            at, one = coming.pop(0)
            lane.add(Entry(notification=one, receiver="pager", made=at))
        turn = lane.turn(now)
        if isinstance(turn, Entry):
            assert now >= refused + (asked or 0.0), "not before the receiver asked for"
            now += ONE_TAKES
            if now < DOWN:
                lane.failed(turn, now, jitter, asked)
                refused = now
            else:
                lane.remove(turn)
                lane.succeeded()
                refused = float("-inf")
                delivered.append((now, turn.notification))
        else:
            soon = coming[0][0] if coming else float("inf")
            now = min(soon, now + turn if turn is not None else float("inf"))
        assert now < 10 * DOWN, "it never gets through"
    return delivered


@pytest.mark.parametrize("asked", [None, 30.0])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_ten_minutes_of_absence_cost_no_order_and_no_second_time(jitter: float, asked: float | None) -> None:
    owed = incidents(60)
    delivered = outage(owed, jitter, asked)
    assert [one.id for _, one in delivered] == [one.id for one in owed]
    patience = max(Limits().longest_wait, (asked or 0.0) * 1.1)
    assert delivered[-1][0] <= DOWN + patience + ONE_TAKES * len(owed) + 1


def test_after_an_absence_criticals_come_first_and_no_end_before_its_beginning() -> None:
    warning = Severity.WARNING
    lesser = [msgspec.structs.replace(one, severity=warning, id=f"w{one.id}", key=f"w{one.key}") for one in incidents(10)]
    delivered = [one for _, one in outage([*lesser, *incidents(10)], 0.5)]
    ranks = [one.severity for one in delivered]
    assert ranks == sorted(ranks, key=lambda severity: severity is not Severity.CRITICAL)
    for key in {one.key for one in delivered}:
        assert [one.resolved for one in delivered if one.key == key] in ([False], [False, True])
    assert len({one.id for one in delivered}) == len(delivered) == len(lesser) * 2


async def test_a_real_server_that_is_away_for_a_while_gets_everything_in_order_and_once(tmp_path: Path) -> None:
    receipts: list[Receipt] = []
    port, owed = free_port(), incidents(12)
    limits = Limits(deadline=2.0, first_wait=0.01, longest_wait=0.2)
    channel = Webhook(url=f"http://127.0.0.1:{port}/hook", secret=SECRET, allow_private=True)
    delivery = Delivery({"pager": channel}, SqliteOutbox(tmp_path / "o"), receipts.append, limits=limits)
    running = asyncio.create_task(delivery.run())
    began = time.monotonic()
    for one in owed:
        await delivery.submit(one, ["pager"])
        await asyncio.sleep(0.03)
    refused = [receipt for receipt in receipts if receipt.outcome is Outcome.RETRY]
    async with receiver(port=port) as back:
        assert await delivery.drain(20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await delivery.close()
    assert refused, f"it was down for {time.monotonic() - began:.1f} s"
    assert {receipt.outcome for receipt in receipts} == {Outcome.RETRY, Outcome.OK}
    assert [got.headers["webhook-id"] for got in back.received] == [one.id for one in owed]
