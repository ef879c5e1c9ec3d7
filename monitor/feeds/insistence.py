"""Asking again within one deadline: an answer that was lost or throttled costs a moment, not the whole of the deadline.

Measured behind a proxy that loses 3 % of replies: without it one lost answer in the way of a block held that block up for five
seconds, and the flags were unknown for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from monitor.chains.rpc import Ask
from monitor.errors import NodeSilent, RpcRefused
from monitor.feeds.patience import PAUSE, TRIES, Patience
from monitor.feeds.tracing import Caller

T = TypeVar("T")


class Insistent:
    """A connection that is asked until it answers. `within`: what an answer may take while none has come, seconds.

    Calls that are answered slowly have one of their own, since what an answer usually takes is learnt (`patience.py`). Not asked
    again: what was refused for good, garbled or too big, and a connection that is gone.
    """

    def __init__(self, rpc: Caller, within: float) -> None:
        self._rpc = rpc
        self._patience = Patience("", within)

    async def call(
        self,
        method: str,
        params: Sequence[Any] = (),
        *,
        timeout: float,  # noqa: ASYNC109 - as Rpc.call
        type: Any = None,  # noqa: A002, ANN401 - as Rpc.call
        raw: bool = False,
    ) -> Any:  # noqa: ANN401 - as Rpc.call
        """As `Rpc.call`; `timeout` is for all the tries together."""
        return await self._insist(partial(self._rpc.call, method, params, type=type, raw=raw), timeout)

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109 - as Rpc.batch
        """As `Rpc.batch`; a batch of which anything was throttled is asked again as a whole."""

        async def once(*, timeout: float) -> list[Any]:  # noqa: ASYNC109 - as above
            found = await self._rpc.batch(asks, timeout=timeout)
            for one in found:
                if isinstance(one, RpcRefused) and one.throttled:
                    raise one
            return found

        return await self._insist(once, timeout)

    async def _insist(self, ask: Callable[..., Awaitable[T]], timeout: float) -> T:  # noqa: ASYNC109 - as above
        until, deadline = time.monotonic() + timeout, self._patience.deadline
        for tries in range(TRIES):
            began = time.monotonic()
            last = tries == TRIES - 1 or until - began <= deadline
            try:
                found = await ask(timeout=max(0.0, until - began) if last else deadline)
            except NodeSilent:
                if last:
                    raise
                deadline *= 2
            except RpcRefused as error:
                if last or not error.throttled:
                    raise
                await asyncio.sleep(PAUSE * 2**tries)
            else:
                self._patience.learn(time.monotonic() - began)
                return found
        raise NodeSilent("asked as often as it makes sense")
