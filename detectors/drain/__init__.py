"""Liquidity drains: value leaves a watched contract and nothing comes back for it, at once (D1) or bit by bit (D2)."""

from detectors.drain.detector import Drain

__all__ = ["Drain"]
