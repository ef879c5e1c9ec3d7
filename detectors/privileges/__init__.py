"""Whoever holds the keys: power changes hands and money follows (D8), the house pulls liquidity or sells paper (D5)."""

from detectors.privileges.detector import Privileges

__all__ = ["Privileges"]
