"""Look-ups: the transactions behind hashes, where a node pushes no more than these.

A hash waits until the node said something about it: what a connection leaves unanswered is asked for on the next one, in smaller
frames, since it may be too long together (anyone may send megabytes). Only one that alone brings nothing is given up.
"""

import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

import msgspec

from detectors.events import Transaction
from monitor import metrics
from monitor.chains.evm import WireTx, transaction
from monitor.chains.link import Line
from monitor.chains.rpc import Ask
from monitor.chains.wire import UNREADABLE
from monitor.errors import NodeError, NodeGarbled, NodeUnreachable, RpcRefused
from monitor.feeds.insistence import Insistent

A_FRAME = 100
"""Hashes looked up in one frame, at most."""
WITHIN, ALTOGETHER = 2.0, 4.0
"""Seconds that an answer may take while none has come, and that all the tries of a frame may."""
LATE = 2.0
"""Seconds after which one that is in a block by now is the block's to tell: nobody could stop it any more."""

_found = msgspec.json.Decoder(WireTx | None)


class Lookups:
    """Of one chain. At most `most` hashes wait; beyond, the oldest go."""

    def __init__(self, lane: Line, chain: str, most: int) -> None:
        self.chain = chain
        self._rpc = Insistent(lane, WITHIN)
        self._most = most
        self._waiting: dict[str, float] = {}
        self._frame = A_FRAME
        self._lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, tx_id: str, at: float) -> None:
        """A hash that was told at `at`, seconds."""
        self._waiting.setdefault(tx_id, at)
        if len(self._waiting) > self._most:
            self._give_up(next(iter(self._waiting)))

    def take_lost(self) -> int:
        """How many were given up, or refused, or answered with nonsense, since this was last asked."""
        lost, self._lost = self._lost, 0
        return lost

    async def next(self) -> list[Transaction]:
        """The transactions of the hashes that wait for longest, one frame of them. Raises NodeError: then they go on waiting."""
        ids = list(islice(self._waiting, self._frame))
        asks = [Ask("eth_getTransactionByHash", (tx_id,), msgspec.Raw) for tx_id in ids]
        try:
            replies = await self._rpc.batch(asks, timeout=ALTOGETHER)
        except NodeError as error:
            self._failed(ids, error)
            raise
        self._frame = min(A_FRAME, self._frame + 1)
        return self._told(ids, replies)

    def _failed(self, ids: Sequence[str], error: NodeError) -> None:
        if isinstance(error, NodeUnreachable):
            return
        self._frame = max(1, len(ids) // 2)
        if len(ids) == 1 and not (isinstance(error, RpcRefused) and error.throttled):
            self._give_up(ids[0])

    def _give_up(self, tx_id: str) -> None:
        del self._waiting[tx_id]
        self._lost += 1

    def _told(self, ids: Sequence[str], replies: Sequence[Any]) -> list[Transaction]:
        found = []
        for tx_id, reply in zip(ids, replies, strict=True):
            at = self._waiting.pop(tx_id)
            if isinstance(reply, NodeError):
                self._lost += 1
                continue
            try:
                wire = _found.decode(reply)
                # Mined or replaced since: its block or its successor tells.
                if wire is None or (wire.block is not None and time.time() - at >= LATE):
                    metrics.DROPPED.labels(self.chain, "pending_gone").inc()
                else:
                    found.append(transaction(self.chain, wire, at))
            except (*UNREADABLE, NodeGarbled):
                metrics.FRAMES_BAD.labels(self.chain, "undecodable").inc()
                self._lost += 1
        return found
