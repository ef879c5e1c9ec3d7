"""Do a block's traces tell the logs that the block has? Two answers about one thing: where they differ, one of them is wrong.

The logs are held to the header's bloom, the traces to nothing: a node that leaves a call out of a trace, or an answer spoilt on
the way, shows here. Such a block is read again, then the node is doubted; and since some chains log on their own account, what
stays different whoever is asked is taken as it is in the end, counted, and not asked about again until it agrees once.
"""

from collections import Counter
from collections.abc import Sequence
from enum import Enum

import structlog

from detectors.events import Position, Unjudged
from detectors.execution import Execution, Log
from monitor import metrics
from monitor.chains.base import LogEntry
from monitor.chains.traces.words import DATA

log = structlog.get_logger()

AGAIN = 2
"""How often a block is read again; the node is doubted before the last time."""
ACCEPTED = 3
"""Blocks on end that stayed different, after which the chain is one whose traces tell other logs."""

_Said = tuple[str, tuple[str, ...], str]


class Verdict(Enum):
    """What to do with a block."""

    TAKE = "take"
    AGAIN = "read it again"
    DOUBT = "read it again, from another node if there is one"


def discord(executions: Sequence[Execution | Unjudged], logs: Sequence[LogEntry]) -> str | None:
    """The first transaction whose trace tells other logs than the block has; None while all agree.

    The order is not compared: nodes interleave a frame's logs with its calls, or do not. Traces hold data cut after `DATA`.
    Unjudged transactions, and traces without logs or cut ones, tell nothing.
    """
    listed: dict[str, list[_Said]] = {}
    for entry in logs:
        listed.setdefault(entry.tx, []).append((entry.address, entry.topics, entry.data[:DATA]))
    ran = {one.tx if isinstance(one, Execution) else one.id for one in executions}
    if (unknown := next((tx for tx in listed if tx not in ran), None)) is not None:
        return unknown  # the block's list of transactions is under no seal of ours: one whose name was spoilt hid the true one
    for execution in executions:
        if not isinstance(execution, Execution) or not (execution.logged and execution.complete):
            continue
        frames, had = execution.frames, listed.get(execution.tx, [])
        told = [
            (step.address, step.topics, step.data or "0x")
            for step in execution.steps
            if type(step) is Log and frames[step.frame].alive
        ]
        if told != had and Counter(told) != Counter(had):
            return execution.tx
    return None


class Accord:
    """One chain's; blocks are asked about in their order."""

    def __init__(self, chain: str) -> None:
        self._chain = chain
        self._block = ""
        self._tries = 0
        self._accepted = 0

    def asked(self, position: Position, executions: Sequence[Execution | Unjudged], logs: Sequence[LogEntry]) -> Verdict:
        """What to do with this block, of which these are the traces and the logs."""
        if (tx := discord(executions, logs)) is None:
            self._accepted = 0
            self._count("ok")
            return Verdict.TAKE
        if self._accepted >= ACCEPTED:
            self._count("skipped")
            return Verdict.TAKE
        self._tries = self._tries + 1 if position.id == self._block else 1
        self._block = position.id
        self._count("failed")
        log.warning("trace_disagrees", chain=self._chain, height=position.height, block=position.id, tx=tx, tries=self._tries)
        if self._tries <= AGAIN:
            return Verdict.AGAIN if self._tries < AGAIN else Verdict.DOUBT
        self._accepted += 1
        return Verdict.TAKE

    def _count(self, outcome: str) -> None:
        metrics.NODE_CHECKS.labels(self._chain, "trace_logs", outcome).inc()
