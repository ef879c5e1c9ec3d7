"""Congestion: the fee has left what was forecast of it by many of its own widths. Worth saying, never a reason to pause."""

from detectors.base import WARN_AT, Basis, Finding, Severity, finding_id
from detectors.events import Position, Stage
from monitor.gas.answers import Outlook

CONGESTED, STEEP, CALM = 6.0, 12.0, 3.0
"""Widths away: from where it is a finding, from where a warning, and back under which it is over."""

QUIET_FOR = 10
"""Blocks on end below `CALM` after which it is over."""

INFO, WARNING = 0.4, 0.6
"""Confidences: both below what pauses, whatever the policy's arithmetic."""

KIND = "congestion"


class Congestion:
    """One chain's: a finding when it begins, another when it grows steep, and a word when it is over."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._worst = 0.0
        self._quiet = 0

    def look(self, outlook: Outlook) -> Finding | None:
        """What is to be said after this block. None: nothing new."""
        away = outlook.surprise
        if self.since is None or away >= CALM:
            self._quiet = 0
        else:
            self._quiet += 1
        if away < CONGESTED or outlook.model.last is None:  # a chain whose model is not fitted yet surprises by ignorance
            return None
        begins, grows = self.since is None, away >= STEEP > self._worst
        self.since = outlook.seen_at if self.since is None else self.since
        self._worst = max(self._worst, away)
        return finding(outlook) if begins or grows else None

    def over(self) -> bool:
        """Has it ended? Asked once it has, it begins anew."""
        if self.since is None or self._quiet < QUIET_FOR:
            return False
        self.since, self._worst, self._quiet = None, 0.0, 0
        return True


def finding(outlook: Outlook) -> Finding:
    """The finding: its basis is advice and it has no victims, so no policy can pause on it."""
    block = outlook.block
    confidence = WARNING if outlook.surprise >= STEEP else INFO
    return Finding(
        id=finding_id("gas", KIND, outlook.chain, block.hash),
        detector="gas",
        kind=KIND,
        subject=outlook.chain,
        victims=(),
        chain=outlook.chain,
        at=outlook.seen_at,
        severity=Severity.WARNING if confidence >= WARN_AT else Severity.INFO,
        confidence=confidence,
        title=f"the base fee left its own forecast by {outlook.surprise:.1f} widths: {outlook.next_fee_wei / 1e9:.6g} gwei next",
        evidence={
            "widths": round(outlook.surprise, 2),
            "base_fee_gwei": outlook.base_fee_wei / 1e9,
            "next_fee_gwei": outlook.next_fee_wei / 1e9,
        },
        causes=(f"{outlook.chain}/block/{block.hash}",),
        stage=Stage.INCLUDED,
        basis=Basis.ADVICE,
        position=Position(block.number, block.hash),
    )
