"""Delivery: every notification at least once to each of its receivers, however slow, broken or briefly dead they or we are.

Each receiver has a lane and a task of its own, so that one that hangs delays nobody else. An entry is in the outbox before the
first attempt and leaves it after the receiver took it; a crash in between means a second delivery with the same id.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from alerts.base import Channel, DeliveryFailed, Notification, Outcome, Receipt
from alerts.lane import Lane, Limits
from alerts.outbox import Entry, Outbox, OutboxError, Told
from alerts.text import neutral
from detectors.base import Severity

T = TypeVar("T")
DISK_WITHIN = 3.0
"""Seconds the outbox's file gets; after that telling people goes on from memory."""

REFRESH_AGAIN = 10.0
"""Seconds until a failed refresh is repeated."""


class Delivery:
    """Sends to `channels` (by receiver name). `on_receipt` hears every outcome and must not raise or block.

    `active` gives what is still true for a receiver; it is repeated to those that forget. `draw` gives jitter, 0..1.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        outbox: Outbox,
        on_receipt: Callable[[Receipt], None],
        *,
        active: Callable[[str], Iterable[Notification]] = lambda _: (),
        limits: Limits | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._channels = dict(channels)
        self._outbox = outbox
        self._on_receipt = on_receipt
        self._active = active
        self._limits = limits or Limits()
        self._draw = draw
        self._lanes = {name: Lane(self._limits) for name in channels}
        self._wake = {name: asyncio.Event() for name in channels}
        self._turns = {name: asyncio.Lock() for name in channels}
        self._progress = asyncio.Event()
        # A thread of its own: a stuck disk must not use up the threads that name resolution needs.
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="outbox")

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """Each receiver's queue by name, to look at."""
        return self._lanes

    @property
    def depth(self) -> int:
        """Entries not yet delivered, over all receivers."""
        return sum(map(len, self._lanes.values()))

    @property
    def oldest(self) -> float:
        """When the oldest of them was made (unix seconds); 0 if there is none."""
        return min((lane.oldest for lane in self._lanes.values() if lane.oldest is not None), default=0.0)

    async def submit(self, notification: Notification, receivers: Iterable[str], told: Told | None = None) -> bool:
        """Owe it to these receivers; what was submitted before (same id) is ignored. Is it durable, or did the disk not take it?

        `told` is how far telling has come with it, kept in the same breath.
        """
        clean, now = neutral(notification), time.time()
        return await self._owe([Entry(notification=clean, receiver=name, made=now) for name in dict.fromkeys(receivers)], told)

    async def note(self, told: Told) -> None:
        """Keep how far telling has come, with nothing new to tell."""
        await self._durably("note", self._outbox.put, (), told)

    async def recall(self, journal: str) -> Told | None:
        """How far telling had come in an earlier life; channels hear its receivers' remarks again. None: the disk is silent."""
        for name, channel in self._channels.items():
            channel.recall(await self._durably("remarks", self._outbox.remarks, name) or {})
        return await self._durably("told", self._outbox.told, journal)

    async def run(self) -> None:
        """Take up what an earlier life left, then deliver until cancelled."""
        for entry in await self._durably("pending", self._outbox.pending) or ():
            await self._enqueue(entry)
        if self._outbox.unreadable:
            text = f"{self._outbox.unreadable} entries of the outbox cannot be read and were passed over"
            self._report("outbox", Outcome.DEAD, detail=text)
        async with asyncio.TaskGroup() as group:
            for name, channel in self._channels.items():
                group.create_task(self._serve(name), name=f"alerts/{name}")
                if channel.refresh_every is not None:
                    group.create_task(self._keep_fresh(name, channel, channel.refresh_every), name=f"alerts/{name}/refresh")

    def report(self, receiver: str, trouble: str) -> None:
        """Say that something about a receiver failed that is no attempt at telling it; it is tried again."""
        self._report(receiver, Outcome.RETRY, detail=trouble)

    async def drain(self, seconds: float) -> bool:
        """Wait until nothing is owed, at most so long; was everything delivered? `run` must be running."""
        try:
            async with asyncio.timeout(seconds):
                while self.depth:
                    self._progress.clear()
                    await self._progress.wait()
        except TimeoutError:
            pass
        return not self.depth

    async def close(self) -> None:
        """Close channels and outbox; what is still owed stays in the outbox."""
        for channel in self._channels.values():
            await channel.close()
        await self._durably("close", self._outbox.close)
        self._disk.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, name: str) -> None:
        lane, wake, loop = self._lanes[name], self._wake[name], asyncio.get_running_loop()
        while True:
            turn = lane.turn(loop.time())
            if isinstance(turn, Entry):
                async with self._turns[name]:
                    await self._attempt(name, lane, turn)
                continue
            wake.clear()
            try:
                async with asyncio.timeout(turn):
                    await wake.wait()
            except TimeoutError:
                continue

    async def _attempt(self, name: str, lane: Lane, entry: Entry) -> None:
        failure, detail = await self._send(self._channels[name], entry.notification)
        if failure is None:
            lane.remove(entry)
            lane.succeeded()
            self._report(name, Outcome.OK, entry, detail)
            await self._durably("delivered", self._outbox.delivered, entry, detail)
        elif failure.gone:
            lane.gone = True
            for waiting in lane.clear():
                await self._bury(waiting, f"{failure}; the receiver is disabled until restart")
        elif failure.permanent or lane.hopeless(entry, time.time()):
            lane.remove(entry)
            await self._bury(entry, str(failure))
        else:
            again = lane.failed(entry, asyncio.get_running_loop().time(), self._draw(), failure.retry_after)
            self._report(name, Outcome.RETRY, entry, str(failure))
            await self._durably("failed", self._outbox.failed, again)
        self._progress.set()

    async def _send(self, channel: Channel, notification: Notification) -> tuple[DeliveryFailed | None, str]:
        try:
            async with asyncio.timeout(self._limits.deadline):
                return None, await channel.send(notification) or ""
        except TimeoutError:
            return DeliveryFailed(f"no answer within {self._limits.deadline:g} s"), ""
        except DeliveryFailed as failure:
            return failure, ""
        except Exception as error:  # noqa: BLE001 — a channel's bug must not stop the others; its text may hold a secret
            return DeliveryFailed(f"{type(error).__name__} inside channel {channel.name}; please report it"), ""

    async def _owe(self, owed: list[Entry], told: Told | None = None) -> bool:
        kept = await self._durably("put", self._outbox.put, owed, told)
        for entry in owed if kept is None else kept:
            await self._enqueue(entry)
        return kept is not None

    async def _enqueue(self, entry: Entry) -> None:
        lane = self._lanes.get(entry.receiver)
        if lane is None:
            await self._bury(entry, f"no receiver is called {entry.receiver!r} any more")
        elif lane.gone:
            await self._bury(entry, "the receiver is disabled until restart (it said 410 Gone)")
        else:
            for shed in lane.add(entry):
                await self._bury(shed, f"storm: more than {self._limits.waiting} waited, the least severe were dropped")
            self._wake[entry.receiver].set()

    async def _bury(self, entry: Entry, why: str) -> None:
        self._report(entry.receiver, Outcome.DEAD, entry, why)
        await self._durably("bury", self._outbox.bury, entry, why)
        if entry.notification.severity is Severity.CRITICAL and not entry.instead:
            # A critical that its receiver will never take must still reach someone.
            others = [name for name, lane in self._lanes.items() if name != entry.receiver and not lane.gone]
            await self._owe([msgspec.structs.replace(entry, receiver=name, attempts=0, instead=True) for name in others])

    async def _keep_fresh(self, name: str, channel: Channel, every: float) -> None:
        while True:
            wait = every
            # Under the lane's lock: a refresh begun before an alert ended must not arrive after its end.
            async with self._turns[name]:
                try:
                    async with asyncio.timeout(self._limits.deadline):
                        await channel.refresh(self._active(name))
                except Exception as error:  # noqa: BLE001 — as in _send: isolated, and counted through the receipt
                    detail = str(error) if isinstance(error, DeliveryFailed) else type(error).__name__
                    self._report(name, Outcome.RETRY, detail=f"refresh: {detail}")
                    wait = min(every, REFRESH_AGAIN)
            await asyncio.sleep(wait)

    async def _durably(self, doing: str, write: Callable[..., T], *arguments: object) -> T | None:
        """Run on the outbox's thread; without a disk we tell people all the same, and say that it would not survive a crash."""
        try:
            async with asyncio.timeout(DISK_WITHIN):
                # Shielded: who is stopped while it waits for the disk has told somebody, and the next life must know.
                return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._disk, write, *arguments))
        except TimeoutError:
            self._report("outbox", Outcome.RETRY, detail=f"{doing}: the disk did not answer within {DISK_WITHIN:g} s")
        except OutboxError as error:
            self._report("outbox", Outcome.RETRY, detail=f"{doing}: {error}")
        return None

    def _report(self, receiver: str, outcome: Outcome, entry: Entry | None = None, detail: str = "") -> None:
        self._on_receipt(
            Receipt(
                notification=entry.notification.id if entry else "",
                key=entry.notification.key if entry else "",
                channel=receiver,
                attempt=entry.attempts + (outcome is not Outcome.DEAD) if entry else 0,
                outcome=outcome,
                at=time.time(),
                detail=detail,
            )
        )
