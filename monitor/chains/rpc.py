"""A JSON-RPC multiplexer on one WebSocket: replies find their caller by id, notifications their queue by subscription.

The reader task only parses envelopes and routes them, so that no slow consumer can hold up a reply. A frame that is not
JSON-RPC is counted and skipped; three on end close the connection, since such a stream cannot be trusted. A late reply to a
call that gave up is dropped. Every call has a deadline. Pings go out every 5 s and wait 5 s, which is what finds a black hole.
"""

import asyncio
import socket as sockets
import time
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple, Self

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from monitor import metrics
from monitor.chains import wire
from monitor.errors import NodeError, NodeGarbled, NodeSilent, NodeUnreachable
from monitor.stream import Queue

MIB = 1 << 20
PING = 5.0
"""Seconds between pings, and seconds a pong may take."""
STRIKES = 3
"""Unusable frames on end after which the connection is given up."""
_OPEN, _CLOSE = 5.0, 0.5
_QUICKACK: int | None = getattr(sockets, "TCP_QUICKACK", None)
"""Linux has it; elsewhere acknowledgements take their time."""
_READ_AHEAD = 64
"""Messages websockets holds before it stops reading the socket: the node's buffer fills next, never our memory."""


class Pushed(msgspec.Struct, frozen=True, gc=False):
    """A notification: our clock when it was read (unix seconds), and its undecoded result."""

    at: float
    raw: msgspec.Raw


class Ask(NamedTuple):
    """One call of a batch; `type` as in `Rpc.call`."""

    method: str
    params: Sequence[Any] = ()
    type: Any = None


class Subscription(NamedTuple):
    """What the node named it, and where its notifications arrive. The queue closes with the connection's error."""

    id: str | int
    queue: Queue[Pushed]


class _Waiting(NamedTuple):
    reply: "asyncio.Future[wire.Envelope | NodeError]"
    queue: Queue[Pushed] | None = None


class Rpc:
    """One open connection. Make it with `connect`; whoever does closes it."""

    def __init__(self, socket: ClientConnection, *, url: str, provider: str, chain: str) -> None:
        self.where = wire.shown(url)
        self.provider = provider
        self.chain = chain
        self.closed: asyncio.Future[NodeError] = asyncio.get_running_loop().create_future()
        """Done once the connection is over, with why."""
        self._socket = socket
        self._ids = count(1)
        self._waiting: dict[int, _Waiting] = {}
        self._queues: dict[int | str, Queue[Pushed]] = {}
        self._strikes = 0
        self._tcp: sockets.socket | None = socket.transport.get_extra_info("socket") if _QUICKACK is not None else None
        self._acknowledging = self._tcp is None
        self._reader = asyncio.create_task(self._read(), name=f"rpc {chain} {provider}")

    @classmethod
    async def connect(cls, url: str, *, provider: str, chain: str, max_size: int = MIB, within: float = _OPEN) -> Self:
        """Open a connection. `max_size` is the longest message taken, bytes; `within` the seconds this may take.

        Raises NodeUnreachable, NodeSilent or RpcRefused (throttled).
        """
        what = f"connecting to {provider} ({wire.shown(url)})"
        try:
            async with asyncio.timeout(within):
                socket = await connect(
                    url, compression=None, max_size=max_size, max_queue=_READ_AHEAD, open_timeout=None, close_timeout=_CLOSE,
                    ping_interval=PING, ping_timeout=PING, proxy=None, user_agent_header="seawall",
                )  # fmt: skip
        except wire.FOREIGN as error:
            raise wire.translated(error, what) from None  # the cause would carry the URL, and with it its key
        return cls(socket, url=url, provider=provider, chain=chain)

    async def call(
        self,
        method: str,
        params: Sequence[Any] = (),
        *,
        timeout: float,  # noqa: ASYNC109 - the deadline is part of the question
        type: Any = None,  # noqa: A002, ANN401 - reads as in msgspec; any type it knows
        raw: bool = False,
    ) -> Any:  # noqa: ANN401 - `type` decides
        """The `result` of one call within `timeout` seconds, decoded as `type` (plain values when None).

        `raw` gives the result's bytes undecoded, however deep they nest. Raises NodeUnreachable, NodeSilent, NodeGarbled or
        RpcRefused.
        """
        (reply,) = await self._ask([Ask(method, params)], timeout, framed=False)
        if isinstance(reply, NodeError):
            raise reply
        return bytes(reply) if raw else wire.decode_result(reply, type, f"{method} on {self.provider}")

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109 - one deadline for the whole frame
        """Many calls in one frame: a result each, in order; a call the node refused gives its RpcRefused in place.

        Raises as `call` when the batch as a whole fails, or when a result has not its type's shape.
        """
        if not asks:
            return []
        replies = await self._ask(asks, timeout, framed=True)
        return [
            reply if isinstance(reply, NodeError) else wire.decode_result(reply, ask.type, f"{ask.method} on {self.provider}")
            for ask, reply in zip(asks, replies, strict=True)
        ]

    async def subscribe(self, params: Sequence[Any], *, queue: Queue[Pushed], timeout: float = _OPEN) -> Subscription:  # noqa: ASYNC109
        """`eth_subscribe`; notifications go to `queue` under its loss rule. Raises as `call`."""
        (reply,) = await self._ask([Ask("eth_subscribe", params)], timeout, framed=False, queue=queue)
        if isinstance(reply, NodeError):
            raise reply
        return Subscription(wire.decode_result(reply, str | int, f"eth_subscribe on {self.provider}"), queue)

    async def unsubscribe(self, subscription: Subscription, *, timeout: float = _OPEN) -> None:  # noqa: ASYNC109
        """Stop it; notifications on their way are dropped. Raises as `call`."""
        self._queues.pop(subscription.id, None)
        subscription.queue.close()
        await self.call("eth_unsubscribe", [subscription.id], timeout=timeout)

    def drop(self, error: NodeError) -> None:
        """End at once, without a farewell: this connection is not to be trusted any more."""
        self._over(error)
        self._socket.transport.abort()

    async def close(self) -> None:
        """Say goodbye and end; at most half a second."""
        self._over(NodeUnreachable(f"{self.provider} ({self.where}): closed by us"))
        await self._socket.close()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _ask(
        self,
        asks: Sequence[Ask],
        timeout: float,  # noqa: ASYNC109 - handed on from the caller
        *,
        framed: bool,
        queue: Queue[Pushed] | None = None,
    ) -> list[msgspec.Raw | NodeError]:
        method = asks[0].method if len({ask.method for ask in asks}) == 1 else "batch"
        what = f"{method} on {self.provider} ({self.where})"
        if self.closed.done():
            raise wire.again(self.closed.result())
        loop = asyncio.get_running_loop()
        waiting = {next(self._ids): _Waiting(loop.create_future(), queue) for _ in asks}
        bodies = [
            {"jsonrpc": "2.0", "id": key, "method": a.method, "params": a.params} for key, a in zip(waiting, asks, strict=True)
        ]
        self._waiting |= waiting
        started, outcome = time.perf_counter(), "failed"
        try:
            async with asyncio.timeout(timeout):
                await self._socket.send(wire.encode(bodies if framed else bodies[0]), text=True)
                results = [self._result(await one.reply, what) for one in waiting.values()]
            outcome = "refused" if any(isinstance(result, NodeError) for result in results) else "ok"
        except TimeoutError:
            outcome = "timeout"
            raise NodeSilent(f"{what}: no answer within {timeout:g} s; is the node stuck?") from None
        except wire.FOREIGN as error:
            raise wire.translated(error, what) from None
        finally:
            for key in waiting:
                del self._waiting[key]
            metrics.RPC_REQUESTS.labels(self.chain, self.provider, method, outcome).inc()
            metrics.RPC_SECONDS.labels(self.chain, self.provider, method).observe(time.perf_counter() - started)
        return results

    def _result(self, reply: wire.Envelope | NodeError, what: str) -> msgspec.Raw | NodeError:
        if isinstance(reply, NodeError):
            raise reply  # the connection's own end, or a limit that names no call
        if not wire.absent(reply.error):
            return wire.refusal(reply.error, what)
        if len(reply.result) == 0:
            return NodeGarbled(f"{what}: a reply with neither result nor error")
        return reply.result

    async def _read(self) -> None:
        receive, decode, queues, now = self._socket.recv, wire.decode_envelope, self._queues, time.time
        soon = asyncio.get_running_loop().call_soon
        try:
            while True:
                data = await receive(decode=False)
                if not self._acknowledging:
                    self._acknowledging = True
                    soon(self._acknowledge)
                try:
                    envelope = decode(data)
                except wire.UNREADABLE:
                    self._odd(data)
                    continue
                push = envelope.params
                if push is None:
                    self._route(envelope)
                elif (queue := queues.get(push.subscription)) is not None:
                    queue.offer(Pushed(now(), push.result))
                    self._strikes = 0
                else:
                    self._count("unclaimed")
        except asyncio.CancelledError:
            self._over(NodeUnreachable(f"{self.provider} ({self.where}): closed by us"))
            raise
        except Exception as error:  # noqa: BLE001 - whatever ends the stream, everyone waiting must hear of it
            self._over(wire.translated(error, f"{self.provider} ({self.where})"))
            self._socket.transport.abort()

    def _acknowledge(self) -> None:
        """Have the kernel acknowledge now what was read in this turn of the loop; it forgets the wish, so it is told each turn.

        A node without TCP_NODELAY holds its next small frame back until the last one is acknowledged (Nagle's algorithm), and
        delayed acknowledgements take 40 ms: measured, half of all heads came that late, and one pending push in a hundred.
        """
        self._acknowledging = False
        if self._tcp is not None and _QUICKACK is not None:
            try:
                self._tcp.setsockopt(sockets.IPPROTO_TCP, _QUICKACK, 1)
            except OSError:  # closed already; what was received before that is still read
                self._tcp = None

    def _odd(self, data: bytes) -> None:
        try:
            replies = wire.decode_odd(data)
        except NodeGarbled as error:
            self._strikes += 1
            self._count("undecodable")
            if self._strikes >= STRIKES:
                raise NodeGarbled(f"{self.provider} ({self.where}): {STRIKES} times on end {error}; reconnecting") from None
            return
        for envelope in replies:
            self._route(envelope)

    def _route(self, envelope: wire.Envelope) -> None:
        self._strikes = 0
        waiting = self._waiting.get(envelope.id) if isinstance(envelope.id, int) else None
        if waiting is None:
            self._homeless(envelope)
            return
        if waiting.queue is not None and wire.absent(envelope.error):
            self._open(waiting.queue, envelope.result)
        if not waiting.reply.done():
            waiting.reply.set_result(envelope)

    def _open(self, queue: Queue[Pushed], named: msgspec.Raw) -> None:
        # Here and not where the caller resumes: the first notification may already be in the next frame.
        try:
            self._queues[msgspec.json.decode(named, type=str | int)] = queue
        except wire.UNREADABLE:
            self._count("undecodable")

    def _homeless(self, envelope: wire.Envelope) -> None:
        """A reply to no id: late (nobody's any more), or an error about a request the node could not read or would not take.

        Rate limits arrive like this; every caller backs off then, since nobody knows whose it was.
        """
        self._count("unclaimed")
        if envelope.id is not None or wire.absent(envelope.error):
            return
        refused = wire.refusal(envelope.error, f"a call to {self.provider}")
        if refused.throttled or len(self._waiting) == 1:
            self._fail(refused)

    def _fail(self, error: NodeError) -> None:
        for waiting in self._waiting.values():
            if not waiting.reply.done():
                waiting.reply.set_result(wire.again(error))

    def _over(self, error: NodeError) -> None:
        if self.closed.done():
            return
        self.closed.set_result(error)
        self._fail(error)
        for queue in self._queues.values():
            queue.close(error)

    def _count(self, outcome: str) -> None:
        metrics.FRAMES_BAD.labels(self.chain, outcome).inc()
