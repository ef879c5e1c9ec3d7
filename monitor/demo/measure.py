"""The yardstick of the show: how long one trace of the attack takes the node, asked by the observer right after the attack."""

import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp

from monitor.chains.traces import calltracer, storage
from monitor.demo.scenery import Attack

if TYPE_CHECKING:
    from collections.abc import Mapping


class Yardstick:
    """Times one `debug_traceCall` of an attack over WebSocket: callTracer, or the storage-order tracer where that decides."""

    def __init__(self, node_ws: str, *, ordered: bool) -> None:
        self.node_ws = node_ws
        self.ordered = ordered

    async def trace(self, attack: Attack) -> float:
        """Milliseconds from the question to the whole answer."""
        how: Mapping[str, Any] = storage.TRACER if self.ordered else calltracer.TRACER
        call = {
            "from": attack.attacker,
            "to": attack.contract,
            "data": attack.data,
            "value": hex(attack.value),
            "gas": hex(attack.gas),
        }
        ask = {"jsonrpc": "2.0", "id": 1, "method": "debug_traceCall", "params": [call, "latest", how]}
        async with aiohttp.ClientSession() as http, http.ws_connect(self.node_ws, max_msg_size=2**26) as socket:
            started = time.perf_counter()
            await socket.send_str(json.dumps(ask))
            await socket.receive()
            return round((time.perf_counter() - started) * 1e3, 3)
