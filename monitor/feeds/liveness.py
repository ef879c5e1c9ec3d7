"""Does a subscription deliver? Nodes grant some that never do, and others fall silent while their connection stays fine.

What should have been pushed and was not is learnt from elsewhere: a head that the timer found, a block full of transactions of
which none was heard of. Three such misses on end, and the subscription counts as silent until something comes again.
"""

import structlog

from monitor import metrics

log = structlog.get_logger()

SILENT = 3
"""Misses on end after which a subscription counts as silent."""
RENEW, RENEW_MOST = 30.0, 3600.0
"""Seconds between two renewals of one that stays silent: the first wait, which doubles, and the longest."""


class Liveness:
    """Of one chain's subscription to one topic."""

    def __init__(self, chain: str, topic: str) -> None:
        self._chain, self._topic = chain, topic
        self._missed = 0
        self._renewed_at = float("-inf")
        self._wait = RENEW

    @property
    def silent(self) -> bool:
        """It was granted and delivers nothing."""
        return self._missed >= SILENT

    def heard(self) -> None:
        """Something was pushed."""
        if self.silent:
            log.info("subscription_speaks", chain=self._chain, topic=self._topic)
        self._missed, self._wait = 0, RENEW
        metrics.LIVE.labels(self._chain, self._topic).set(1)

    def missed(self) -> None:
        """Something was there that should have been pushed."""
        self._missed += 1
        if self._missed == SILENT:
            log.warning("subscription_silent", chain=self._chain, topic=self._topic)
            metrics.LIVE.labels(self._chain, self._topic).set(0)

    def renew(self, now: float) -> bool:
        """Is it time to try another connection? Ever more seldom, for one that no connection helps."""
        if not self.silent or now - self._renewed_at < self._wait:
            return False
        if self._renewed_at > float("-inf"):
            self._wait = min(2 * self._wait, RENEW_MOST)
        self._renewed_at = now
        return True
