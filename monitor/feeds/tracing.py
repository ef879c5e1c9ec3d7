"""Asking a node for a trace: its bytes, in time and of a size we take, or one of a short list of reasons why not."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from detectors.events import Stage, Unjudged
from detectors.execution import Execution
from monitor.chains.rpc import Ask
from monitor.chains.traces import Origin, Words, calltracer
from monitor.chains.traces.words import decode
from monitor.errors import NodeError, NodeGarbled, NodeOversize, NodeSilent, RpcRefused, TraceUnreadable

MOST_BYTES = 8 << 20
"""A transaction's trace that is longer is unjudged: 128,000 gas buy a trace of 105 MB."""

OVERSIZE, DEEP, GARBLED, LATE, NO_TRACER, REFUSED, UNREACHABLE, CROWDED = (
    "oversize", "deep", "undecodable", "late", "no tracer", "refused", "unreachable", "too many predecessors",
)  # fmt: skip
"""Every reason an Unjudged of the execution feed can have; the counter's labels."""


class Caller(Protocol):
    """Whoever can ask a node: a connection, or a link of several."""

    async def call(self, method: str, params: Sequence[Any] = (), *, timeout: float, type: Any = None, raw: bool = False) -> Any:  # noqa: A002, ANN401, ASYNC109
        """The result of one call; its bytes when `raw`. Raises NodeError."""

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """A result each, in order; a NodeError in the place of a call that was refused."""


class Failed(Exception):
    """A trace could not be had, for one of the reasons above. `cut`: the connection ended, over this answer or another's."""

    def __init__(self, reason: str, *, cut: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.cut = cut


async def ask(rpc: Caller, method: str, params: Sequence[object], within: float, *, most: int = MOST_BYTES) -> bytes:
    """The answer's bytes, at most `most` of them, in `within` seconds. Raises Failed."""
    try:
        raw = await rpc.call(method, params, timeout=within, raw=True)
    except NodeSilent:
        raise Failed(LATE) from None
    except RpcRefused as error:
        raise Failed(NO_TRACER if error.unsupported else REFUSED) from error
    except NodeGarbled as error:
        raise Failed(OVERSIZE if isinstance(error, NodeOversize) else GARBLED, cut=True) from error
    except NodeError as error:
        raise Failed(UNREACHABLE) from error
    if len(raw) > most:
        raise Failed(OVERSIZE)
    return bytes(raw)


def decoded(raw: bytes, kind: Any) -> Any:  # noqa: ANN401 - `kind` decides
    """The answer as a value of `kind`. Raises Failed."""
    try:
        return decode(raw, kind)
    except TraceUnreadable as error:
        raise Failed(why(error)) from error


async def nested(raw: bytes, origin: Origin, words: Words) -> Execution | Unjudged:
    """A transaction's nested frames as an execution, or why they are none. A long one is read by turns with other tasks."""
    try:
        unfolding = calltracer.unfold(decoded(raw, calltracer.CallFrame), words)
        while True:
            try:
                next(unfolding)
            except StopIteration as done:
                return origin.execution(*done.value)
            await asyncio.sleep(0)
    except Failed as failed:
        return unjudged(origin, failed.reason)
    except TraceUnreadable as error:
        return unjudged(origin, why(error))


def why(error: TraceUnreadable) -> str:
    """The reason that an unreadable trace is."""
    return DEEP if error.deep else GARBLED


def unjudged(origin: Origin, reason: str, to: str | None = None) -> Unjudged:
    """What to say of a transaction whose trace could not be had; `to` is whom it called, where known."""
    return Unjudged(
        chain=origin.chain,
        at=origin.at,
        id=origin.tx or origin.source,
        stage=origin.stage or Stage.INCLUDED,
        reason=reason,
        touches=() if to is None else (to,),
        position=origin.position,
    )
