"""A node kept in reach: connections of their own for heads, pending transactions, requests and long traces, redialled for ever.

They are apart so that a flood of pending transactions, or a trace bigger than we take, cannot hold up or cut the heads. Each
reconnect asks first who is there: a node of another chain is refused, and asked again slowly, so that recovery needs no
restart. Waiting between tries grows from a jittered blink to a few seconds; a sibling that gets through ends the wait.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import msgspec
import structlog

from monitor import metrics
from monitor.chains import wire
from monitor.chains.evm import Caller
from monitor.chains.identity import Identity, Pinned
from monitor.chains.pace import Pace
from monitor.chains.patience import Patience
from monitor.chains.rpc import MIB, Ask, Pushed, Rpc, Subscription
from monitor.errors import NodeBusy, NodeError, NodeOversize, NodeUnreachable, RpcRefused, WrongChain
from monitor.stream import Queue

log = structlog.get_logger()

FIRST_WAIT, LONGEST_WAIT = (0.05, 0.3), 4.0
"""Seconds: the first wait is drawn between these two, the longest never exceeds this."""
LONGEST_OF_HEADS = 1.0
"""The same for the heads, whose lane goes first: the others wait for it, and no flag for a node that is back."""
HURRIES = 0.3
"""A connection that lived so long, seconds, ends its siblings' wait."""
WRONG_CHAIN_WAIT = 3.0
URGENT = "heads"
"""The lane whose calls have a share of the node's limit to themselves: following the chain comes before everything else."""
STEADY = 1.0
"""A connection that lived so long, seconds, makes the next wait a short one again."""
ANSWERS_WITHIN = 1.0
"""Seconds the first answers of a connection may take; doubles with each connection until the node is given the longest."""
LONGEST_ANSWER = 8.0
LANES = {
    "heads": 64 * MIB, "pending": 4 * MIB, "requests": 64 * MIB, "simulations": 9 * MIB, "aside": 9 * MIB, "slow": 9 * MIB,
    "traces": 32 * MIB,
}  # fmt: skip
"""The longest message each connection takes: logs and traces are long, a pending transaction is not.

Simulations have connections of their own: a pending transaction whose trace is longer than we take ends the connection it was
asked on, and one that takes long holds up what was asked there after it. So `aside` is for those with no reason to touch anything
watched, and `slow` for those that were too slow before.
"""


class LaneState(msgspec.Struct, frozen=True):
    """One connection: `error` is why it is down, `since` our clock at the last change, `connects` how often it came up.

    `foreign`: it was refused because it serves another chain.
    """

    up: bool
    error: str | None
    since: float
    connects: int
    foreign: bool = False


class Line(Caller, Protocol):
    """What a feed needs of its connection: a `Lane`, or a role that moves from node to node (`nodes.py`)."""

    async def ready(self) -> Rpc:
        """The open connection, waiting for one as long as it takes."""

    def drop(self, error: NodeError) -> None:
        """This connection does not do its work."""

    def doubt(self, error: NodeError) -> None:
        """What the node says contradicts what is certain; no new connection to the same one can help."""


class Lane:
    """One connection kept up. Calls go to the connection of the moment and fail at once while there is none."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        identity: Identity,
        pace: Pace,
        chain: str,
        provider: str,
        pulse: "_Pulse",
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.throttled: Callable[[NodeError], None] = lambda _: None
        self._identity = identity
        self._pace, self._urgent = pace, name == URGENT
        self.chain = chain
        self.provider = provider
        self.state = LaneState(up=False, error=None, since=time.time(), connects=0)
        self._url = url
        self._rpc: Rpc | None = None
        self._pulse = pulse
        self._changed = changed
        self._up = asyncio.Event()
        self._tries = 0
        self._patience = Patience(provider, ANSWERS_WITHIN)

    @property
    def rpc(self) -> Rpc:
        """The open connection. Raises NodeUnreachable with the reason while there is none."""
        if self._rpc is None or self._rpc.closed.done():
            raise NodeUnreachable(self.state.error or f"{self.provider} ({wire.shown(self._url)}): not connected yet")
        return self._rpc

    async def ready(self) -> Rpc:
        """The open connection, waiting for one as long as it takes."""
        while self._rpc is None or self._rpc.closed.done():
            self._up.clear()
            await self._up.wait()
        return self._rpc

    async def call(
        self,
        method: str,
        params: Sequence[Any] = (),
        *,
        timeout: float,  # noqa: ASYNC109 - as Rpc.call
        type: Any = None,  # noqa: A002, ANN401 - as Rpc.call
        raw: bool = False,
    ) -> Any:  # noqa: ANN401 - as Rpc.call
        """As `Rpc.call`."""
        rpc = self.rpc
        left = await self._pace.turn(1, urgent=self._urgent, within=timeout)
        try:
            return await rpc.call(method, params, timeout=left, type=type, raw=raw)
        except RpcRefused as error:
            self._look_at(error)
            raise

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109 - as Rpc.batch
        """As `Rpc.batch`."""
        rpc = self.rpc
        left = await self._pace.turn(len(asks), urgent=self._urgent, within=timeout)
        try:
            replies = await rpc.batch(asks, timeout=left)
        except RpcRefused as error:
            self._look_at(error)
            raise
        for reply in replies:
            if isinstance(reply, RpcRefused):
                self._look_at(reply)
        return replies

    def _look_at(self, refused: RpcRefused) -> None:
        if refused.throttled and self._pace.refused():
            metrics.THROTTLED.labels(self.chain, self.provider).inc()
            self.throttled(refused)

    async def subscribe(self, params: Sequence[Any], *, queue: Queue[Pushed]) -> Subscription:
        """As `Rpc.subscribe`; it ends with the connection, and is the subscriber's to renew."""
        return await self.rpc.subscribe(params, queue=queue)

    def drop(self, error: NodeError) -> None:
        """This connection does not do its work: end it and make another."""
        if self._rpc is not None:
            self._rpc.drop(error)

    def doubt(self, error: NodeError) -> None:
        """There is no other node to ask: the connection stays, for what the node says next."""

    async def run(self) -> None:
        """Keep it up until cancelled."""
        while True:
            try:
                error = await self._live()
            except NodeError as failed:
                error = failed
            self._down(error)
            wait = self._wait(error)
            if not isinstance(error, WrongChain):
                await self._pulse.sleep(wait)  # a sibling that lasts says that a limit is over, too
            else:
                await asyncio.sleep(wait)

    async def _live(self) -> NodeError:
        rpc = await Rpc.connect(self._url, provider=self.provider, chain=self.chain, max_size=LANES[self.name])
        try:
            await self._check(rpc)
            self._rpc = rpc
            self.state = LaneState(up=True, error=None, since=time.time(), connects=self.state.connects + 1)
            self._changed()
            self._up.set()
            log.info("node_up", chain=self.chain, provider=self.provider, lane=self.name)
            await asyncio.wait((rpc.closed,), timeout=HURRIES)
            if not rpc.closed.done():
                self._pulse.beat()  # only one that lasts may hurry the others, or a node that hangs up would be hammered
            return await asyncio.shield(rpc.closed)
        finally:
            self._rpc = None
            await rpc.close()

    async def _check(self, rpc: Rpc) -> None:
        """Ask who it is, ever more patiently: an answer that was lost must not cost what a slow node is given."""
        longest = min(LONGEST_ANSWER, ANSWERS_WITHIN * 2**self._tries)
        await self._patience.read(partial(self._identity.check, rpc, rpc.where), altogether=longest)

    def _down(self, error: NodeError) -> None:
        if self.state.up and time.time() - self.state.since >= STEADY:
            self._tries = 0
        if self.state.up or self.state.error != str(error):
            log.warning("node_down", chain=self.chain, provider=self.provider, lane=self.name, error=str(error))
            foreign = isinstance(error, WrongChain)
            self.state = LaneState(up=False, error=str(error), since=time.time(), connects=self.state.connects, foreign=foreign)
            self._changed()

    def _wait(self, error: NodeError) -> float:
        if isinstance(error, NodeOversize | NodeBusy):
            return FIRST_WAIT[0]  # a question's fault and not the node's: others wait to be asked
        if isinstance(error, WrongChain):
            return random.uniform(WRONG_CHAIN_WAIT / 2, WRONG_CHAIN_WAIT)  # noqa: S311 - jitter, no secret
        first = self.name == "heads"
        longest, doubled = (LONGEST_OF_HEADS, self._tries) if first else (LONGEST_WAIT, self._tries + 1)
        wait: float = min(longest, random.uniform(*FIRST_WAIT) * 2**doubled)  # noqa: S311 - jitter, no secret
        self._tries = min(self._tries + 1, 10)
        return wait


class _Pulse:
    """Lets a lane that gets through wake its siblings."""

    def __init__(self) -> None:
        self._sleepers: set[asyncio.Future[None]] = set()

    def beat(self) -> None:
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.add(sleeper)
        try:
            async with asyncio.timeout(seconds):
                await sleeper
        except TimeoutError:
            return
        finally:
            self._sleepers.discard(sleeper)


class LinkState(msgspec.Struct, frozen=True):
    """A node for people: up only when every connection is; `error` is the first reason among those that are down."""

    provider: str
    chain: str
    url: str
    up: bool
    error: str | None
    lanes: dict[str, LaneState]


class Link:
    """One node's seven lanes. `chain` is CAIP-2 (`eip155:N`), `provider` the node's name in the configuration.

    `checkpoint` is a block it must have, `rate` the calls a second its plan allows. `changed` is called whenever one of them came
    up or went down.
    """

    def __init__(
        self, url: str, *, chain: str, provider: str, checkpoint: Pinned | None = None, rate: float | None = None
    ) -> None:
        pulse = _Pulse()
        self.identity = Identity(chain, provider, checkpoint)
        pace = Pace(provider, rate)
        self.chain = chain
        self.provider = provider
        self.changed: Callable[[], None] = lambda: None
        self._url = url
        self.heads, self.pending, self.requests, self.simulations, self.aside, self.slow, self.traces = (
            Lane(name, url, identity=self.identity, pace=pace, chain=chain, provider=provider, pulse=pulse, changed=self._changed)
            for name in LANES
        )

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """All of them."""
        return self.heads, self.pending, self.requests, self.simulations, self.aside, self.slow, self.traces

    @property
    def state(self) -> LinkState:
        """Up or down, and why."""
        lanes = {lane.name: lane.state for lane in self.lanes}
        errors = [state.error for state in lanes.values() if not state.up]
        error = next((error for error in errors if error), None)
        return LinkState(self.provider, self.chain, wire.shown(self._url), not errors, error, lanes)

    async def run(self) -> None:
        """Keep all of them up until cancelled."""
        async with asyncio.TaskGroup() as group:
            for lane in self.lanes:
                group.create_task(lane.run(), name=f"link {self.chain} {self.provider} {lane.name}")

    def _changed(self) -> None:
        metrics.NODE_UP.labels(self.chain, self.provider).set(self.state.up)
        self.changed()
