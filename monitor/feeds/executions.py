"""Executions: every pending call simulated on the newest verified head, every block traced, storage order where it is asked for.

What cannot be had is an Unjudged with a reason from a short list, never a missing event.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from detectors.events import Position, Stage, Transaction, Unjudged
from detectors.execution import NO_CONTEXT, Execution
from monitor.chains.rpc import Ask
from monitor.chains.traces import Origin, Words, calltracer, storage
from monitor.chains.traces.words import decode, is_error, text
from monitor.errors import NodeError, NodeSilent, RpcRefused, TraceUnreadable
from monitor.feeds import overlay
from monitor.feeds.contexts import Contexts

MOST_BYTES = 8 << 20
"""A longer trace is unjudged: 128,000 gas buy a trace of 105 MB."""

PREDECESSORS = 4
"""Pending transactions of the same sender that are replayed before the one in question."""

OVERSIZE, DEEP, GARBLED, LATE, NO_TRACER, REFUSED, UNREACHABLE, CROWDED = (
    "oversize", "deep", "undecodable", "late", "no tracer", "refused", "unreachable", "too many predecessors",
)  # fmt: skip
"""Every reason an Unjudged of this feed can have; the counter's labels."""


class Caller(Protocol):
    """Whoever can ask a node: a connection, or a link of several."""

    async def call(self, method: str, params: Sequence[Any] = (), *, timeout: float, type: Any = None, raw: bool = False) -> Any:  # noqa: A002, ANN401, ASYNC109
        """The result of one call; its bytes when `raw`. Raises NodeError."""

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """A result each, in order; a NodeError in the place of a call that was refused."""


class _Traced(msgspec.Struct, rename="camel", gc=False):
    """One transaction of `debug_traceBlockByHash`; old nodes leave its hash out."""

    tx_hash: str | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class Failed(Exception):
    """A trace could not be had, for one of the reasons above."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Executions:
    """The execution feed of one chain. `trace_within` and `storage_within` are deadlines in seconds, the node's included.

    `slow` asks for what takes long (whole blocks, storage order) on a connection of its own, since nodes answer a connection's
    questions one after another; None: the same as `rpc`.
    """

    def __init__(
        self,
        rpc: Caller,
        chain: str,
        contexts: Contexts,
        *,
        slow: Caller | None = None,
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

    async def simulate(self, tx: Transaction, head: Position, before: Sequence[Transaction] = ()) -> Execution | Unjudged:
        """A pending transaction as it would run on `head`, after `before`: its sender's earlier pending ones, lowest nonce first.

        Node rules on fees are left out, those on balance are kept; an Execution whose root failed is harmless as it stands.
        """
        origin = Origin(source=tx.id, chain=tx.chain, at=tx.at, tx=tx.id, stage=Stage.PENDING, logged=True)
        found, _ = await asyncio.gather(self._simulated(tx, head, before, origin), self._refreshed(head))
        if isinstance(found, Unjudged):
            return found
        made = await self._with_context(found, head)
        return msgspec.structs.replace(made, on=None) if before else made

    async def block(self, position: Position, txs: Sequence[str], at: float) -> list[Execution | Unjudged]:
        """Every transaction of a block, in its order. `txs` are their hashes as the block lists them, `at` when it was seen.

        When the block's trace as a whole cannot be had, each transaction is traced by itself: one monster hides only itself.
        """
        origins = [
            Origin(source=tx, chain=self.chain, at=at, tx=tx, index=index, position=position, stage=Stage.INCLUDED, logged=True)
            for index, tx in enumerate(txs)
        ]
        if not origins:
            return []
        parent = Position(position.height - 1, position.parent) if position.parent else None
        found, _ = await asyncio.gather(self._traced(position, origins), self._refreshed(parent))
        made: list[Execution | Unjudged] = []
        for one in found:
            if isinstance(one, Execution):
                made.append(await self._with_context(one, parent))
                self.contexts.note(one)
            else:
                made.append(one)
        self._words.bound()
        return made

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
                raw = await self._trace("debug_traceTransaction", [first.tx, options], within, slow=True)
            else:
                options |= await self._overrides(before, head)
                raw = await self._trace("debug_traceCall", [_call(tx), _at(head), options], within, slow=True)
            return storage.read(_decoded(raw, storage.Recording), first, self._words)
        except Failed as failed:
            return self._unjudged(origin, failed.reason, first.frames[0].to)
        except TraceUnreadable as error:
            return self._unjudged(origin, _why(error), first.frames[0].to)

    async def _simulated(
        self, tx: Transaction, head: Position, before: Sequence[Transaction], origin: Origin
    ) -> Execution | Unjudged:
        try:
            options = {**calltracer.TRACER, **await self._overrides(before, head)}
            raw = await self._trace("debug_traceCall", [_call(tx), _at(head), options], self._trace_within)
            return self._flat(raw, origin)
        except Failed as failed:
            return self._unjudged(origin, failed.reason, tx.to)

    async def _traced(self, position: Position, origins: Sequence[Origin]) -> list[Execution | Unjudged]:
        return await self._whole(position, origins) or await self._each(origins)

    async def _whole(self, position: Position, origins: Sequence[Origin]) -> list[Execution | Unjudged] | None:
        """The block in one call; None when that gives nothing usable, or not the transactions the block lists."""
        try:
            raw = await self._trace("debug_traceBlockByHash", [position.id, calltracer.TRACER], self._trace_within, slow=True)
            listed = _decoded(raw, list[_Traced])
        except Failed:
            return None
        if len(listed) != len(origins):
            return None
        if any(one.tx_hash is not None and one.tx_hash.lower() != o.tx for one, o in zip(listed, origins, strict=True)):
            return None
        return [self._listed(one, origin) for one, origin in zip(listed, origins, strict=True)]

    def _listed(self, one: _Traced, origin: Origin) -> Execution | Unjudged:
        if is_error(one.error) or not one.result:
            return self._unjudged(origin, LATE if "timeout" in (text(one.error) or "") else REFUSED)
        try:
            return self._flat(bytes(one.result), origin)
        except Failed as failed:
            return self._unjudged(origin, failed.reason)

    async def _each(self, origins: Sequence[Origin]) -> list[Execution | Unjudged]:
        """One call a transaction, four at a time."""
        places = asyncio.Semaphore(4)

        async def one(origin: Origin) -> Execution | Unjudged:
            async with places:
                try:
                    return self._flat(
                        await self._trace("debug_traceTransaction", [origin.tx, calltracer.TRACER], self._trace_within, slow=True),
                        origin,
                    )
                except Failed as failed:
                    return self._unjudged(origin, failed.reason)

        return list(await asyncio.gather(*map(one, origins)))

    async def _trace(self, method: str, params: list[object], within: float, *, slow: bool = False) -> bytes:
        try:
            raw = await (self._slow if slow else self._rpc).call(method, params, timeout=within, raw=True)
        except NodeSilent:
            raise Failed(LATE) from None
        except RpcRefused as error:
            raise Failed(NO_TRACER if error.unsupported else REFUSED) from error
        except NodeError as error:
            raise Failed(UNREACHABLE) from error
        if len(raw) > MOST_BYTES:
            raise Failed(OVERSIZE)
        return bytes(raw)

    def _flat(self, raw: bytes, origin: Origin) -> Execution:
        try:
            return calltracer.read(decode(raw, calltracer.CallFrame), origin, self._words)
        except TraceUnreadable as error:
            raise Failed(_why(error)) from error

    async def _overrides(self, before: Sequence[Transaction], head: Position) -> dict[str, object]:
        """The state that `before` leaves on top of `head`, as a tracer's option; nothing for nothing."""
        if len(before) > PREDECESSORS:
            raise Failed(CROWDED)
        state: overlay.State = {}
        for tx in before:
            options = {**overlay.TRACER, **({"stateOverrides": state} if state else {})}
            raw = await self._trace("debug_traceCall", [_call(tx), _at(head), options], self._trace_within)
            overlay.lay(state, _decoded(raw, overlay.Diff))
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

    def _unjudged(self, origin: Origin, reason: str, to: str | None = None) -> Unjudged:
        return Unjudged(
            chain=origin.chain,
            at=origin.at,
            id=origin.tx or origin.source,
            stage=origin.stage or Stage.INCLUDED,
            reason=reason,
            touches=() if to is None else (to,),
            position=origin.position,
        )


def _call(tx: Transaction) -> dict[str, str]:
    call = {"from": tx.sender, "value": hex(tx.value), "input": tx.input, "gas": hex(tx.gas)}
    return call if tx.to is None else call | {"to": tx.to}


def _at(head: Position) -> dict[str, str]:
    """Pinned by hash: the tag `pending` of some nodes runs after the whole pool, and `latest` moves."""
    return {"blockHash": head.id}


def _decoded(raw: bytes, kind: Any) -> Any:  # noqa: ANN401 - `kind` decides
    try:
        return decode(raw, kind)
    except TraceUnreadable as error:
        raise Failed(_why(error)) from error


def _why(error: TraceUnreadable) -> str:
    return DEEP if error.deep else GARBLED
