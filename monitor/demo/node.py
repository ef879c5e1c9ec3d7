"""JSON-RPC over one kept-alive HTTP session: how the actors of the show talk to the node, apart from everything they test."""

from itertools import count
from typing import Any, Protocol, Self

import aiohttp

from monitor.errors import NodeGarbled, NodeSilent, NodeUnreachable, RpcRefused


class Node(Protocol):
    """Anything that answers JSON-RPC calls."""

    async def call(self, method: str, params: list[Any], *, timeout: float = ...) -> Any:  # noqa: ANN401, ASYNC109
        """The `result` of a call. Raises a NodeError."""


class HttpNode:
    """A node by its HTTP URL. Use as `async with HttpNode(url) as node`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._ids = count(1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, params: list[Any], *, timeout: float = 30.0) -> Any:  # noqa: ANN401, ASYNC109
        """The `result` of a call within `timeout` seconds.

        Raises NodeUnreachable, NodeSilent, NodeGarbled, or RpcRefused with the node's own words.
        """
        if self._session is None:
            raise NodeUnreachable(f"{method} to {self.url}: not connected; use `async with`")
        ask = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": params}
        try:
            async with self._session.post(self.url, json=ask, timeout=aiohttp.ClientTimeout(total=timeout)) as response:
                answer = await response.json(content_type=None)
        except TimeoutError as error:
            raise NodeSilent(f"{method} to {self.url}: no answer within {timeout:g} s; is the node stuck?") from error
        except aiohttp.ClientError as error:
            raise NodeUnreachable(f"{method} to {self.url}: {type(error).__name__}; is the node up?") from error
        except ValueError as error:
            raise NodeGarbled(f"{method} to {self.url}: the answer is not JSON") from error
        if "error" in answer:
            raise RpcRefused(f"{method} to {self.url}: {answer['error'].get('message')}", answer["error"].get("code", 0))
        return answer.get("result")
