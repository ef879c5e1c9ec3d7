"""Asking again within one deadline: an answer that was lost or throttled costs a moment, not the whole of the deadline.

Measured behind a proxy that loses 3 % of replies: without it one lost answer in the way of a block held that block up for five
seconds, and the flags were unknown for it.
"""

from collections.abc import Sequence
from typing import Any

from monitor.chains.patience import Patience
from monitor.chains.rpc import Ask
from monitor.errors import RpcRefused
from monitor.feeds.tracing import Caller


class Insistent:
    """A connection that is asked until it answers. `within`: what an answer may take while none has come, seconds.

    Calls that are answered slowly have one of their own, since what an answer usually takes is learnt (`patience.py`). Not asked
    again: what was refused for good or too big, and a connection that is gone.
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

        async def once(*, within: float) -> Any:  # noqa: ANN401 - as above
            return await self._rpc.call(method, params, timeout=within, type=type, raw=raw)

        return await self._patience.read(once, altogether=timeout)

    async def batch(self, asks: Sequence[Ask], *, timeout: float) -> list[Any]:  # noqa: ASYNC109 - as Rpc.batch
        """As `Rpc.batch`; a batch of which anything was throttled is asked again as a whole."""

        async def once(*, within: float) -> list[Any]:
            found = await self._rpc.batch(asks, timeout=within)
            for one in found:
                if isinstance(one, RpcRefused) and one.throttled:
                    raise one
            return found

        return await self._patience.read(once, altogether=timeout)
