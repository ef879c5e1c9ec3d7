"""Arbitrum's fee follows a backlog of gas: what was used beyond a speed limit is owed, and what is owed makes gas dear.

Source: Arbitrum Nitro, `arbos/l2pricing` and `precompiles/ArbGasInfo`. As a block begins, time passed pays off the backlog, and
what is left sets the base fee of the block after it: so the backlog after a block's parent gives the fee of its child exactly.
Further out it is walked on under the usual demand. Since ArbOS 50 a chain may have several targets, with a backlog each.
"""

import math
from statistics import NormalDist
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.gas.calibration import CAP_BLOCKS, CAP_LEVELS, LEVELS
from detectors.gas.demand import Demand
from detectors.gas.exact import arbitrum_fee
from detectors.gas.features import HORIZONS, Header, Vector
from detectors.gas.model import INNER, LEAST_WIDTH, Raw

_STEPS = np.array(HORIZONS) - 1
_CAP_STEPS = np.arange(1, max(CAP_BLOCKS))
_AHEAD_AT = np.array([NormalDist().inv_cdf(level) for level in LEVELS])
_CAPS_AT = np.array([NormalDist().inv_cdf(level) for level in CAP_LEVELS])


class Target(msgspec.Struct, frozen=True):
    """Gas paid off a second, seconds of inertia, seconds' worth of gas that is forgiven; and the gas that is owed."""

    speed: int
    inertia: int
    tolerance: int = 0
    backlog: int = 0

    def later(self, seconds: int, used: int = 0) -> "Target":
        """After so much time, then so much gas."""
        return msgspec.structs.replace(self, backlog=max(self.backlog - seconds * self.speed, 0) + used)

    def bips(self) -> int:
        """Its part of the exponent, basis points."""
        return max(self.backlog - self.tolerance * self.speed, 0) * 10_000 // (self.inertia * self.speed)


class Reading(msgspec.Struct, frozen=True):
    """What ArbGasInfo says after a block: the least base fee (wei), and the targets with what is owed."""

    least_wei: int
    targets: tuple[Target, ...]

    def later(self, seconds: int, used: int = 0) -> "Reading":
        """After so much time, then so much gas."""
        return Reading(self.least_wei, tuple(target.later(seconds, used) for target in self.targets))

    def fee(self) -> int:
        """The base fee (wei) that this backlog sets."""
        return arbitrum_fee(self.least_wei, sum(target.bips() for target in self.targets))


class Backlog(msgspec.Struct, frozen=True):
    """After block `number`: a forecaster's model that is a value, new with every block, so that a rewind has the old one.

    `next_fee` (wei) is the child's; `exact` unless a backlog had to be reckoned from gas used, which holds what paid for
    Ethereum's calldata too. `reading` is as of after this block, `read` unless it was reckoned.
    """

    number: int
    timestamp: int
    reading: Reading
    read: bool
    next_fee: int
    exact: bool
    used: Demand
    apart: Demand
    """Gas a block, and seconds from one to the next."""

    name: ClassVar[str] = "backlog"
    stopping: ClassVar[None] = None

    def rung(self, count: int) -> str:  # noqa: ARG002 - as the other models'
        """The one it is."""
        return self.name

    def predict(self, vector: Vector, count: int) -> Raw:  # noqa: ARG002 - as the other models'; the backlog says it all
        """Log increments from the next fee: the backlog under the usual demand, and where more or less of it would lead."""
        points = self._increments(_STEPS, np.zeros(1))[:, 0]
        ahead = self._increments(_STEPS, _AHEAD_AT)
        caps = np.maximum(np.maximum.accumulate(self._increments(_CAP_STEPS, _CAPS_AT)), 0.0)
        edges = np.concatenate((ahead.ravel(), caps[np.array(CAP_BLOCKS) - 2].ravel()))
        return Raw(points, edges, np.maximum((ahead[:, 2] - ahead[:, 1]) / INNER, LEAST_WIDTH))

    def _increments(self, steps: NDArray[np.int64], at: Vector) -> Vector:
        """(steps, at): so many blocks after the next, with demand so many deviations from the usual."""
        taken, passed = np.maximum(steps - 1.0, 0.0)[:, None], steps.astype(np.float64)[:, None]
        uses = taken * np.array([self.used.spread(max(int(step) - 1, 1)) for step in steps])[:, None]
        waits = passed * np.array([self.apart.spread(int(step)) for step in steps])[:, None]
        exponent = np.zeros((len(steps), len(at)))
        for target in self.reading.targets:
            paid = passed * self.apart.usual * target.speed
            strays = at * np.hypot(uses, waits * target.speed)
            owed = np.maximum(target.backlog + taken * self.used.usual - paid + strays, 0.0)
            exponent += np.maximum(owed - target.tolerance * target.speed, 0.0) / (target.inertia * target.speed)
        growth = 1.0 + exponent * (1.0 + exponent / 2.0 * (1.0 + exponent / 3.0 * (1.0 + exponent / 4.0)))
        out: Vector = np.log(np.maximum(self.reading.least_wei * growth, 1.0)) - math.log(max(self.next_fee, 1))
        return out


def follow(before: Backlog | None, header: Header, reading: Reading | None) -> Backlog | None:
    """After this block, with what ArbGasInfo says after it (None: it was not read). None while nothing was ever read."""
    if before is not None and header.number == before.number + 1:
        return _next(before, header, reading)
    if reading is None:
        return None
    # What was owed when the block began is not known, but what it used is: at most all of it is owed since.
    begun = Reading(
        reading.least_wei, tuple(target.later(0, -min(header.gas_used, target.backlog)) for target in reading.targets)
    )
    return Backlog(
        number=header.number, timestamp=header.timestamp, reading=reading, read=True, next_fee=begun.fee(), exact=False,
        used=Demand(float(header.gas_used)), apart=Demand(0.0),
    )  # fmt: skip


def _next(before: Backlog, header: Header, reading: Reading | None) -> Backlog:
    seconds = max(header.timestamp - before.timestamp, 0)
    begun, used = before.reading.later(seconds), header.gas_used
    if reading is not None and before.read and reading.targets and begun.targets:
        used = max(reading.targets[0].backlog - begun.targets[0].backlog, 0)
    return Backlog(
        number=header.number, timestamp=header.timestamp, reading=reading or begun.later(0, used), read=reading is not None,
        next_fee=begun.fee(), exact=before.read, used=before.used.then(float(used)),
        apart=(before.apart if before.apart.past else Demand(float(seconds))).then(float(seconds)),
    )  # fmt: skip
