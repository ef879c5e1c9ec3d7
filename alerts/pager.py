"""The whole way in one place: keep back, fold into incidents, mind the storm, find who is to know, and owe it to them.

What was told is kept in the outbox with what is owed, so that a restart goes on where the last life ended: an incident that did
not change is told to nobody twice, and what was decided but not yet told is told then.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from alerts import render
from alerts.base import SIGHT, Channel, DeliveryFailed, Kind, Notification, Receipt, Reply
from alerts.deliver import Delivery
from alerts.group import Groups, Incident, Taken, fold, overdue
from alerts.inhibit import Inhibition, by_detectors
from alerts.lane import Limits
from alerts.outbox import Outbox, Told
from alerts.route import Routing, receivers
from alerts.storm import CALM, STORM, WINDOW, Storm

LOOK_EVERY = 1.0
"""Seconds between looks at whether a storm's digest is due, what may be told again, and what need not be kept back any longer."""

ASK_WITHIN = 10.0
"""Seconds a receiver has to say what became of its alerts."""


def _seen(_: str) -> bool:
    return False


class Pager:
    """Tells people. After a restart, `restore` first, then `tell` what came after the sequence that it gives back.

    `calm` alerts are told one by one within a minute, the rest together; `vital` integrations keep room of their own. What is
    critical and taken up by nobody is told again every `repeat` seconds, if that is given. `blind` says whether an integration
    is out of sight; what is kept back for that reason is given to `on_kept_back`, what a receiver replies to `on_reply`.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        outbox: Outbox,
        on_receipt: Callable[[Receipt], None],
        *,
        routing: Routing | None = None,
        limits: Limits | None = None,
        vital: Iterable[str] = (),
        calm: int = CALM,
        repeat: float | None = None,
        blind: Callable[[str], bool] = _seen,
        on_kept_back: Callable[[Notification], None] = lambda _: None,
    ) -> None:
        self.channels = dict(channels)
        self.on_reply: Callable[[str, Reply], Awaitable[object]] | None = None
        self._everyone = tuple(channels)
        self._routing = routing or Routing()
        self._groups = Groups()
        self._vital = frozenset(vital)
        self._storm = Storm(self._vital, calm)
        self._inhibition = Inhibition()
        self._repeat = repeat
        self._blind = blind
        self._on_kept_back = on_kept_back
        self._journal = ""
        self._newest = 0
        self._untold: dict[str, int] = {}
        """Incidents that wait (in a storm, or kept back), by key, with the first record of them that was not told."""
        self._changed: set[str] = set()
        self._free: tuple[str, ...] = ()
        self._unkept = 0
        """The first record whose telling no disk took: the next life is to look at it again. 0: none."""
        self.delivery = Delivery(channels, outbox, on_receipt, active=self.active, limits=limits)

    async def restore(self, journal: str) -> int | None:
        """Take up what was told in an earlier life; the sequence up to which this journal was told comes back, None: unknown."""
        told = await self.delivery.recall(journal)
        self._journal = journal
        if told is None:
            return None
        self._groups = Groups({key: one for key, one in told.incidents.items() if one is not None})
        self._newest = told.mark or 0
        return told.mark

    async def caught_up(self, sequence: int) -> None:
        """Everything up to this record has been given to `tell`, or needed no telling."""
        self._newest = max(self._newest, sequence)
        await self.delivery.note(self._progress())

    async def tell(self, notification: Notification, sequence: int = 0) -> Notification | None:
        """Tell whoever is to know; what was told comes back, or None when those who know need not hear more, or not by itself.

        `sequence` is the journal's record that it comes from, 0 for none.
        """
        self._newest = max(self._newest, sequence)
        if self._is_kept_back(notification):
            self._wait(notification.key, sequence)
            self._inhibition.take(notification)
            if not self._inhibition.holds(notification.key):
                self._untold.pop(notification.key, None)  # it has ended before anybody was to know: no next life need look at it
            self._on_kept_back(notification)
            return None
        if notification.kind is Kind.RECOVERED:
            kept = self._inhibition.account(notification.labels.get("chain", ""))
            if kept.count:
                notification = render.with_account(notification, kept.count, len(kept.standing))
        told = await self._fold(notification, sequence)
        if notification.kind is Kind.RECOVERED:
            await self._release(self._inhibition.free(self._out_of_sight))
        return told

    def standing(self, key: str) -> Incident | None:
        """The open incident of this key."""
        return self._groups.open.get(key)

    def titled(self, title: str) -> str:
        """The key of the open incident that was first, or is now, called this; empty when none is."""
        return next((key for key, one in self._groups.open.items() if title in (one.title, one.last.title)), "")

    def opened(self, prefix: str) -> dict[str, Incident]:
        """The open incidents whose keys begin so, by the rest of the key."""
        return {key.removeprefix(prefix): one for key, one in self._groups.open.items() if key.startswith(prefix)}

    async def taken_up(self, key: str, taken: Taken, note: str = "") -> None:
        """Somebody has taken this incident up: it is not told again unless it changes, and the others who know are told."""
        known = self.standing(key)
        if known is None or known.taken is not None:
            return
        self._groups = self._groups.put(key, taken=taken, heard=taken.at)
        self._changed.add(key)
        await self._submit(render.taken_up(known.last, taken.by, taken.at, note), but=taken.via)

    async def given_back(self, key: str, by: str, at: float, note: str = "") -> None:
        """Nobody has it any more; a critical one is told again from now on."""
        known = self.standing(key)
        if known is None or known.taken is None:
            return
        self._groups = self._groups.put(key, taken=None, at=at, heard=at)
        self._changed.add(key)
        await self._submit(render.given_back(known.last, by, at, note), but=known.taken.via)

    def active(self, receiver: str) -> Iterable[Notification]:
        """What is still true among what this receiver was told."""
        return tuple(told for told in self._groups.active if receiver in self._receivers(told))

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.delivery.run(), name="alerts/delivery")
            tasks.create_task(self._looks(), name="alerts/looks")
            for name, channel in self.channels.items():
                if channel.ask_every is not None:
                    tasks.create_task(self._asks(name, channel, channel.ask_every), name=f"alerts/{name}/asks")

    async def close(self) -> None:
        """Tell what a storm held back, then close channels and outbox; what is still owed stays in the outbox."""
        if self._storm.due is not None:
            await self._digest(self._storm.due)
        await self.delivery.close()

    async def look(self, now: float) -> None:
        """What time alone brings: a storm's digest and its end, repetitions, and what need not be kept back any longer."""
        free = self._inhibition.free(self._out_of_sight)
        await self._release([key for key in free if key in self._free])  # seen at the last look, too: the all-clear comes first
        self._free = free
        await self._digest(now)
        storm = self._groups.open.get(STORM)
        if storm is not None and self._storm.due is None and now - storm.at >= WINDOW:
            self._groups, _ = fold(self._groups, end := render.calm(storm.last, now), now)
            self._changed.add(STORM)
            await self._submit(end)
        if self._repeat is not None:
            self._groups, due = overdue(self._groups, now, self._repeat)
            for incident in due:
                self._changed.add(incident.last.key)
                again = self._storm.take(render.again(incident.last, incident.again, now), now)
                if again is not None:
                    await self._submit(again)

    async def _looks(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look(time.time())

    async def _fold(self, notification: Notification, sequence: int) -> Notification | None:
        key, known = notification.key, self._groups.open.get(notification.key)
        self._inhibition.forget(key)
        self._groups, told = fold(self._groups, notification, notification.at)
        self._changed.add(key)
        if told is None:
            return None
        ends = told.resolved and known is not None and not known.together  # whoever was told of it by itself waits for this
        if not ends and self._storm.take(told, time.time()) is None:
            self._wait(key, sequence)
            if key in self._groups.open:
                self._groups = self._groups.put(key, together=True)
            return None
        waited = self._untold.pop(key, sequence)
        await self._submit(told, sequence=min(waited, sequence) or sequence)
        return told

    async def _digest(self, now: float) -> None:
        if (told := self._storm.digest(now)) is None:
            return
        first = min((at for key, at in self._untold.items() if not self._inhibition.holds(key)), default=0)
        self._untold = {key: at for key, at in self._untold.items() if self._inhibition.holds(key)}
        opened = self._groups.open.get(STORM)
        since = told if opened is None else msgspec.structs.replace(told, since=opened.last.since, incident=opened.last.incident)
        self._groups = Groups(self._groups.open | {STORM: Incident(last=since, at=now)})
        self._changed.add(STORM)
        await self._submit(since, sequence=first)

    async def _release(self, keys: Iterable[str]) -> None:
        for key in keys:
            if (one := self._inhibition.release(key)) is not None:
                await self._fold(render.after_blindness(one), self._untold.pop(key, 0))

    def _is_kept_back(self, notification: Notification) -> bool:
        """A new incident of detectors', about an integration out of sight, whose chain's own alert stands."""
        known = notification.key in self._groups.open
        vital = notification.labels.get("integration", "") in self._vital
        return not known and not vital and by_detectors(notification) and self._out_of_sight(notification)

    def _out_of_sight(self, notification: Notification) -> bool:
        sight = SIGHT + notification.labels.get("chain", "")
        return sight in self._groups.open and self._blind(notification.labels.get("integration", ""))

    def _wait(self, key: str, sequence: int) -> None:
        if sequence:
            self._untold.setdefault(key, sequence)

    async def _submit(self, told: Notification, but: str = "", sequence: int = 0) -> None:
        to, progress = [name for name in self._receivers(told) if name != but], self._progress()
        if not await self.delivery.submit(told, to, progress):
            self._changed |= progress.incidents.keys()
            self._unkept = min(self._unkept or sequence, sequence or self._unkept)

    def _progress(self) -> Told:
        """What changed and does not wait, and the record before the first that does."""
        settled = self._changed - self._untold.keys()
        self._changed &= self._untold.keys()
        waiting = [*self._untold.values(), *([self._unkept] if self._unkept else [])]
        mark = min(waiting, default=self._newest + 1) - 1
        incidents = {key: self._groups.open.get(key) for key in settled}
        return Told(incidents=incidents, journal=self._journal, mark=mark if self._journal else None)

    def _receivers(self, told: Notification) -> tuple[str, ...]:
        return receivers(self._routing, told, self._everyone)

    async def _asks(self, name: str, channel: Channel, every: float) -> None:
        """Ask a receiver what became of our alerts there, now and then."""
        while True:
            await asyncio.sleep(every)
            active = tuple(self.active(name))
            if not active or self.on_reply is None:
                continue
            try:
                async with asyncio.timeout(ASK_WITHIN):
                    replies = await channel.asked(active)
                for reply in replies:
                    await self.on_reply(name, reply)
            except Exception as error:  # noqa: BLE001 — one receiver's trouble must not stop the others; counted, asked again
                detail = str(error) if isinstance(error, DeliveryFailed) else type(error).__name__
                self.delivery.report(name, f"asked what became of its alerts: {detail}")
