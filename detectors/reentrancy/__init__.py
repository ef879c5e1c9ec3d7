"""Re-entrancy: a contract is called again while it waits, and its books no longer say what happened."""

from detectors.reentrancy.detector import Reentrancy

__all__ = ["Reentrancy"]
