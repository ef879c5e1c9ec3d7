"""Slow drains: what left a contract unpaid for in a minute, an hour, a day, against what it held when the window began (D2)."""

from typing import Any

import msgspec

from detectors._math.budget import Budget
from detectors._math.undo import Map, Undo

DAY = 86_400
BUCKETS = 60
DAY_BUCKETS = 24
PARTIES = 512
"""Parties remembered per chain; beyond, the half that took the smallest shares is forgotten: dust must not crowd out a thief."""

Limits = tuple[tuple[int, float], ...]
"""(window in seconds, share of the balance that may leave in it)."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """A window over its limit: `total` base units left in `span` seconds, `share` of what was there when it began."""

    span: int
    limit: float
    total: int
    share: float
    watched: float
    """Seconds of the span that were watched: fewer after a start without a snapshot, or when blocks were lost."""

    @property
    def filled(self) -> bool:
        """Was the whole span watched?"""
        return self.watched >= self.span


class Windows:
    """The budgets of one chain. Amounts are signed: what flows back in refills."""

    def __init__(self, log: Undo, limits: Limits) -> None:
        self.limits = limits
        self._rings: Map[Any, Any] = log.map()
        self._parties: Map[Any, Any] = log.map()
        self._shares: Map[Any, float] = log.map()

    def spend(self, contract: str, asset: str, amount: int, before: int | None, at: float, started: float) -> list[Spent]:
        """Count `amount` that left at `at` (chain time); the windows it takes over their limit. No balance, no telling."""
        over = []
        for span, limit in self.limits:
            ring = Budget(self._rings.child((contract, asset, span)), span=span, buckets=BUCKETS)
            gone = ring.total(at)
            total = ring.add(at, amount)
            spent = self._judge(span, limit, total, before, gone, at, started)
            if spent is not None and amount > 0:
                over.append(spent)
        return over

    def would(self, contract: str, asset: str, amount: int, before: int | None, at: float, started: float) -> list[Spent]:
        """The windows, begun before, that `amount` would take over their limit if it left now; changes nothing."""
        over = []
        for span, limit in self.limits:
            ring = self._rings.get((contract, asset, span))
            gone = Budget(ring, span=span, buckets=BUCKETS).total(at) if ring is not None else 0
            spent = self._judge(span, limit, gone + amount, before, gone, at, started)
            if spent is not None and amount > 0 and gone > 0:
                over.append(spent)
        return over

    def take(
        self, contract: str, asset: str, who: str, amount: int, before: int | None, at: float, started: float, limit: float
    ) -> Spent | None:
        """Count what one party took (or brought, negative) of one contract's asset in a day."""
        key = (contract, asset, who)
        ring = Budget(self._parties.child(key), span=DAY, buckets=DAY_BUCKETS)
        gone = ring.total(at)
        total = ring.add(at, amount)
        self._shares[key] = max(0, total) / before if before and before > 0 else 0.0
        spent = self._judge(DAY, limit, total, before, gone, at, started) if amount > 0 else None
        if len(self._shares) > PARTIES:
            self._prune()
        return spent

    @staticmethod
    def _judge(span: int, limit: float, total: int, before: int | None, gone: int, at: float, started: float) -> Spent | None:
        held = max(before or 0, (before or 0) + gone)
        if not before or before < 0 or total <= 0 or total / held <= limit:
            return None
        return Spent(span=span, limit=limit, total=total, share=min(1.0, total / held), watched=max(0.0, min(span, at - started)))

    def _prune(self) -> None:
        by_share = sorted((share, key) for key, share in self._shares.items())
        for _, key in by_share[: len(by_share) // 2]:
            del self._shares[key]
            del self._parties[key]
