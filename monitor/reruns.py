"""Reruns: near pending transactions that look harmless are run once more as a builder would have them, for what hides from us.

Bounded and budgeted: what waits too long is passed over and counted, and nothing here delays a first verdict.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from detectors.events import Position, Stage, Transaction, Unjudged
from detectors.execution import Execution
from detectors.execution.reruns import Outcome, Rerun, outcome
from monitor import metrics
from monitor.chains.rpc import Ask
from monitor.feeds.contexts import Contexts
from monitor.feeds.environments import Environment, Names, environments, names
from monitor.feeds.executions import Executions
from monitor.feeds.tracing import Caller
from monitor.judging import Judging
from monitor.newest import Newest

log = structlog.get_logger()

A_SECOND = 4.0
"""Transactions rerun in a second at most, unless configured: each costs the node a trace per environment."""

WAITING = 64
"""That may wait; beyond, the oldest is passed over."""

STALE = 15.0
"""Seconds after which one that waits is passed over: by then a block has it, or another look is due."""

_Waiting = tuple[Transaction, Execution, Position, Sequence[Transaction], float]


class Under:
    """A connection on which calls are traced in the environment of the moment; all else passes as it is."""

    def __init__(self, rpc: Caller) -> None:
        self.environment: Environment | None = None
        self._rpc = rpc

    async def call(
        self,
        method: str,
        params: Sequence[Any] = (),
        *,
        timeout: float,  # noqa: ASYNC109 - as a Caller
        type: Any = None,  # noqa: A002, ANN401
        raw: bool = False,
    ) -> Any:  # noqa: ANN401
        """As `Caller.call`."""
        return await self._rpc.call(method, self._in_it(method, params), timeout=timeout, type=type, raw=raw)

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """As `Caller.batch`."""
        return await self._rpc.batch(asks, timeout=timeout)

    def _in_it(self, method: str, params: Sequence[Any]) -> Sequence[Any]:
        if method != "debug_traceCall" or self.environment is None:
            return params
        call, at, options = params
        own = self.environment.call if options.get("tracer") != "prestateTracer" else {}  # not its sender's earlier ones
        return [{**call, **own}, at, {**options, "blockOverrides": dict(self.environment.block)}]


class Reruns:
    """One chain's, `rate` a second. `watched` and `trusted` contracts hide from nobody; `near`: may it touch a watched one?"""

    def __init__(
        self,
        rpc: Caller,
        contexts: Contexts,
        judging: Judging,
        newest: Newest,
        watched: frozenset[str],
        trusted: frozenset[str],
        near: Callable[[Transaction], bool],
        rate: float = A_SECOND,
    ) -> None:
        self.chain = newest.chain
        self._pause = 1 / rate
        self._rpc = rpc
        self._under = Under(rpc)
        self._executions = Executions(self._under, self.chain, contexts)
        self._judging = judging
        self._newest = newest
        self._watched = watched
        self._ours = watched | trusted
        self._near = near
        self._row: deque[_Waiting] = deque()
        self._some = asyncio.Event()

    def offer(self, tx: Transaction, first: Execution, head: Position, before: Sequence[Transaction]) -> None:
        """It was judged, and nothing trips. Is there foreign code in it, and a reason to look again?"""
        if tx.stage is not Stage.PENDING or not self._foreign(first) or not self._touches(tx, first):
            return
        self._row.append((tx, first, head, before, time.monotonic()))
        while len(self._row) > WAITING:
            self._row.popleft()
            metrics.RERUNS.labels(self.chain, "passed over").inc()
        self._some.set()

    async def run(self) -> None:
        """Run again what was offered, until cancelled; the newest first, as blocks come for the older ones."""
        named: Names | None = None
        while True:
            await self._some.wait()
            if named is None:
                head = self._newest.position or await self._newest.settled()
                named = await names(self._rpc, head)
                metrics.CAPABILITY.labels(self.chain, "environments").set(named is not None)
                metrics.CAPABILITY.labels(self.chain, "block_hashes").set(named is not None and bool(named.hashes))
            if named is None:
                metrics.RERUNS.labels(self.chain, "not offered").inc(len(self._row))
                self._row.clear()
            while self._row and named is not None:
                began = time.monotonic()
                tx, first, head, before, since = self._row.pop()
                if began - since > STALE:
                    metrics.RERUNS.labels(self.chain, "passed over").inc()
                    continue
                metrics.RERUNS.labels(self.chain, await self._again(tx, first, head, before, named)).inc()
                await asyncio.sleep(max(0.0, self._pause - (time.monotonic() - began)))
            self._some.clear()

    async def _again(self, tx: Transaction, first: Execution, head: Position, before: Sequence[Transaction], named: Names) -> str:
        """Each environment in turn. What differs is judged: the difference, and the other run for what it shows."""
        plain = outcome(first, self._watched)
        ended = "same"
        for environment in environments(tx, head, self._newest.base_fee, time.time(), named):
            self._under.environment = environment
            found = await self._twice(tx, head, before, plain)
            if not isinstance(found, Execution):
                ended = "unjudged" if ended == "same" else ended
                continue
            other = outcome(found, self._watched)
            if other == plain:
                continue
            ended = "differs"
            log.info("environment_differs", chain=self.chain, tx=tx.id, under=environment.name)
            news = Rerun(
                chain=self.chain, at=tx.at, tx=tx.id, stage=tx.stage, under=environment.name, plain=plain, other=other
            )  # fmt: skip
            await self._judging.take(news)
            if await self._trips(found, head, tx, before):
                break
        return ended

    async def _twice(
        self, tx: Transaction, head: Position, before: Sequence[Transaction], plain: Outcome
    ) -> Execution | Unjudged:  # fmt: skip
        """A run in the environment of the moment; one that came to something else is run again, and the second counts.

        A node that takes a block in at that very moment may answer from the state behind it.
        """
        found = await self._executions.simulate(tx, head, before)
        if isinstance(found, Execution) and outcome(found, self._watched) != plain:
            return await self._executions.simulate(tx, head, before)
        return found

    async def _trips(self, found: Execution, head: Position, tx: Transaction, before: Sequence[Transaction]) -> bool:
        """Judge the other run as if it were the first, its storage order too where that is wanted. Does it stop anything?"""
        judged, _ = await self._judging.take(found)
        if judged.wants and not judged.trips:
            second = await self._executions.storage(found, head, tx, before)
            if isinstance(second, Execution):
                judged, _ = await self._judging.take(msgspec.structs.replace(second, supersedes=True))
        return judged.trips

    def _foreign(self, first: Execution) -> bool:
        return any(
            frame.to is not None and frame.to not in self._ours and frame.input not in {None, "0x"} for frame in first.frames
        )

    def _touches(self, tx: Transaction, first: Execution) -> bool:
        return self._near(tx) or any(frame.ctx in self._watched for frame in first.frames)
