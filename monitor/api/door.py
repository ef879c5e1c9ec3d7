"""The door of a listener: it answers the hot question itself, and hands every other connection on, head in hand.

A payment service asks for one flag over and over: such a request is a table look-up here, answered from bytes that were made once
an evaluation. Whoever wants to be told of changes is shown to a seat. Whatever else comes (another route, a body, an odd header)
goes to aiohttp with the connection, for good; while aiohttp is not there yet, it waits. Whoever does not finish a request's head
in time is shut out, and so is whoever comes when too many are inside. Who asks much at once is answered a turn at a time, and who
does not read the answers is asked nothing more, and is shut out in the end.
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol, cast

from monitor import metrics
from monitor.errors import ConfigError, SeawallError

HEAD_WITHIN = 10.0
"""Seconds a connection has to send its first request's head, and we to be there for it."""

IDLE_FOR = 75.0
"""Seconds a connection that was answered may stay silent; aiohttp's keep-alive is as long."""

READ_WITHIN = 30.0
"""Seconds a connection may leave more unread than asyncio buffers (64 KiB) before it is cut off."""

A_TURN = 100
"""Questions of one connection that are answered before others get a turn: a millisecond."""

MOST_HEAD = 16 * 1024
_END = b"\r\n\r\n"
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Reply(NamedTuple):
    """The bytes of an answer. `last`: the caller wants no other on this connection."""

    data: bytes
    last: bool = False


Quick = Callable[[bytes], Reply | None]
"""A whole request's head in; the whole answer out, or None when it is not the hot question."""


class Inside(Protocol):
    """What is behind the door."""

    def hand_over(self, data: bytes) -> asyncio.Protocol:
        """Who takes over a connection that begins with this."""

    def __len__(self) -> int:
        """How many connections were taken over and are still there."""


class Threshold:
    """A bound address and who stands in its door. `most` connections may be here, those taken over included.

    `address` is `host:port`; port 0 takes a free one, `url` says which.
    """

    def __init__(self, name: str, address: str, quick: Quick | None = None, *, most: int = 20_000) -> None:
        self.name = name
        self.address = address
        self.quick = quick
        self.most = most
        self.url = ""
        self.standing: set[Door] = set()
        self.inside: Inside | None = None
        self._server: asyncio.Server | None = None

    def __call__(self) -> "Door":
        """A connection comes: the factory that asyncio wants."""
        return Door(self)

    @property
    def full(self) -> bool:
        """Is there no room for one more?"""
        return len(self.standing) + (0 if self.inside is None else len(self.inside)) >= self.most

    async def open(self) -> None:
        """Bind. Raises SeawallError naming the address when it is taken."""
        host, _, port = self.address.rpartition(":")
        if not port.isdigit():
            raise ConfigError([f"api.{self.name}: not host:port: {self.address!r}"])
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self, host.strip("[]") or "127.0.0.1", int(port), reuse_address=True, backlog=1024
            )
        except OSError as error:
            raise SeawallError(
                f"api.{self.name}: cannot listen on {self.address}: {error.strerror}; is another one running?"
            ) from error
        bound = self._server.sockets[0].getsockname()
        self.url = f"http://{bound[0]}:{bound[1]}"

    def admit(self, inside: Inside) -> None:
        """From now on this is behind the door; who waited for it goes in."""
        self.inside = inside
        for door in list(self.standing):
            door.go_in()

    def close(self) -> None:
        """Take nobody more; everybody in the door leaves."""
        if self._server is not None:
            self._server.close()
        for door in list(self.standing):
            door.leave()


class Door(asyncio.Protocol):
    """One connection that has asked nothing but the hot question yet."""

    def __init__(self, threshold: Threshold) -> None:
        self._threshold = threshold
        self._kept = b""
        self._waits = False
        """Has it asked for what is not there yet?"""
        self._held_since: float | None = None
        """When we stopped taking and answering questions, until it reads or others had a turn."""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, if there is room."""
        self._transport = cast("asyncio.Transport", transport)
        threshold = self._threshold
        if threshold.full:
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
        self._kept = self._kept + data if self._kept else data
        self._answer()

    def pause_writing(self) -> None:
        """It leaves too much unread: nothing more is taken or answered until it reads."""
        self._held_since = self._loop.time()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It has read, or others had their turn."""
        self._held_since = None
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self._answer()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Gone."""
        self._forget()

    def leave(self) -> None:
        """Close the connection, once what was written is sent. Until then it counts, and its time runs."""
        self._kept = b""
        self._transport.close()

    def go_in(self) -> None:
        """What it waited for is there."""
        if self._waits:
            self._waits = False
            self._transport.resume_reading()
            self._pass_on()

    def _answer(self) -> None:
        kept, at, quick = self._kept, 0, self._threshold.quick
        for _ in range(A_TURN):
            end = kept.find(_END, at) + len(_END)
            whole = end >= len(_END)
            answer = quick(kept[at:end]) if whole and quick is not None else None
            if answer is None:
                self._kept = kept[at:]
                if whole or len(self._kept) > MOST_HEAD:
                    self._pass_on()
                return
            self._transport.write(answer.data)
            at = end
            if answer.last:
                self.leave()
                return
            if self._held_since is not None:
                break
        self._kept = kept[at:]
        if self._held_since is None:
            self.pause_writing()
            self._loop.call_soon(self.resume_writing)

    def _pass_on(self) -> None:
        inside = self._threshold.inside
        if inside is None:
            self._waits = True
            self._transport.pause_reading()
            return
        data, self._kept = self._kept, b""
        self._forget()
        next_one = inside.hand_over(data)
        self._transport.set_protocol(next_one)
        next_one.connection_made(self._transport)
        next_one.data_received(data)

    def _look(self) -> None:
        """Time is up for whoever is half-way through a head, does not read, or has been silent for too long."""
        now = self._loop.time()
        if self._held_since is not None:
            late = now - self._held_since >= READ_WITHIN
        else:
            late = bool(self._kept) or now - self._heard_at >= IDLE_FOR - HEAD_WITHIN
        if late:
            metrics.CONNECTIONS_REFUSED.labels(self._threshold.name, "slow").inc()
            self._transport.abort()  # to close would wait for what is unread to be read
            return
        self._timer = self._loop.call_later(HEAD_WITHIN, self._look)

    def _forget(self) -> None:
        self._threshold.standing.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
