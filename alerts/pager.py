"""The whole way in one place: fold into incidents, find who is to know, and owe it to them."""

from collections.abc import Callable, Iterable, Mapping

from alerts.base import Channel, Notification, Receipt
from alerts.deliver import Delivery
from alerts.group import Groups, fold
from alerts.lane import Limits
from alerts.outbox import Outbox
from alerts.route import Routing, receivers


class Pager:
    """Tells people. After a restart `restore` what the journal says was told, then `tell` the rest: ids make that safe."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        outbox: Outbox,
        on_receipt: Callable[[Receipt], None],
        *,
        routing: Routing | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._everyone = tuple(channels)
        self._routing = routing or Routing()
        self._groups = Groups()
        self.delivery = Delivery(channels, outbox, on_receipt, active=self.active, limits=limits)

    def restore(self, notification: Notification) -> None:
        """Remember it as told, without telling anyone."""
        self._groups, _ = fold(self._groups, notification, notification.at)

    async def tell(self, notification: Notification) -> Notification | None:
        """Tell whoever is to know; what was told comes back, or None when those who know need not hear more."""
        self._groups, told = fold(self._groups, notification, notification.at)
        if told is not None:
            await self.delivery.submit(told, receivers(self._routing, told, self._everyone))
        return told

    def active(self, receiver: str) -> Iterable[Notification]:
        """What is still true among what this receiver was told."""
        return tuple(told for told in self._groups.active if receiver in receivers(self._routing, told, self._everyone))

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self.delivery.run()

    async def close(self) -> None:
        """Close channels and outbox; what is still owed stays in the outbox."""
        await self.delivery.close()
