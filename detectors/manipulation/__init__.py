"""Manipulated prices: a pool is pushed, somebody else believes it, the push is taken back (D4); a vault's first share (D6)."""

from detectors.manipulation.detector import Manipulation

__all__ = ["Manipulation"]
