"""The forecaster: headers in, one calibrated answer after each; a reorganisation is a rewind, a hole is said aloud."""

import math
from collections import deque
from typing import NamedTuple

import msgspec
import numpy as np

from detectors.gas.advice import REMAINING
from detectors.gas.arbitrum import Backlog
from detectors.gas.calibration import (
    AHEAD_EDGES,
    CAP_BLOCKS,
    CAP_LEVELS,
    COARSE,
    EDGES,
    LEVELS,
    WIDTH_OF,
    bounds,
    ordered,
    track,
)
from detectors.gas.doubts import SHAKEN_FOR, doubt, sane
from detectors.gas.features import DEEP, HORIZONS, Clock, Features, Header, Vector
from detectors.gas.model import INNER, LEAST_WIDTH, Cold, Model, Raw

GWEI = 1e9
WATCHED = (5, 10, 25, 50)
CONGESTED = 6.0
"""The surprise from which a chain counts as congested: worth saying, never a reason to pause."""

KEPT = 2048
"""Answers remembered until they have come true: more than the longest horizon and the deepest rewind together."""

_BACK = np.array(
    [HORIZONS[i] - 1 for i in range(len(HORIZONS)) for _ in LEVELS] + [k - 1 for k in CAP_BLOCKS for _ in CAP_LEVELS]
)
_STEPS = np.array(HORIZONS) - 1
_RECENT, _EVERY = np.arange(max(CAP_BLOCKS)), np.arange(EDGES)
_CAPPED = np.repeat(np.array(CAP_BLOCKS) - 1, len(CAP_LEVELS))
_WATCHED = np.array([HORIZONS.index(blocks) for blocks in WATCHED])


Answering = Cold | Model | Backlog


class Forecast(msgspec.Struct, frozen=True):
    """What is known after block `number`. Fees in gwei; `next_fee` is exact, in wei.

    `ahead` maps blocks ahead to (point, q025, q10, q90, q975); `caps` maps K to the fee that is enough for all of the next K
    blocks at 80, 95 and 99 %; `reservation` maps blocks that may still be waited to the price at or below which to send.
    """

    number: int
    next_fee: int
    ahead: dict[int, tuple[float, ...]]
    caps: dict[int, tuple[float, ...]]
    reservation: dict[int, float]
    model: str
    degraded: str | None
    surprise: float = 0.0
    """How many of its own widths the fee has left what was forecast of it, at the worst of `WATCHED` blocks before."""


class _Mark(NamedTuple):
    shift: Vector
    answers: float
    model: Answering
    shaken: int
    why: str
    last: Header | None


class Forecaster:
    """One chain's state. `observe` is O(1) and bounded in memory; fits happen elsewhere and come in through `adopt`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.features = Features(clock)
        self.model: Answering = Cold()
        self._shift = np.zeros(EDGES)
        self._answers = 0.0
        self._shaken, self._why = 0, ""
        self._last: Header | None = None
        self._surprise = 0.0
        self._x = np.full(KEPT, np.nan)
        self._edges = np.full((KEPT, EDGES), np.nan)
        self._marks: deque[_Mark] = deque(maxlen=DEEP)
        self.forecast: Forecast | None = None

    def observe(self, header: Header, model: Answering | None = None) -> Forecast | None:
        """Fold in a header and answer, with this model if one came with it. A number seen before: all from it on was reverted.

        A header that cannot be (negative or absurd numbers) changes nothing: the last answer stands, marked degraded.
        """
        features = self.features
        if not sane(header):
            return self._again("a header that cannot be")
        if features.number is not None and header.number <= features.number and not self.rewind(header.number - 1):
            return self._again("a reorganisation deeper than can be taken back")
        self._marks.append(_Mark(self._shift, self._answers, self.model, self._shaken, self._why, self._last))
        if model is not None:
            self.adopt(model)
        self._shaken = max(self._shaken - 1, 0)
        if (why := doubt(header, self._last)) is not None:
            self._shaken, self._why = SHAKEN_FOR, why
        self._last = header
        vector = features.observe(header)
        self._come_true()
        self.forecast = self._answer(vector)
        return self.forecast

    def rewind(self, number: int) -> bool:
        """Forget every header above `number`; False when it lies deeper than `DEEP` headers, and then nothing changes."""
        before = self.features.count
        if not self.features.rewind(number):
            return False
        for _ in range(before - self.features.count):
            self._shift, self._answers, self.model, self._shaken, self._why, self._last = self._marks.pop()
        return True

    def adopt(self, model: Answering) -> None:
        """Answer with this model from the next header on; a model of another kind starts with edges of its own."""
        if model.name != self.model.name:
            self._shift, self._answers = np.zeros(EDGES), 0.0
        self.model = model

    def _come_true(self) -> None:
        """Hold the answers whose block is now known against it, and move the edges."""
        at = self.features.count - 1
        self._x[at % KEPT] = self.features.x
        origins = at - _BACK
        if origins[0] < 0:
            return
        recent = self._x[(at - _RECENT) % KEPT] if at + 1 >= len(_RECENT) else np.full(len(_RECENT), np.nan)
        highest = np.maximum.accumulate(recent)
        now = np.full(EDGES, self.features.x)
        now[AHEAD_EDGES:] = highest[_CAPPED]
        rows = origins % KEPT
        realised = np.where(origins >= 0, now - self._x[rows], np.nan)
        edges = self._edges[rows, _EVERY]
        self._surprise = _surprise(realised, edges)
        self._shift = track(self._shift, self._answers, realised, edges)
        self._answers += 1.0

    def _answer(self, vector: Vector) -> Forecast:
        features = self.features
        raw, broken = self.model.predict(vector, features.count), False
        if not math.isfinite(raw.points.sum() + raw.edges.sum() + raw.widths.sum()):
            raw, broken = Cold().predict(vector, features.count), True
        down, up = bounds(features.next_fee, features.clock.step())
        points = np.clip(raw.points, _STEPS * features.clock.step()[0], _STEPS * features.clock.step()[1])
        edges = np.clip(raw.edges + self._shift * raw.widths[WIDTH_OF], down, up)
        self._edges[(features.count - 1) % KEPT] = edges
        stopping = None if broken else self.model.stopping
        waiting = stopping.waiting(raw.points, raw.edges) if stopping is not None else None
        return self._worded(Raw(points, ordered(points, edges), raw.widths), waiting, self._degraded(broken=broken))

    def _degraded(self, *, broken: bool) -> str | None:
        """The first reason to doubt the answer, in words."""
        if broken:
            return f"the {self.model.name} model gave no numbers"
        if self._shaken:
            return f"{self._why}, {SHAKEN_FOR - self._shaken} headers ago"
        if isinstance(self.model, Cold):
            return f"nothing fitted yet after {self.features.count} headers"
        if self.features.next_fee < COARSE:
            return f"a fee of {self.features.next_fee} wei moves in steps of one"
        return None

    def _worded(self, raw: Raw, waiting: Vector | None, degraded: str | None) -> Forecast:
        features, model = self.features, self.model
        fee = features.next_fee / GWEI
        points = (fee * np.exp(raw.points)).tolist()
        edges = (fee * np.exp(raw.edges)).tolist()
        ahead: dict[int, tuple[float, ...]] = {1: (fee, fee, fee, fee, fee)}
        for index, horizon in enumerate(HORIZONS):
            ahead[horizon] = (points[index], *edges[index * len(LEVELS) : (index + 1) * len(LEVELS)])
        caps = {
            blocks: tuple(edges[AHEAD_EDGES + index * len(CAP_LEVELS) : AHEAD_EDGES + (index + 1) * len(CAP_LEVELS)])
            for index, blocks in enumerate(CAP_BLOCKS)
        }
        reservation = dict(zip(REMAINING, (fee * waiting).tolist(), strict=True)) if waiting is not None else {}
        rung = model.rung(features.count)
        return Forecast(features.number or 0, features.next_fee, ahead, caps, reservation, rung, degraded, self._surprise)

    def _again(self, why: str) -> Forecast | None:
        return self.forecast and msgspec.structs.replace(self.forecast, degraded=why)


def _surprise(realised: Vector, edges: Vector) -> float:
    """Realised increments against the inner intervals that had been given for them; 0 while nothing has come true."""
    many = len(HORIZONS), len(LEVELS)
    ahead, came = edges[:AHEAD_EDGES].reshape(many)[_WATCHED], realised[:AHEAD_EDGES].reshape(many)[_WATCHED, 0]
    widths = np.maximum((ahead[:, 2] - ahead[:, 1]) / INNER, LEAST_WIDTH)
    away = np.abs(came - (ahead[:, 1] + ahead[:, 2]) / 2.0) / widths
    return float(np.fmax.reduce(away, initial=0.0))
