"""The danger window of an incident: the blocks, times and transactions a payment service reconciles. Values only."""

from enum import StrEnum

import msgspec

TOLD = 50
"""Transactions a notification carries; the whole window is behind its `url`."""


class Phase(StrEnum):
    """Where in the window something stands: `exposed` while readers were not told to stop yet, `paused` after that."""

    EXPOSED = "exposed"
    PAUSED = "paused"


class Edge(msgspec.Struct, frozen=True):
    """A block of the window: `time` is the chain's own clock, `seen_at` ours when it was complete here; unix seconds."""

    number: int
    hash: str
    time: float
    seen_at: float
    phase: Phase = Phase.EXPOSED


class Moved(msgspec.Struct, frozen=True):
    """A transaction that had to do with the integration's contracts (`contracts`), by its calls or by its logs.

    `judged` is False where its execution could not be had: it may have touched more, or nothing. `ok`: did it succeed?
    """

    hash: str
    index: int
    block: int
    time: float
    contracts: tuple[str, ...]
    sender: str = ""
    ok: bool = True
    judged: bool = True
    phase: Phase = Phase.EXPOSED


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """From the first block the evidence stands in (or the head, while it was only pending) to the decision, and to the close.

    `end` is the newest block while `open`, else the block the integration was resumed at. The times are our clock: `seen_at` when
    the cause reached us, `readable_at` when every door answered `pause` (None: not remembered). Blocks are all of them, in
    order; of a very long window the quiet ones (without such a transaction) are left out, and `quiet` counts those.
    `complete` is False where memory does not reach: `why` says what is missing, and what is listed is not all there was.
    """

    incident: str
    integration: str
    chain: str
    open: bool
    state: str
    decided_at: float
    seen_at: float | None = None
    readable_at: float | None = None
    ended_at: float | None = None
    start: Edge | None = None
    decided: Edge | None = None
    end: Edge | None = None
    complete: bool = True
    why: str = ""
    quiet: int = 0
    transactions_total: int = 0
    blocks: tuple[Edge, ...] = ()
    transactions: tuple[Moved, ...] = ()
    url: str = ""

    def told(self, url: str) -> "Window":
        """As much as a message carries: the edges, the first TOLD transactions, and where the rest is."""
        return msgspec.structs.replace(self, blocks=(), transactions=self.transactions[:TOLD], url=url)
