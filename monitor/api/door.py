"""The door of a listener: it answers the one hot question itself, and hands every other connection to aiohttp, head in hand.

A payment service asks for one flag over and over: such a request is a table look-up here, answered from bytes that were made once
an evaluation. Whatever else comes (another route, a body, an odd header) goes to aiohttp with the connection, for good. Whoever
does not finish a request's head in time is shut out, and so is whoever comes when too many are inside.
"""

import asyncio
from collections.abc import Callable
from typing import cast

from monitor import metrics

HEAD_WITHIN = 10.0
"""Seconds a connection has to send its first request's head."""

IDLE_FOR = 75.0
"""Seconds a connection that was answered may stay silent; aiohttp's keep-alive is as long."""

MOST_HEAD = 16 * 1024
_END = b"\r\n\r\n"
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Quick = Callable[[bytes], bytes | None]
"""A whole request's head in; the whole answer out, or None when it is not the hot question."""


class Threshold:
    """Who stands in a listener's door. `most` connections may be inside, handed over ones included."""

    def __init__(self, name: str, hand_over: Callable[[], asyncio.Protocol], quick: Quick | None, most: int) -> None:
        self.name = name
        self.hand_over = hand_over
        self.quick = quick
        self.most = most
        self.standing: set[Door] = set()
        self.inside: Callable[[], int] = lambda: 0
        """How many were handed over and are still there."""

    def __call__(self) -> "Door":
        """A connection comes: the factory that asyncio wants."""
        return Door(self)

    def close(self) -> None:
        """Everybody in the door leaves."""
        for door in list(self.standing):
            door.leave()


class Door(asyncio.Protocol):
    """One connection that has asked nothing but the hot question yet."""

    def __init__(self, threshold: Threshold) -> None:
        self._threshold = threshold
        self._kept = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, if there is room."""
        self._transport = cast("asyncio.Transport", transport)
        threshold = self._threshold
        if len(threshold.standing) + threshold.inside() >= threshold.most:
            metrics.CONNECTIONS_REFUSED.labels(threshold.name, "full").inc()
            self._transport.write(_FULL)
            self._transport.close()
            return
        threshold.standing.add(self)
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_later(HEAD_WITHIN, self._look)

    def data_received(self, data: bytes) -> None:
        """Answer what can be answered here; hand over at the first thing that cannot."""
        if self not in self._threshold.standing:
            return
        self._heard_at = self._loop.time()
        kept = self._kept + data if self._kept else data
        quick = self._threshold.quick
        while kept:
            end = kept.find(_END)
            if end < 0:
                if len(kept) > MOST_HEAD:
                    break
                self._kept = kept
                return
            answer = quick(kept[: end + 4]) if quick is not None else None
            if answer is None:
                break
            self._transport.write(answer)
            kept = kept[end + 4 :]
        self._kept = b""
        if kept:
            self._hand_over(kept)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Gone."""
        self._forget()

    def leave(self) -> None:
        """Close the connection."""
        self._forget()
        self._transport.close()

    def _hand_over(self, data: bytes) -> None:
        self._forget()
        inner = self._threshold.hand_over()
        self._transport.set_protocol(inner)
        inner.connection_made(self._transport)
        inner.data_received(data)

    def _look(self) -> None:
        """Time is up for whoever is half-way through a head, or has been silent for too long."""
        silent = self._loop.time() - self._heard_at
        if self._kept or silent >= IDLE_FOR - HEAD_WITHIN:
            metrics.CONNECTIONS_REFUSED.labels(self._threshold.name, "slow").inc()
            self.leave()
            return
        self._timer = self._loop.call_later(HEAD_WITHIN, self._look)

    def _forget(self) -> None:
        self._threshold.standing.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
