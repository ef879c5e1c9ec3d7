"""Several providers of one chain: each a fault proxy before the same anvil, so that they agree until a test makes one differ."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from monitor.demo.anvil import Anvil
from tests.support.chain import TalkingChain
from tests.support.fault_proxy import FaultProxy, ReplyRule, answer, unchanged, unchanged_reply


@contextlib.asynccontextmanager
async def providers(count: int = 2, *options: str) -> AsyncIterator[tuple[TalkingChain, list[FaultProxy]]]:
    """One talking chain, and that many ways to it."""
    async with await Anvil.start(*options) as node, contextlib.AsyncExitStack() as open_:
        chain = await TalkingChain.on(node)
        yield chain, [await open_.enter_async_context(FaultProxy(node.ws)) for _ in range(count)]
        await chain.close()


def _none(_: bytes) -> Iterable[bytes]:
    return ()


class Frozen:
    """A provider that stops following but goes on answering: its newest block, safe and finalized stay what they were."""

    def __init__(self, proxy: FaultProxy) -> None:
        self._proxy = proxy
        self._kept: list[Any] | None = None
        self._on = False
        proxy.replies = self._reply

    def freeze(self) -> None:
        """From now on."""
        self._on, self._proxy.pushes = True, _none

    def thaw(self) -> None:
        """Follow again."""
        self._on, self._proxy.pushes = False, unchanged

    def _reply(self, methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if len(methods) < 3 or set(methods) != {"eth_getBlockByNumber"}:
            return (frame,)
        said = json.loads(frame)
        if not self._on or self._kept is None:
            self._kept = [one["result"] for one in said]
            return (frame,)
        return (json.dumps([one | {"result": old} for one, old in zip(said, self._kept, strict=True)]).encode(),)


def lie_about_hashes(proxy: FaultProxy) -> None:
    """From now on a block asked for by height has another hash there."""

    def reply(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        if methods != ("eth_getBlockByNumber",):
            return (frame,)

        def forge(said: dict[str, Any]) -> None:
            if said.get("result"):
                said["result"]["hash"] = "0x" + "1e" * 32

        return (answer(frame, forge),)

    proxy.replies = reply


def refuse_traces(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
    """A node without tracers."""
    if not any(method.startswith(("debug_", "trace_")) for method in methods):
        return (frame,)

    def refuse(said: dict[str, Any]) -> None:
        said.pop("result", None)
        said["error"] = {"code": -32601, "message": "the method does not exist"}

    return (answer(frame, refuse),)


def refusing(method: str, part: bytes = b"") -> ReplyRule:
    """A node that answers all else, and refuses this method when it is asked for it alone, and the answer has this in it."""

    def reply(methods: tuple[str, ...], frame: bytes) -> Iterable[bytes]:
        def refuse(said: dict[str, Any]) -> None:
            said.pop("result", None)
            said["error"] = {"code": -32602, "message": "query returned more than 10000 results"}

        return (answer(frame, refuse) if methods == (method,) and part in frame else frame,)

    return reply


def be_honest(proxy: FaultProxy) -> None:
    """Everything as the node says it."""
    proxy.replies, proxy.pushes = unchanged_reply, unchanged
