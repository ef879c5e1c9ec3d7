"""Blocks of which a node traces nothing: it may have lost its tracer while we were connected, and then no flag may say `run`.

Such a block is read again, after the node was asked anew what it offers, so that another may take the lead. What stays so is
taken as it is, since time goes on, but nothing can be vouched for until a transaction is judged again.
"""

import time
from collections.abc import Callable, Sequence

import structlog

from detectors.events import Position, Unjudged
from detectors.execution import Execution
from monitor.feeds.accord import Verdict
from monitor.feeds.tracing import NO_TRACER, REFUSED

log = structlog.get_logger()

AGAIN = 2
"""How often a block is read again."""
EVERY = 10.0
"""Seconds between two blocks that are: who can make blocks of one transaction that no node traces shall not slow us down."""
ON_END = 2
"""Blocks on end of which each transaction was refused by itself, after which that is taken for the node's doing."""


class Refusals:
    """One chain's; blocks are asked about in their order. `why` is empty while what is judged can be vouched for."""

    def __init__(self, chain: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.why = ""
        self._chain = chain
        self._clock = clock
        self._block = ""
        self._tries = 0
        self._on_end = 0
        self._asked_at = float("-inf")

    def asked(self, position: Position, executions: Sequence[Execution | Unjudged]) -> Verdict:
        """What to do with this block: DOUBT means that the node should be asked anew what it offers."""
        if not executions:
            return Verdict.TAKE
        reasons = {one.reason if isinstance(one, Unjudged) else "" for one in executions}
        if not reasons <= {NO_TRACER, REFUSED}:
            self.why, self._on_end = "", 0
            return Verdict.TAKE
        if position.id != self._block:
            self._block, self._tries = position.id, 0
            self._on_end += 1
        if not self.why and (self._tries or self._clock() - self._asked_at >= EVERY) and self._tries < AGAIN:
            self._asked_at = self._clock()
            self._tries += 1
            return Verdict.DOUBT if self._tries == 1 else Verdict.AGAIN
        if NO_TRACER in reasons or self._on_end >= ON_END:
            self.why = f"the node refuses to trace: nothing of block {position.height} could be judged; see `seawall doctor`"
            log.warning("traces_refused", chain=self._chain, height=position.height, reasons=sorted(reasons))
        return Verdict.TAKE
