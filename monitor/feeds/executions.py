"""Executions: every pending call simulated on the newest verified head, every block traced, storage order where it is asked for.

What cannot be had is an Unjudged with a reason from a short list, never a missing event.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from detectors.events import Position, Transaction, Unjudged
from detectors.execution import NO_CONTEXT, Execution
from monitor.chains.traces import Origin, Words, calltracer, storage
from monitor.courtesy import Courtesy
from monitor.errors import NodeError, TraceUnreadable
from monitor.feeds import overlay
from monitor.feeds.blocks import Blocks
from monitor.feeds.contexts import Contexts
from monitor.feeds.tracing import (
    CROWDED,
    LATE,
    OVERSIZE,
    REFUSED,
    UNREACHABLE,
    Caller,
    Failed,
    ask,
    decoded,
    nested,
    unjudged,
    why,
)

__all__ = ["CROWDED", "LATE", "OVERSIZE", "PREDECESSORS", "REFUSED", "UNREACHABLE", "Executions"]

AHEAD = 2
"""Blocks traced ahead while earlier ones are judged: what we catch up with comes twice as fast, and memory holds no more."""

PREDECESSORS = 64
"""Pending transactions of the same sender that are replayed before the one in question; few pools keep more of one sender."""


class Executions:
    """The execution feed of one chain. `trace_within` and `storage_within` are deadlines in seconds, the node's included.

    `slow` asks for what takes long (whole blocks, storage order) on a connection of its own, since nodes answer a connection's
    questions one after another; None: the same as `rpc`.
    `rows`: blocks may be asked for as flat rows (`feeds/blocks.py`).
    """

    def __init__(
        self,
        rpc: Caller,
        chain: str,
        contexts: Contexts,
        *,
        slow: Caller | None = None,
        rows: bool = False,
        trace_within: float = 5.0,
        storage_within: float = 5.0,
    ) -> None:
        self.chain = chain
        self.contexts = contexts
        self._rpc = rpc
        self._slow = slow or rpc
        self._trace_within = trace_within
        self._storage_within = storage_within
        self._words = Words()
        self._overlays = overlay.Overlays()
        self.courtesy = Courtesy()
        self._ahead: dict[str, asyncio.Task[list[Execution | Unjudged]]] = {}
        self._blocks = Blocks(self._slow, chain, self._words, self.courtesy, rows=rows, trace_within=trace_within)

    def adapt(self, *, rows: bool) -> None:
        """Another node is asked from now on: does it give blocks as rows?"""
        self._blocks.rows = rows

    async def simulate(
        self, tx: Transaction, head: Position, before: Sequence[Transaction] = (), *, on: Caller | None = None
    ) -> Execution | Unjudged:
        """A pending transaction as it would run on `head`, after `before`: its sender's earlier pending ones, lowest nonce first.

        `on` is another connection to ask. Node rules on fees are left out, those on balance are kept; an Execution whose root
        failed is harmless as it stands.
        """
        origin = Origin(source=tx.id, chain=tx.chain, at=tx.at, tx=tx.id, stage=tx.stage, logged=True)
        found, _ = await asyncio.gather(self._simulated(on or self._rpc, tx, head, before, origin), self._refreshed(head))
        if isinstance(found, Unjudged):
            return found
        made = await self._with_context(found, head)
        return msgspec.structs.replace(made, on=None) if before else made

    async def block(self, position: Position, txs: Sequence[str], at: float) -> list[Execution | Unjudged]:
        """Every transaction of a block, in its order. `txs` are their hashes as the block lists them, `at` when it was seen.

        When the block's trace as a whole cannot be had, each transaction is traced by itself: one monster hides only itself.
        """
        if not txs:
            return []
        parent = Position(position.height - 1, position.parent) if position.parent else None
        found, _ = await asyncio.gather(self._traced(position, txs, at), self._refreshed(parent))
        made: list[Execution | Unjudged] = []
        for one in found:
            if isinstance(one, Execution):
                made.append(await self._with_context(one, parent))
                self.contexts.note(one)
                await self.courtesy.pause()
            else:
                made.append(one)
        self._words.bound()
        return made

    def look_ahead(self, position: Position, txs: Sequence[str], at: float) -> None:
        """Begin to trace a block that will be asked for soon."""
        if txs and len(self._ahead) < AHEAD and position.id not in self._ahead:
            tracing = self._blocks.traced(position, txs, at)
            self._ahead[position.id] = asyncio.create_task(tracing, name=f"trace ahead {position.height} of {self.chain}")

    async def forget(self) -> None:
        """Another block is asked for than was expected, or none any more."""
        tasks = list(self._ahead.values())
        self._ahead.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def storage(
        self, first: Execution, head: Position, tx: Transaction | None = None, before: Sequence[Transaction] = ()
    ) -> Execution | Unjudged:
        """The second look a `Want` asks for: `first` with storage in order, or still without it where the tracers disagree.

        A mined one is traced by its hash; a pending one needs its `tx`, and `head` and `before` as it was first simulated.
        """
        origin = Origin(
            source=first.tx,
            chain=first.chain,
            at=first.at,
            tx=first.tx,
            index=first.index,
            position=first.position,
            stage=first.stage,
        )
        within = self._storage_within
        options: dict[str, object] = {**storage.TRACER, "timeout": f"{within:g}s"}
        try:
            if tx is None:
                raw = await ask(self._slow, "debug_traceTransaction", [first.tx, options], within)
            else:
                options |= await self._overrides(self._rpc, before, head)
                raw = await ask(self._slow, "debug_traceCall", [_call(tx), _at(head), options], within)
            return storage.read(decoded(raw, storage.Recording), first, self._words)
        except Failed as failed:
            return unjudged(origin, failed.reason, first.frames[0].to)
        except TraceUnreadable as error:
            return unjudged(origin, why(error), first.frames[0].to)

    async def _traced(self, position: Position, txs: Sequence[str], at: float) -> list[Execution | Unjudged]:
        """As it was found ahead, if all of it was; what was not may have been the fault of a node that is not asked any more."""
        if (ahead := self._ahead.pop(position.id, None)) is None:
            await self.forget()
        else:
            found = await ahead
            if not any(isinstance(one, Unjudged) for one in found):
                return found
        return await self._blocks.traced(position, txs, at)

    async def _simulated(
        self, rpc: Caller, tx: Transaction, head: Position, before: Sequence[Transaction], origin: Origin
    ) -> Execution | Unjudged:
        try:
            options = {**calltracer.TRACER, **await self._overrides(rpc, before, head)}
            raw = await ask(rpc, "debug_traceCall", [_call(tx), _at(head), options], self._trace_within)
        except Failed as failed:
            return unjudged(origin, failed.reason, tx.to)
        found = await nested(raw, origin, self._words)
        return found if isinstance(found, Execution) or tx.to is None else msgspec.structs.replace(found, touches=(tx.to,))

    async def _overrides(self, rpc: Caller, before: Sequence[Transaction], head: Position) -> dict[str, object]:
        """The state that `before` leaves on top of `head`, as a tracer's option; nothing for nothing.

        What was replayed for an earlier transaction of the same sender is not replayed again, and all of it has one deadline:
        five cheap transactions must not hide the sixth, nor fifty slow ones hold up everybody else's.
        """
        if len(before) > PREDECESSORS:
            raise Failed(CROWDED)
        state, done = self._overlays.known(head.id, ids := tuple(tx.id for tx in before))
        deadline = (loop := asyncio.get_running_loop()).time() + self._trace_within
        for number, tx in enumerate(before[done:], done + 1):
            if (left := deadline - loop.time()) <= 0:
                raise Failed(LATE)
            options = {**overlay.TRACER, **({"stateOverrides": state} if state else {})}
            raw = await ask(rpc, "debug_traceCall", [_call(tx), _at(head), options], left)
            state = overlay.laid(state, decoded(raw, overlay.Diff))
            self._overlays.keep(head.id, ids[:number], state)
        return {"stateOverrides": state} if state else {}

    async def _refreshed(self, parent: Position | None) -> None:
        """Have the balances ready while the trace runs; a failure shows when they are needed."""
        if parent is not None:
            try:
                await self.contexts.refresh(parent)
            except NodeError:
                return

    async def _with_context(self, execution: Execution, parent: Position | None) -> Execution:
        if parent is None:
            return execution
        try:
            context = await self.contexts.of(execution, parent)
        except NodeError:
            context = NO_CONTEXT  # unknown balances: the rules count what they cannot see as unknown
        return msgspec.structs.replace(execution, context=context, on=parent)


def _call(tx: Transaction) -> dict[str, str]:
    call = {"from": tx.sender, "value": hex(tx.value), "input": tx.input, "gas": hex(tx.gas)}
    return call if tx.to is None else call | {"to": tx.to}


def _at(head: Position) -> dict[str, str]:
    """Pinned by hash: the tag `pending` of some nodes runs after the whole pool, and `latest` moves."""
    return {"blockHash": head.id}
