"""Invariants: what no honest use of a contract can change, checked at block ends and after simulated transactions (D3)."""

from detectors.invariants.detector import Invariants

__all__ = ["Invariants"]
