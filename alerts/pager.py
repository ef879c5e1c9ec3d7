"""The whole way in one place: fold into incidents, mind the storm, find who is to know, and owe it to them."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping

from alerts.base import Channel, Notification, Receipt
from alerts.deliver import Delivery
from alerts.group import Groups, fold
from alerts.lane import Limits
from alerts.outbox import Outbox
from alerts.route import Routing, receivers
from alerts.storm import CALM, Storm

LOOK_EVERY = 1.0
"""Seconds between looks at whether a storm's digest is due."""


class Pager:
    """Tells people. After a restart `restore` what the journal says was told, then `tell` the rest: ids make that safe.

    `calm` alerts are told one by one within a minute, the rest together; `vital` integrations keep room of their own.
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
    ) -> None:
        self._everyone = tuple(channels)
        self._routing = routing or Routing()
        self._groups = Groups()
        self._storm = Storm(frozenset(vital), calm)
        self.delivery = Delivery(channels, outbox, on_receipt, active=self.active, limits=limits)

    def restore(self, notification: Notification) -> None:
        """Remember it as told, without telling anyone."""
        self._groups, _ = fold(self._groups, notification, notification.at)

    async def tell(self, notification: Notification) -> Notification | None:
        """Tell whoever is to know; what was told comes back, or None when those who know need not hear more, or not by itself."""
        self._groups, told = fold(self._groups, notification, notification.at)
        if told is not None:
            told = self._storm.take(told, time.time())
        if told is not None:
            await self._submit(told)
        return told

    def active(self, receiver: str) -> Iterable[Notification]:
        """What is still true among what this receiver was told."""
        return tuple(told for told in self._groups.active if receiver in receivers(self._routing, told, self._everyone))

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.delivery.run(), name="alerts/delivery")
            tasks.create_task(self._digests(), name="alerts/storm")

    async def close(self) -> None:
        """Tell what was held back, then close channels and outbox; what is still owed stays in the outbox."""
        if self._storm.due is not None:
            await self._digest(self._storm.due)
        await self.delivery.close()

    async def _digests(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self._digest(time.time())

    async def _digest(self, now: float) -> None:
        if (told := self._storm.digest(now)) is not None:
            await self._submit(told)

    async def _submit(self, told: Notification) -> None:
        await self.delivery.submit(told, receivers(self._routing, told, self._everyone))
