"""The other hundred services, through apprise (https://github.com/caronc/apprise): an extra, installed with `seawall[apprise]`.

apprise blocks and knows no retries of ours, so it runs in a thread and a failure is tried again as any other.
"""

import asyncio
from typing import TYPE_CHECKING, ClassVar

from alerts.base import Channel, DeliveryFailed, Notification

if TYPE_CHECKING:
    from apprise import Apprise as Service

_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


class Apprise(Channel):
    """Tells every one of `urls`, in apprise's own notation. They are secrets and are named in no error."""

    name: ClassVar[str] = "apprise"
    summary: ClassVar[str] = "Any service that apprise knows (extra: seawall[apprise])."

    def __init__(self, *, urls: tuple[str, ...]) -> None:
        if not urls:
            raise ValueError("urls: empty; apprise's documentation lists the notation of every service")
        self._urls = urls
        self._service: Service | None = None

    async def send(self, notification: Notification) -> None:
        """Tell them. Raises DeliveryFailed when one of them did not take it."""
        taken = await asyncio.to_thread(self._notify, notification)
        if not taken:
            raise DeliveryFailed("apprise: a service did not take it; its own log says which")

    def _notify(self, notification: Notification) -> bool:
        service = self._opened()
        kind = "success" if notification.resolved else _TYPES[notification.severity.value]
        return bool(service.notify(title=notification.title, body=notification.body, notify_type=kind, body_format="text"))

    def _opened(self) -> "Service":
        if self._service is None:
            try:
                import apprise  # noqa: PLC0415 - an extra, and slow to import
            except ImportError:
                raise DeliveryFailed("apprise is not installed here: pip install 'seawall[apprise]'", permanent=True) from None
            service = apprise.Apprise()
            for number, url in enumerate(self._urls):
                if not service.add(url):
                    raise DeliveryFailed(f"apprise: urls[{number}] is nothing it knows", permanent=True)
            self._service = service
        return self._service
