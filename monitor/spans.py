"""Spans: the way of a datum (seen, simulated, judged, decided, told) for whoever reads traces; nothing at all unless configured.

A transaction is a trace, and the trace's id is the beginning of the transaction's hash: whoever has one has the other. Traces are
chosen when they end: every one that led to a decision is written, and of the others a share, by their hash. Times are those that
were taken anyway, so nothing waits for a trace.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

import structlog

from detectors.events import Event
from detectors.execution import Execution
from monitor import metrics

log = structlog.get_logger()

T = TypeVar("T")
KEPT = 4096
"""Transactions whose simulation, and decisions whose trace, are remembered until they are judged and told."""

Times = tuple[float, float]
"""When something began and ended, unix seconds."""

Facts = Mapping[str, str | int]


class Writer(Protocol):
    """Where spans are written. What `root` gives is the parent of what belongs to it."""

    def root(self, name: str, trace: int, times: Times, facts: Facts) -> object:
        """The first span of a trace of this id."""

    def child(self, root: object, name: str, times: Times, facts: Facts) -> None:
        """A span below it."""

    def close(self) -> None:
        """Send what is left, within seconds."""


class Way:
    """Writes the ways of transactions. Of those that led to no decision, `share` (0..1) are written."""

    def __init__(self, writer: Writer, share: float) -> None:
        self.writer = writer
        self.share = share
        self._simulated: OrderedDict[str, Times] = OrderedDict()
        self._decided: OrderedDict[str, object] = OrderedDict()

    def simulated(self, tx: str, times: Times) -> None:
        """It was simulated; whether that is written is known once it is judged."""
        _keep(self._simulated, tx, times)

    def judged(self, event: Event, times: Times, findings: int, decided: Sequence[str], done: float) -> None:
        """It was judged within `times`, and what that `decided` (integrations) was in force at `done`. Only executions count."""
        with _harmless():
            self._judged(event, times, findings, decided, done)

    def told(self, txs: Iterable[str | None], integration: str, times: Times) -> None:
        """What was decided on these transactions at `times[0]` is owed to people, on disk, at `times[1]`."""
        with _harmless():
            self._told(txs, integration, times)

    def _judged(self, event: Event, times: Times, findings: int, decided: Sequence[str], done: float) -> None:
        if not isinstance(event, Execution) or event.tx is None:
            return
        simulation = self._simulated.pop(event.tx, None)
        if not decided and not chosen(event.tx, self.share):
            return
        facts: Facts = {"seawall.chain": event.chain, "seawall.tx": event.tx, "seawall.stage": event.stage}
        root = self.writer.root("transaction", trace_id(event.tx), (event.at, done), facts)
        self.writer.child(root, "seen", (event.at, times[0] if simulation is None else simulation[0]), {})
        if simulation is not None:
            self.writer.child(root, "simulated", simulation, {})
        self.writer.child(root, "judged", times, {"seawall.findings": findings})
        if decided:
            self.writer.child(root, "decided", (times[1], done), {"seawall.integrations": ", ".join(decided)[:400]})
            _keep(self._decided, event.tx, root)

    def _told(self, txs: Iterable[str | None], integration: str, times: Times) -> None:
        for tx in dict.fromkeys(txs):
            if tx is not None and (root := self._decided.get(tx)) is not None:
                self.writer.child(root, "told", times, {"seawall.integrations": integration})


way: Way | None = None
"""Where spans go; None while nobody wants any, which is one look each time."""


def start(writer: Writer, share: float) -> Way:
    """Write spans from now on."""
    global way  # noqa: PLW0603 - one process has one way, as it has one registry of metrics
    way = Way(writer, share)
    return way


def stop() -> None:
    """No more spans; those on their way are sent."""
    global way  # noqa: PLW0603 - as in `start`
    if way is not None:
        way.writer.close()
    way = None


@contextmanager
def _harmless() -> Iterator[None]:
    """A trace that cannot be written must not cost a verdict: it is told once, and nothing more is written."""
    global way  # noqa: PLW0603 - as in `start`
    try:
        yield
    except Exception:  # the one place that may decide: judging goes on without traces
        way = None
        metrics.PARTS_FAILED.labels("spans").inc()
        log.exception("spans_failed")


def exemplar(txs: Iterable[str | None]) -> dict[str, str]:
    """The label by which a metric's exemplar leads to the trace of the first of these; nothing where there are no traces."""
    first = next((tx for tx in txs if tx is not None), None)
    return {} if way is None or first is None else {"trace_id": f"{trace_id(first):032x}"}


def trace_id(tx: str) -> int:
    """Of a transaction: the first 16 bytes of its hash; of a name that is none, its own bytes.

    >>> f"{trace_id('0x' + 'ab' * 32):032x}" == "ab" * 16
    True
    """
    try:
        return int(tx[2:34], 16) or 1
    except ValueError:
        return int.from_bytes(tx.encode()[:16], "big") or 1


def chosen(tx: str, share: float) -> bool:
    """Is it among the share that is written? The same answer for the same transaction, everywhere.

    >>> chosen("0x" + "00" * 32, 0.01), chosen("0x" + "ff" * 32, 0.01), chosen("0x" + "ff" * 32, 1.0)
    (True, False, True)
    """
    return (trace_id(tx) & 0xFFFFFFFF) < share * (1 << 32)


def _keep(kept: OrderedDict[str, T], name: str, value: T) -> None:
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > KEPT:
        kept.popitem(last=False)
