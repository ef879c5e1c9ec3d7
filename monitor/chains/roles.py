"""A lane that changes nodes: the same interface, always that of the node in the lead."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from monitor.chains.link import Lane, LaneState
from monitor.chains.rpc import Ask, Pushed, Rpc, Subscription
from monitor.errors import NodeError, NodeGarbled, NodeOversize, NodeSilent
from monitor.stream import Queue


class Cast(Protocol):
    """Who fills the roles."""

    def lane(self, role: str) -> Lane:
        """The lane of that name of the node in the lead."""

    async def turn(self) -> None:
        """Wait for the lead to move."""

    def noticed(self, lane: Lane, error: NodeError, *, given_up: bool = False) -> None:
        """The follower had trouble with this lane."""


class Role:
    """`name` is a lane's. Only what the follower meets in `heads` counts against a node: others ask what attackers wrote."""

    def __init__(self, cast: Cast, name: str) -> None:
        self.name = name
        self._cast = cast

    @property
    def lane(self) -> Lane:
        """The lane of the moment."""
        return self._cast.lane(self.name)

    @property
    def state(self) -> LaneState:
        """As `Lane.state`."""
        return self.lane.state

    @property
    def rpc(self) -> Rpc:
        """As `Lane.rpc`."""
        return self.lane.rpc

    async def ready(self) -> Rpc:
        """As `Lane.ready`, of whichever node is in the lead by then."""
        while True:
            lane = self.lane
            opened, turned = asyncio.create_task(lane.ready()), asyncio.create_task(self._cast.turn())
            try:
                await asyncio.wait((opened, turned), return_when=asyncio.FIRST_COMPLETED)
                if opened.done() and lane is self.lane:
                    return opened.result()
            finally:
                opened.cancel()
                turned.cancel()

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
        lane = self.lane
        try:
            return await lane.call(method, params, timeout=timeout, type=type, raw=raw)
        except NodeError as error:
            self._noticed(lane, error)
            raise

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109 - as Rpc.batch
        """As `Rpc.batch`."""
        lane = self.lane
        try:
            return await lane.batch(asks, timeout=timeout)
        except NodeError as error:
            self._noticed(lane, error)
            raise

    async def subscribe(self, params: Sequence[Any], *, queue: Queue[Pushed]) -> Subscription:
        """As `Rpc.subscribe`; it ends with the connection, and so with the lead."""
        return await self.lane.subscribe(params, queue=queue)

    def drop(self, error: NodeError) -> None:
        """This connection does not do its work: end it; given up by the follower, its node loses the lead to a better one."""
        lane = self.lane
        lane.drop(error)
        if self.name == "heads":
            self._cast.noticed(lane, error, given_up=True)

    def doubt(self, error: NodeError) -> None:
        """The node in the lead contradicts what is certain: let another lead, if there is one."""
        self._cast.noticed(self.lane, error, given_up=True)

    def _noticed(self, lane: Lane, error: NodeError) -> None:
        if self.name == "heads" and isinstance(error, NodeSilent | NodeGarbled) and not isinstance(error, NodeOversize):
            self._cast.noticed(lane, error)
