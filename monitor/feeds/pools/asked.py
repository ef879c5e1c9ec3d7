"""Asking: many reads at one block, in frames that stay short, and in halves where an answer is longer than is taken all the same.

An answer too long for us ends the connection and with it all that was asked there; some nodes refuse the rest of a batch instead.
Whoever asked the same again would be blind for as long as somebody answers like that.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from monitor.chains.rpc import Ask
from monitor.errors import NodeOversize, NodeUnreachable, RpcRefused
from monitor.feeds.pools.base import Read

_FRAME = 200
"""Reads in one frame: many nodes refuse batches of more."""

_STRANGERS = 32
"""Of these, of tokens that anyone may have sent: 18 MB if all answer with what their gas buys. go-ethereum stops at 25 MB."""

_KEPT = 2 + 64 * 64
"""Characters kept of an answer: more than any read looks at, and than a balance has."""

_TOO_LARGE = -32003
"""What go-ethereum refuses the rest of a batch with (`response too large`)."""

_BACK_WITHIN, _LOOKS_EVERY = 5.0, 0.05
"""Seconds that a connection which an answer ended is waited for, and between looks."""


class Batcher(Protocol):
    """Whoever can ask a node many things at once: a connection, or a link of several."""

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109
        """A result each, in order; a NodeError in the place of a call that was refused."""


async def ask(rpc: Batcher, reads: Iterable[Read], block: str, timeout: float) -> list[str | None]:  # noqa: ASYNC109
    """The answers to reads at a block, in order; None where a contract or the node refused, or one answer was too long.

    Raises NodeError if a frame gives nothing.
    """
    answers = list[str | None]()
    for frame in _frames(reads):
        answers += await _answered(rpc, frame, block, timeout)
    return answers


def _frames(reads: Iterable[Read]) -> Iterator[list[Read]]:
    frame, strangers = list[Read](), 0
    for read in reads:
        if len(frame) == _FRAME or (read.stranger and strangers == _STRANGERS):
            yield frame
            frame, strangers = [], 0
        frame.append(read)
        strangers += read.stranger
    if frame:
        yield frame


async def _answered(
    rpc: Batcher, frame: Sequence[Read], block: str, within: float, *, once_more: bool = False
) -> list[str | None]:  # fmt: skip
    """One frame's answers, found by halves where together they are too long. Raises NodeOversize where none is short enough.

    Who is too long alone is asked `once_more`: the first time it may have been the answer of somebody else on the connection.
    """
    try:
        return await _at_once(rpc, frame, block, within)
    except NodeOversize:
        if once_more:
            raise
    middle = len(frame) // 2
    parts = [frame[:middle], frame[middle:]] if middle else [frame]
    answers, failed = list[str | None](), list[NodeOversize]()
    for part in parts:
        try:
            answers += await _when_back(rpc, part, block, within, once_more=not middle)
        except NodeOversize as error:
            answers += [None] * len(part)
            failed.append(error)
    if len(failed) == len(parts):
        raise failed[0]
    return answers


async def _when_back(rpc: Batcher, part: Sequence[Read], block: str, within: float, *, once_more: bool) -> list[str | None]:
    until = time.monotonic() + _BACK_WITHIN
    while True:
        try:
            return await _answered(rpc, part, block, within, once_more=once_more)
        except NodeUnreachable:
            if time.monotonic() >= until:
                raise
            await asyncio.sleep(_LOOKS_EVERY)


async def _at_once(rpc: Batcher, frame: Sequence[Read], block: str, within: float) -> list[str | None]:
    replies = await rpc.batch([Ask(*read.request(block)) for read in frame], timeout=within)
    for reply in replies:
        if isinstance(reply, RpcRefused) and reply.code == _TOO_LARGE and "too large" in str(reply):
            raise NodeOversize(str(reply))
    return [reply[:_KEPT] if isinstance(reply, str) else None for reply in replies]
