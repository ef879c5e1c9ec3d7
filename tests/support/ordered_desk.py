"""A desk and its journal in a process of their own, giving orders at random and saying each aloud, until somebody kills it.

One JSON object a line: first `{"flags": …}` as journal and reserve left them, then `asked` and `acked` around every order.
"""

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from monitor.breaker.desk import Desk
from monitor.breaker.flags import FlagBoard, Spec
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode
from monitor.breaker.orders import Orders, Wanted
from monitor.breaker.people import Order
from monitor.errors import JournalError
from monitor.journal.reserve import Reserve
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from monitor.logs import start_logging

NAMES = ("bank", "pool", "vault")
CHAIN = "eip155:1"


def say(**facts: Any) -> None:  # noqa: ANN401 - JSON
    """One line, in one write."""
    os.write(1, json.dumps(facts).encode() + b"\n")


async def main(path: Path, seed: int) -> None:
    """Give orders until killed."""
    chance = random.Random(seed)
    async with AsyncJournal(SqliteJournal.open(path)) as journal:
        fold = Fold(dict.fromkeys(NAMES, Mode.ENFORCE))
        board = FlagBoard([Spec(integration=name, chain=CHAIN, blind_after=60.0) for name in NAMES], epoch=journal.epoch)
        desk = Desk(fold, board, journal, lambda _: None)
        try:
            desk.reserve = Reserve.open(path)
        except JournalError:
            say(reserve="none")
        desk.restore(journal.journal.read(1))
        board.beat()
        flags = board.read()
        holds = {name: [hold.id for hold in fold.breaker(name).holds.values()] for name in NAMES}
        owed = [hold.id for decision in desk.owed for hold in decision.place]
        say(flags={n: [flags[n].state, flags[n].revision] for n in NAMES}, holds=holds, owed=owed, records=fold.head)
        orders = Orders(desk)
        for number in range(10**6):
            await one(desk, orders, chance, f"{seed}/{number}")


async def one(desk: Desk, orders: Orders, chance: random.Random, key: str) -> None:
    """One order, or a payment of what is owed, as the daemon's clock makes it."""
    name = chance.choice(NAMES)
    if chance.random() < 0.15:
        await desk.pay()
    if chance.random() < 0.3 and desk.fold.breaker(name).holds:
        gone = list(desk.fold.breaker(name).holds)
        say(asked="resume", name=name, holds=gone)
        try:
            await orders.release(name, Wanted(order=Order(who="op", reason="over"), principal="op"))
        except JournalError:
            say(refused="resume", name=name)
            return
        say(acked="resume", name=name, revision=desk.fold.breaker(name).revision)
        return
    say(asked="pause", name=name)
    before = set(desk.fold.breaker(name).holds) | {hold.id for decision in desk.owed for hold in decision.place}
    recorded = await orders.pause(name, Order(who="op", reason="drill " + "x" * chance.randrange(400), key=key))
    after = set(desk.fold.breaker(name).holds) | {hold.id for decision in desk.owed for hold in decision.place}
    (made,) = after - before
    say(acked="pause", name=name, hold=made, recorded=recorded, revision=desk.fold.breaker(name).revision, at=time.time())


if __name__ == "__main__":
    start_logging("error", "json")
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
