"""Priority fees: what the next block's cheap, usual and urgent transactions will have paid, with edges that track what came true.

Fed with the gas-weighted rewards of `eth_feeHistory` at the percentiles `ASKED`, one row a block.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from detectors.gas.features import Vector

ASKED = (10, 50, 90)
"""Percentiles to ask a node for: what was just enough, what was usual, what was urgent."""

LEVEL = 0.8
"""How often an offer should turn out to be at least what that share of the next block's gas paid."""

SPAN, STEP, EAGER, EAGER_FOR = 20.0, 0.01, 0.1, 60.0
_LEAST_WIDTH = 0.02


class Offer(msgspec.Struct, frozen=True):
    """Wei per gas. An offer of `usual` was enough, `LEVEL` of the time, to stand above half of the next block's gas."""

    cheap: int
    usual: int
    urgent: int


class PriorityFees:
    """One chain's rewards, O(1) a block. Works on logs of wei + 1, since blocks without tips are common."""

    def __init__(self) -> None:
        self._level: Vector | None = None
        self._width = np.full(len(ASKED), 0.5)
        self._shift = np.zeros(len(ASKED))
        self._edge: Vector | None = None
        self._count = 0

    def observe(self, rewards: Sequence[int]) -> Offer:
        """Rewards (wei) of the newest block at `ASKED`; returns what to offer for the next.

        Raises ValueError for another shape.
        """
        if len(rewards) != len(ASKED) or any(reward < 0 for reward in rewards):
            raise ValueError(f"eth_feeHistory must give {len(ASKED)} rewards of zero or more a block, not {list(rewards)[:5]}")
        paid = np.array([math.log(reward + 1) for reward in rewards])
        if self._level is None:
            self._level = paid.copy()
        alpha = 2.0 / (SPAN + 1.0)
        if self._edge is not None:
            step = STEP + EAGER / (1.0 + self._count / EAGER_FOR)
            self._shift += step * (LEVEL - (paid <= self._edge))
            self._width += alpha * (np.abs(paid - self._level) - self._width)
        self._level += alpha * (paid - self._level)
        self._count += 1
        self._edge = self._level + self._shift * np.maximum(self._width, _LEAST_WIDTH)
        cheap, usual, urgent = np.maximum.accumulate(np.clip(np.exp(np.minimum(self._edge, 80.0)) - 1.0, 0.0, None))
        return Offer(round(float(cheap)), round(float(usual)), round(float(urgent)))
