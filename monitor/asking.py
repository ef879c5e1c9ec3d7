"""Asking: simulations on one connection to a node, which is ended as soon as others wait for one that is long in coming.

Another is made at once, and whoever was in flight beside is asked there anew; the one that was long is not.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from detectors.events import Position, Transaction, Unjudged
from detectors.execution import Execution
from monitor.errors import NodeBusy, NodeError
from monitor.feeds.executions import LATE, UNREACHABLE, Executions
from monitor.feeds.tracing import Caller
from monitor.places import Places

LOOKS_EVERY = 0.05
"""Seconds between looks at whether one that is in flight holds up others."""

RECONNECT_WITHIN = 2.0
"""Seconds that a simulation cut off waits for its connection to come back."""


class Connection(Caller, Protocol):
    """What simulations are asked on."""

    async def ready(self) -> object:
        """Wait until it is open."""

    def drop(self, error: NodeError) -> None:
        """End it: another one is made."""


class Asking:
    """One connection with its places. `crowded`: does anyone wait for a place? `patience`: seconds given to one meanwhile."""

    def __init__(
        self,
        connection: Connection,
        executions: Executions,
        places: Places,
        crowded: Callable[[], bool],
        patience: Callable[[], float],
    ) -> None:
        self.connection = connection
        self.executions = executions
        self.places = places
        self.hurried: set[str] = set()
        """Of those in flight, whose being long ended the connection."""
        self._crowded = crowded
        self._patience = patience

    async def simulated(self, tx: Transaction, head: Position, before: Sequence[Transaction]) -> Execution | Unjudged:
        """Once more after a reconnect: another's trace, too long for any connection, may have ended ours under us."""
        clock = asyncio.get_running_loop().time
        began = clock()
        first = await self._in_time(tx, head, before)
        if isinstance(first, Execution):
            self.places.answered(clock() - began)
        elif first.reason == UNREACHABLE and tx.id not in self.hurried:
            try:
                async with asyncio.timeout(RECONNECT_WITHIN):
                    await self.connection.ready()
            except TimeoutError:
                return first
            self.places.again()
            first = await self._in_time(tx, head, before)
        late = isinstance(first, Unjudged) and tx.id in self.hurried
        return msgspec.structs.replace(first, reason=LATE) if late else first

    def done(self, tx_id: str) -> None:
        """It leaves its place."""
        self.places.leave(tx_id)
        self.hurried.discard(tx_id)

    async def _in_time(self, tx: Transaction, head: Position, before: Sequence[Transaction]) -> Execution | Unjudged:
        asked = asyncio.create_task(self.executions.simulate(tx, head, before, on=self.connection), name=f"simulate {tx.id}")
        try:
            while not (await asyncio.wait((asked,), timeout=LOOKS_EVERY))[0]:
                self._hurry(tx.id)
            return asked.result()
        finally:
            asked.cancel()

    def _hurry(self, tx_id: str) -> None:
        """If the node is at work on this one, for long, and others wait: leave it alone with it, and ask them elsewhere."""
        places = self.places
        if places.busy_with(tx_id) and places.works >= self._patience() and (places.shared or self._crowded()):
            self.hurried.add(tx_id)
            self.connection.drop(NodeBusy("a simulation took too long with others behind it"))
