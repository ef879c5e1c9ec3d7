"""Findings and pipelines for tests, with everything unimportant filled in."""

from detectors.base import Basis, Finding, Severity, finding_id
from detectors.events import Position, Stage

CHAIN = "eip155:31337"
BANK = "0x" + "b0" * 20


def position(height: int, fork: str = "") -> Position:
    """A block of this height; another `fork` is another block."""
    return Position(height, f"0x{fork}{height}", f"0x{fork}{height - 1}")


def finding(
    confidence: float = 0.9,
    *,
    tx: str = "0xattack",
    stage: Stage = Stage.INCLUDED,
    at: float = 1000.0,
    detector: str = "reentrancy",
    kind: str = "same_contract",
    victim: str = BANK,
    height: int | None = 10,
    basis: Basis = Basis.MECHANISM,
) -> Finding:
    """One finding about BANK."""
    return Finding(
        id=finding_id(detector, kind, victim, tx),
        detector=detector,
        kind=kind,
        subject=victim,
        victims=(victim,),
        chain=CHAIN,
        at=at,
        severity=Severity.of(confidence),
        confidence=confidence,
        title="the bank was drained",
        evidence={"share": 0.4},
        causes=(f"{CHAIN}/tx/{tx}",),
        stage=stage,
        basis=basis,
        tx=tx,
        position=position(height) if height is not None and stage is not Stage.PENDING else None,
    )
