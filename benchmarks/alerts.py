"""From a finding to Alertmanager's receiver. `python -m benchmarks.alerts`.

Each finding is about another integration and goes the daemon's own way: the policy's decision, the journal (synced), the outbox
(synced), a real Alertmanager without grouping or waiting, and a receiver of ours. Goal: p99 within a second, none lost.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from alerts.channels.alertmanager import Alertmanager
from alerts.outbox import SqliteOutbox
from alerts.pager import Pager
from benchmarks.restart import told
from monitor.breaker.desk import Desk
from monitor.breaker.flags import FlagBoard, Spec
from monitor.breaker.fold import Fold, Noted
from monitor.breaker.holds import Decision, Mode
from monitor.breaker.policy import Rules, judge
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from monitor.notices import Notices, Places, counted
from tests.support.alertmanager import alertmanager
from tests.support.findings import CHAIN, finding
from tests.support.receivers import Receiver, receiver

GOAL = 1.0
"""Seconds that the ninety-ninth of a hundred may take."""


def heard(got: Receiver) -> set[str]:
    """The integrations that the receiver was told of."""
    return {alert["labels"]["integration"] for one in got.received for alert in json.loads(one.body)["alerts"]}


async def measure(count: int, every: float) -> dict[str, Any]:
    """So many findings, one every so many seconds."""
    names = [f"pool-{number:03d}" for number in range(count)]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        async with (
            receiver() as got, alertmanager(folder, got.url) as base,
            AsyncJournal(await asyncio.to_thread(SqliteJournal.open, folder / "journal.db")) as journal,
        ):  # fmt: skip
            fold = Fold(dict.fromkeys(names, Mode.ENFORCE))
            board = FlagBoard([Spec(integration=name, chain=CHAIN, blind_after=60.0) for name in names], epoch=journal.epoch)
            channel = Alertmanager(urls=(base,), silences_every=0)
            pager = Pager({"am": channel}, SqliteOutbox(folder / "outbox.db"), counted, calm=2 * count)
            notices = Notices(pager, board, dict.fromkeys(names, CHAIN), lambda: "http://127.0.0.1:8080", Places())
            desk = Desk(fold, board, journal, notices.told)
            await notices.resume(str(journal.epoch), lambda: fold.head)
            notices.resumed()
            telling = asyncio.create_task(notices.run())
            decided, whole = await through(names, desk, got, every)
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            await pager.close()
    return {"decided_ms": told(decided, 1), "finding_to_receiver_ms": told(whole, 1), "lost": count - len(whole)}


async def through(names: Sequence[str], desk: Desk, got: Receiver, every: float) -> tuple[list[float], list[float]]:
    """Milliseconds until each was decided and recorded, and until the receiver had it."""
    decided, whole = [], []
    for number, name in enumerate(names):
        began, now = time.perf_counter(), time.time()
        found = finding(tx=f"0x{number:064x}", at=now)

        def propose(name: str = name, found: Any = found, now: float = now) -> tuple[list[Decision], list[Noted]]:  # noqa: ANN401
            decision, _ = judge(desk.fold.breaker(name), [found], Rules(), now, 10, "default")
            return [decision] if decision is not None else [], []

        await desk.decide(propose)
        decided.append((time.perf_counter() - began) * 1000)
        try:
            async with asyncio.timeout(30):
                while name not in heard(got):
                    await got.wait_for(len(got.received) + 1)
        except TimeoutError:
            continue
        whole.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(every)
    return decided, whole


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--findings", type=int, default=100)
    parser.add_argument("--every", type=float, default=0.1, help="Seconds between one heard and the next made.")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    load = round(os.getloadavg()[0], 2)
    figures = asyncio.run(measure(given.findings, given.every))
    well = figures["lost"] == 0 and figures["finding_to_receiver_ms"]["p99"] <= GOAL * 1000
    report = {
        "benchmark": "alerts", "findings": given.findings, "load_before": load, **figures, "goal_p99_ms": GOAL * 1000, "ok": well
    }  # fmt: skip
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
