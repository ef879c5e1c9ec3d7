"""A reckoning of pending contract calls: each that came is open until it ends, in one of a few ways, all of them counted.

What came is what ended and what is open, whatever happens in between; so an attack can be late or given up, which is said, but
not lost. `judged`; `mined` first, and judged in its block; `underpriced`, too poor for any block; or unjudged, by its reason.
"""

from monitor import metrics

JUDGED, MINED, UNDERPRICED = "judged", "mined", "underpriced"
"""Ends that are no failure."""


class Reckoning:
    """One chain's. `now` is any clock's seconds, always the same one's."""

    def __init__(self, chain: str) -> None:
        self.chain = chain
        self._since: dict[str, float] = {}
        self._came, self._open = metrics.PENDING_CAME.labels(chain), metrics.PENDING_OPEN.labels(chain)

    def __len__(self) -> int:
        """How many are open."""
        return len(self._since)

    def __contains__(self, tx_id: object) -> bool:
        return tx_id in self._since

    def oldest(self, now: float) -> float:
        """How long the oldest has been open, seconds."""
        return max(0.0, now - next(iter(self._since.values()))) if self._since else 0.0

    def came(self, tx_id: str, now: float) -> None:
        """It is to be judged. One that is open already is the same one."""
        if tx_id not in self._since:
            self._since[tx_id] = now
            self._came.inc()
            self._open.set(len(self._since))

    def ended(self, tx_id: str, how: str) -> None:
        """It was open and is not any more; of one that is not open nothing is to be said."""
        if self._since.pop(tx_id, None) is not None:
            metrics.PENDING_ENDED.labels(self.chain, how).inc()
            self._open.set(len(self._since))
