"""The console: one clear block per notification on a stream; the channel that works before anything is configured."""

import sys
from typing import ClassVar, TextIO

from alerts.base import Channel, DeliveryFailed, Notification
from alerts.render import clock
from alerts.text import paragraphs, plain


class Console(Channel):
    """Writes to `stream` (standard error when None, looked up at each send) and flushes."""

    name: ClassVar[str] = "console"
    summary: ClassVar[str] = "A readable block on standard error."

    def __init__(self, *, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, notification: Notification) -> None:
        """Write the block in one call, so that blocks of two notifications never mix. Raises DeliveryFailed."""
        stream = self._stream or sys.stderr
        try:
            stream.write(block(notification, stream.encoding or "utf-8"))
            stream.flush()
        except (OSError, ValueError) as error:
            raise DeliveryFailed(f"console: the stream is closed or broken ({type(error).__name__})") from error


def block(notification: Notification, encoding: str = "utf-8") -> str:
    """The text: a head line with state, severity and time, then the body, each line behind a bar."""
    state = "RESOLVED" if notification.resolved else notification.severity.upper()
    head = f"[{state}] {clock(notification.at)} {plain(notification.title)}"
    text = "\n".join((head, *(f"  | {line}" for line in paragraphs(notification.body).split("\n")), ""))
    return text.encode(encoding, "backslashreplace").decode(encoding)
