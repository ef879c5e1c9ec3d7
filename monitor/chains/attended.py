"""One node looked after: asked every two seconds for its chain, head and tags, and on new connections who it is."""

import asyncio
import time
from collections.abc import Callable

import msgspec

from monitor import metrics
from monitor.chains import health
from monitor.chains.capabilities import Capabilities, probe
from monitor.chains.evm import Evm, Quantity, quantity
from monitor.chains.health import Answer, Health, Sign, State
from monitor.chains.link import Link
from monitor.errors import NodeError, NodeSilent, NodeUnreachable, RpcRefused, WrongChain

EVERY, SOON = 2.0, 0.5
"""Seconds between two looks at a node that is alive, and at one that is not."""
THROTTLED = 0.25
"""Strikes for a refusal because of a limit: ten within a few seconds are too many, one for a burst of ours is not."""
WITHIN = 1.5
"""Seconds an answer to a look may take."""
AGAIN = 30.0
"""Seconds after which a node that was found unable to judge is asked once more (the answer may have been lost on the way), and
after which a connection that stands still is renewed once more."""


class Others(msgspec.Struct, frozen=True):
    """What a node is compared with: the highest head among the other usable ones (-1: none), and the chain's first block."""

    best: int
    genesis: str


class Attended:
    """`changed` is called with every change of health; `block_time` is in seconds."""

    def __init__(self, link: Link, *, block_time: float, changed: Callable[[], None]) -> None:
        self.link = link
        self.name = link.provider
        self.health = Health()
        self.capabilities: Capabilities | None = None
        self._evm = Evm(link.heads, chain=link.chain, verify=False)
        self._block_time = block_time
        self._changed = changed
        self._version = ""
        self._anew = False
        self._asked_on, self._probed_at, self._renewed_at = 0, float("-inf"), float("-inf")
        self._last = link.heads.state
        self._stir = asyncio.Event()
        self._missing = dict.fromkeys((lane.name for lane in link.lanes), time.monotonic())
        """Its connections that are not up, and since when."""
        link.changed = self._stirred
        for lane in link.lanes:
            lane.throttled = self._throttled

    @property
    def genesis(self) -> str:
        """The id of its first block; empty while it did not tell."""
        return self.link.identity.genesis

    def missing(self, seconds: float = 0.0) -> set[str]:
        """Its lanes that have been down for so many seconds on end."""
        return {name for name, since in self._missing.items() if time.monotonic() - since >= seconds}

    async def run(self, others: Callable[[], Others]) -> None:
        """Look again and again until cancelled."""
        while True:
            self._stir.clear()
            if self.link.heads.state.up and self.link.requests.state.up:
                self.believe(await self._look(others))
            try:
                async with asyncio.timeout(EVERY if self.health.state is State.ALIVE and self.health.answers else SOON):
                    await self._stir.wait()
            except TimeoutError:
                continue

    def ask_anew(self) -> None:
        """What it offers may have changed though it is the same program: it is asked now."""
        self._anew = True
        self._stir.set()

    def believe(self, now: Health) -> None:
        """Take over what is thought of it now."""
        self.health = now
        self._changed()

    def failed(self, error: NodeError, *, given_up: bool) -> None:
        """The follower had trouble with it; `given_up`: after many tries."""
        if given_up and not isinstance(error, NodeSilent | NodeUnreachable):
            self.contradicted(str(error))
        else:
            strikes = health.TOO_MANY if given_up else 1.0
            self.believe(health.failed(self.health, str(error), time.monotonic(), strikes=strikes))

    def contradicted(self, why: str) -> None:
        """It said what cannot be true."""
        self.believe(health.contradicted(self.health, why, time.monotonic()))

    async def block_id(self, height: int) -> str:
        """The id of its block at a height; empty where it gives none."""
        try:
            block = await self._evm.block(height, within=WITHIN)
        except NodeError:
            return ""
        return "" if block is None else block.position.id

    def _throttled(self, error: NodeError) -> None:
        """It was asked too much: a little less good than one that was not; time and again, and another leads for a while."""
        self.believe(health.failed(self.health, str(error), time.monotonic(), strikes=THROTTLED))

    def _stirred(self) -> None:
        """A lane came or went. A loss counts only for the heads: anyone can write a transaction that cuts another connection.

        One that does not come back is another matter, see `missing`: who wrote a transaction cannot keep us from dialling.
        """
        self._stir.set()
        now = time.monotonic()
        self._missing = {lane.name: self._missing.get(lane.name, now) for lane in self.link.lanes if not lane.state.up}
        was, self._last = self._last, self.link.heads.state
        if self._last.up or self._last.error is None:
            return
        why = self._last.error
        strikes = 1.0 if was.up else 0.0  # one for the loss of a connection, none for every reason it does not come back
        down = health.failed(self.health, why, now, strikes=strikes)
        self.believe(health.signed(down, Sign.FOREIGN if self._last.foreign else Sign.DOWN, why, now))

    async def _look(self, others: Callable[[], Others]) -> Health:
        try:
            chain_id, extent = await asyncio.gather(self._evm.chain_id(within=WITHIN), self._evm.extent(within=WITHIN))
            if f"eip155:{chain_id}" != self.link.chain:
                return self._swapped(chain_id)
            await self._get_to_know()
        except NodeError as error:
            return health.failed(self.health, str(error), time.monotonic())
        compared = others()
        if self.genesis and compared.genesis and self.genesis != compared.genesis:
            why = f"its first block is {self.genesis}, another node's is {compared.genesis}"
            return health.signed(self.health, Sign.FOREIGN, why, time.monotonic())
        head = extent.head
        answer = Answer(height=head.position.height, head_time=head.timestamp, safe=extent.safe, finalized=extent.finalized)
        now = health.answered(self.health, answer, compared.best, self._block_time, time.monotonic(), time.time())
        try:
            return await self._second_opinion(now)
        except NodeError:
            return now  # what it said on this connection stands

    async def _second_opinion(self, now: Health) -> Health:
        """Silence on one connection is asked about on another: behind one address there may be several nodes, one of them stuck.

        Raises the NodeError of an answer that does not come.
        """
        silent = time.monotonic() - now.advanced_at
        if now.state is not State.ALIVE or silent < max(health.LAG * self._block_time, health.LEAST_OLD):
            return now
        other = quantity(await self.link.requests.call("eth_blockNumber", timeout=WITHIN, type=Quantity))
        stuck = other >= now.height + health.LAG
        metrics.NODE_CHECKS.labels(self.link.chain, "second_connection", "failed" if stuck else "ok").inc()
        if not stuck:
            return now
        why = f"its head is {now.height} for {silent:.0f} s, and {other} on another connection"
        if time.monotonic() - self._renewed_at > AGAIN:
            self._renewed_at = time.monotonic()
            self.link.heads.drop(NodeSilent(f"{self.name}: {why}; reconnecting"))
        return health.signed(now, Sign.BEHIND, why, time.monotonic())

    def _swapped(self, chain_id: int) -> Health:
        """Another chain behind an open connection: every lane is ended, and refused until the right one is back."""
        why = f"{self.name}: serves chain eip155:{chain_id} now, configured is {self.link.chain}"
        for lane in self.link.lanes:
            lane.drop(WrongChain(why))
        return health.signed(self.health, Sign.FOREIGN, why, time.monotonic())

    async def _get_to_know(self) -> None:
        """Its program, on every connection; what it can do, when it is new, another program, could not judge, or refused to.

        Not on every connection: a probe whose answers get lost on a bad day would find a node unable that is not.
        """
        version, connects = self._version, self.link.heads.state.connects
        if self._asked_on != connects:
            version = await self._client_version()
        unable = self.capabilities is None or not self.capabilities.judges
        if self._anew or version != self._version or (unable and time.monotonic() - self._probed_at > AGAIN):
            self.capabilities = await probe(self.link.requests, chain=self.link.chain)
            self._probed_at, self._anew = time.monotonic(), False
        self._version, self._asked_on = version, connects

    async def _client_version(self) -> str:
        try:
            return str(await self.link.heads.call("web3_clientVersion", timeout=WITHIN, type=str))
        except RpcRefused:
            return ""
