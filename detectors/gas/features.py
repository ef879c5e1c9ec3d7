"""What the headers so far say about the fees to come: one O(1) fold per header, and a vector of features after each.

`x` is the log of the known base fee of the next block, in gwei; `r` is fullness, gas used over the gas target less one.
Time counts in slots, since what fills blocks keeps a timetable: scheduled transactions come on the minute and the hour, and
the beacon chain has its epoch. A header's marks on the state are undone exactly by `rewind`.
"""

import math
from collections import deque
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.gas.exact import next_base_fee

Vector = NDArray[np.float64]

HORIZONS = (2, 5, 10, 25, 50, 100, 300, 1800)
"""Blocks ahead that are forecast; 1 is exact."""

GAPS = (2, 4, 8, 16, 32, 64, 128, 300, 900, 3600, 7200, 21600)
FULLNESS = (3, 8, 25, 100, 600)
LAGS = 21
BENT, SQUARED = (4, 16, 64, 300), (16, 64, 300)
BACK = 4
"""Slots looked back into a timetable: what is usual for the newest blocks tells how unusual they were."""

RATES = (1 / 500, 1 / 150, 1 / 100, 1 / 30)
"""How fast a slot of the minute, the epoch, the hour and the day learns from a visit."""

PROFILE_DAYS = (1, 2, 3, 7)
SHAPES = (
    (lambda r: float(r > 0.95), (8, 25, 100)),
    (lambda r: float(r < -0.5), (8, 25, 100)),
    (lambda r: r * r, (8, 25, 100)),
    (lambda r: float(r > 0.98), (4, 16, 64)),
    (lambda r: max(r - 0.5, 0.0), (4, 16, 64)),
    (lambda r: max(-0.5 - r, 0.0), (4, 16, 64)),
    (lambda r: float(abs(r) < 0.3), (8, 64)),
)
"""How fullness was spread, not only its mean: a full block hides how much more wanted in. Each over so many blocks."""

RANGES = (12, 25, 50, 100)
"""Blocks whose highest and lowest fee are looked at: where in its recent range the fee stands. Not longer ones, and no slower
shapes: by those the network would know training weeks by heart."""

DEEP = 128
"""Headers that can be taken back."""

MOST_GAP = 7 * 7200
"""Slots: after a longer silence the timetable is kept, and what lies before it is no longer looked at."""

_LEVEL = slice(0, 12)
_FULL = slice(12, 17)
_LAG = slice(17, 38)
_VOL = slice(38, 41)
_MISSED, _USUAL, _X, _SLOT, _COUNT, _FILLED = 41, 42, 43, 44, 45, 46
_SHAPE = slice(47, 47 + sum(len(spans) for _, spans in SHAPES))
_SIZE = _SHAPE.stop
_RECENT = 256
"""Fees kept for the ranges: the longest of them and the deepest rewind together."""


def _alpha(*spans: int) -> Vector:
    return 2.0 / (np.array(spans, dtype=np.float64) + 1.0)


_A_LEVEL, _A_FULL, _A_VOL = _alpha(*GAPS), _alpha(*FULLNESS), _alpha(50, 300, 300)
_A_SHAPE = _alpha(*(span for _, spans in SHAPES for span in spans))
_SHAPE_OF = np.repeat(np.arange(len(SHAPES)), [len(spans) for _, spans in SHAPES])
_BACKS = np.arange(BACK)
_BACK_TO = np.array(RANGES) - 1
_A_MISSED, _A_USUAL = 2.0 / 51.0, 2.0 / 101.0
_BENT = np.array([GAPS.index(span) for span in BENT])
_SQUARED = np.array([GAPS.index(span) for span in SQUARED])


class Header(msgspec.Struct, frozen=True):
    """A block's header as far as its fee is concerned: unix seconds, wei, gas.

    `next_fee` (wei) is the child's base fee where EIP-1559 alone does not say it (the OP Stack); None: it does.
    """

    number: int
    timestamp: int
    base_fee: int
    gas_used: int
    gas_limit: int
    next_fee: int | None = None


class Clock(msgspec.Struct, frozen=True):
    """How a chain keeps time; the defaults are Ethereum mainnet's."""

    genesis: int = 1606824023
    seconds: int = 12
    epoch: int = 32
    elasticity: int = 2
    denominator: int = 8

    @property
    def periods(self) -> tuple[int, int, int, int]:
        """Slots in a minute, an epoch, an hour and a day."""
        return max(60 // self.seconds, 1), self.epoch, 3600 // self.seconds, 86400 // self.seconds

    def step(self) -> tuple[float, float]:
        """The least and the most a block can add to the log of the base fee."""
        return math.log(1 - 1 / self.denominator), math.log(1 + (self.elasticity - 1) / self.denominator)


class _Mark(NamedTuple):
    """What is needed to forget one header."""

    number: int
    next_fee: int
    small: Vector
    phases: tuple[int, ...]
    before: tuple[float, ...]
    vector: Vector


def layout() -> dict[str, slice]:
    """Where each group of features lies in the vector."""
    sizes = {
        "gaps": len(GAPS), "lags": LAGS, "fullness": len(FULLNESS), "volatility": 3, "slots": 2, "calendar": 10,
        "bent": len(BENT), "up": len(SQUARED), "down": len(SQUARED), "usual": len(RATES) * BACK,
        "ahead": len(RATES) * len(HORIZONS), "profile": 7 * len(HORIZONS),
        "shape": len(_A_SHAPE), "below": len(RANGES), "above": len(RANGES),
    }  # fmt: skip
    ends = np.cumsum(list(sizes.values()))
    return {name: slice(int(end - size), int(end)) for (name, size), end in zip(sizes.items(), ends, strict=True)}


LAYOUT = layout()
WIDTH = LAYOUT["above"].stop


class Features:
    """The state after the newest header, and the vector that goes with it (float64, `WIDTH` long, laid out as `LAYOUT`).

    `x` is the log of the exact next base fee in gwei. Memory is bounded: a week of slots, a day's timetable, `DEEP` marks.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self._periods = self.clock.periods
        day = self._periods[3]
        self._small = np.zeros(_SIZE)
        # A timetable is stored twice over (the day's once and a bit), so that looking ahead is one slice.
        self._tables = [np.zeros(period + min(period, HORIZONS[-1] + 1)) for period in self._periods]
        self._ring = 1 << (8 * day).bit_length()
        self._sums = np.zeros(self._ring)
        self._recent = np.zeros(2 * _RECENT)  # stored twice over, so that looking back is one slice
        self._gather, self._edges, self._oldest = _profile_edges(day)
        self._ahead = [_ahead(period) for period in self._periods]
        self._marks: deque[_Mark] = deque(maxlen=DEEP)
        self.number: int | None = None
        self.next_fee = 0
        self.vector = np.zeros(WIDTH)

    @property
    def x(self) -> float:
        """Log of the next block's base fee in gwei."""
        return float(self._small[_X])

    @property
    def count(self) -> int:
        """Headers seen on this branch."""
        return int(self._small[_COUNT])

    def observe(self, header: Header) -> Vector:
        """Fold in the next header; returns the new vector. The caller sees to it that headers come in order."""
        clock, small = self.clock, self._small
        fee = header.next_fee
        if fee is None:
            fee = next_base_fee(header.base_fee, header.gas_used, header.gas_limit, clock.elasticity, clock.denominator)
        x = math.log(max(fee, 1) / 1e9)
        target = header.gas_limit // clock.elasticity
        r = min(header.gas_used / target - 1.0, clock.elasticity) if target else 0.0
        slot, last = (header.timestamp - clock.genesis) // clock.seconds, int(small[_SLOT])
        first = small[_COUNT] == 0
        passed = 1 if first or slot <= last else slot - last
        slot = slot if first else last + passed
        phases = tuple(slot % period for period in self._periods)
        before = tuple(float(table[phase]) for table, phase in zip(self._tables, phases, strict=True))
        self._marks.append(
            _Mark(-1 if self.number is None else self.number, self.next_fee, small.copy(), phases, before, self.vector)
        )
        self.number, self.next_fee = header.number, fee
        self._levels(x, r, float(passed > 1), first=bool(first))
        self._learn(r, phases, before, first=bool(first))
        self._fill(slot, x, passed, first=bool(first))
        small[_X], small[_SLOT] = x, slot
        at = int(small[_COUNT]) % _RECENT
        self._recent[at] = self._recent[at + _RECENT] = x
        small[_COUNT] += 1
        self.vector = self._vector(header.timestamp, slot, x, float(passed > 1), phases)
        return self.vector

    def rewind(self, number: int) -> bool:
        """Forget every header above `number`; False (and nothing forgotten) when it lies deeper than the marks reach."""
        if self.number is None or self.number <= number:
            return True
        depth = next((i for i, mark in enumerate(reversed(self._marks)) if mark.number <= number), None)
        if depth is None:
            return False
        for _ in range(depth + 1):
            mark = self._marks.pop()
            for table, phase, value, period in zip(self._tables, mark.phases, mark.before, self._periods, strict=True):
                _write(table, phase, value, period)
            self._small, self.vector, self.next_fee = mark.small, mark.vector, mark.next_fee
            self.number = None if mark.number < 0 else mark.number
        return True

    def _levels(self, x: float, r: float, missed: float, *, first: bool) -> None:
        """The moving averages; each starts at its first value."""
        small = self._small
        if first:
            small[_LEVEL], small[_FULL], small[_MISSED], small[_USUAL] = x, r, missed, 0.0
            dx = 0.0
        else:
            dx = x - small[_X]
            small[_LEVEL] += _A_LEVEL * (x - small[_LEVEL])
            small[_FULL] += _A_FULL * (r - small[_FULL])
            small[_MISSED] += _A_MISSED * (missed - small[_MISSED])
        small[18:38] = small[17:37]
        small[17] = r
        shapes = np.array([shape(r) for shape, _ in SHAPES])[_SHAPE_OF]
        small[_SHAPE] += (1.0 if first else _A_SHAPE) * (shapes - small[_SHAPE])
        away = x - small[5]
        small[_VOL] += (1.0 if first else _A_VOL) * (np.array((abs(dx), dx * dx, away * away)) - small[_VOL])

    def _learn(self, r: float, phases: tuple[int, ...], before: tuple[float, ...], *, first: bool) -> None:
        """Each timetable takes its share of how much fuller this block was than usual for its slot."""
        usual = float(self._small[_USUAL])
        surprise = r - usual - sum(before)
        self._small[_USUAL] = r * _A_USUAL if first else usual + _A_USUAL * (r - usual)
        for table, phase, value, rate, period in zip(self._tables, phases, before, RATES, self._periods, strict=True):
            _write(table, phase, value + rate * surprise, period)

    def _fill(self, slot: int, x: float, passed: int, *, first: bool) -> None:
        """Running sum of x by slot; a missed slot keeps the fee that was known."""
        small, sums, mask = self._small, self._sums, self._ring - 1
        if first:
            sums[slot & mask] = x
            small[_FILLED] = slot
            return
        last = int(small[_SLOT])
        if passed > MOST_GAP * 12 // self.clock.seconds:
            small[_FILLED], sums[slot & mask] = slot, x
            return
        total = float(sums[last & mask])
        for missing in range(last + 1, slot):
            total += float(small[_X])
            sums[missing & mask] = total
        sums[slot & mask] = total + x

    def _vector(self, timestamp: int, slot: int, x: float, missed: float, phases: tuple[int, ...]) -> Vector:
        small, out = self._small, np.empty(WIDTH)
        gaps = x - small[_LEVEL]
        out[0:12] = gaps
        out[12:33] = small[_LAG]
        out[33:38] = small[_FULL]
        out[38] = small[38]
        out[39:41] = np.sqrt(small[39:41])
        out[41], out[42] = missed, small[_MISSED]
        out[43:53] = _calendar(timestamp)
        out[53:57] = np.abs(gaps[_BENT])
        bent = gaps[_SQUARED]
        out[57:60] = np.maximum(bent, 0.0) ** 2
        out[60:63] = np.minimum(bent, 0.0) ** 2
        at, ahead = 63, 63 + len(RATES) * BACK
        for table, phase, (period, turns, left) in zip(self._tables, phases, self._ahead, strict=True):
            out[at : at + BACK] = table[(phase - _BACKS) % period]
            at += BACK
            run = table[phase : phase + 1 + min(period, HORIZONS[-1])].cumsum()
            out[ahead : ahead + len(HORIZONS)] = turns * (run[-1] - run[0]) + (run[left] - run[0])
            ahead += len(HORIZONS)
        out[LAYOUT["profile"]] = self._profile(slot, x)
        out[LAYOUT["shape"]] = small[_SHAPE]
        self._place(out, x)
        return out

    def _place(self, out: Vector, x: float) -> None:
        """How far the fee is below the highest and above the lowest of the last blocks."""
        count = self.count
        end = (count - 1) % _RECENT + _RECENT + 1
        back = self._recent[end - min(count, RANGES[-1]) : end][::-1]
        to = np.minimum(_BACK_TO, len(back) - 1)
        out[LAYOUT["below"]] = np.maximum.accumulate(back)[to] - x
        out[LAYOUT["above"]] = x - np.minimum.accumulate(back)[to]

    def _profile(self, slot: int, x: float) -> Vector:
        """How the same hours of earlier days went on from here, per horizon; zero where the history is too short."""
        known = slot + self._oldest >= self._small[_FILLED]
        edges = self._sums[(slot + self._edges) & (self._ring - 1)]
        means = (edges[0] - edges[1]) * self._gather  # (2, days, horizons): then, and then + horizon
        moved = np.where(known, means[1] - means[0], 0.0)
        out = np.empty((7, len(HORIZONS)))
        out[:4] = moved
        out[4] = moved[:3].sum(axis=0) / 3.0
        out[5] = np.where(known[0], means[1, 0] - x, 0.0)
        out[6] = np.where(known[3], means[1, 3] - x, 0.0)
        return out.T.ravel()


def _write(table: Vector, phase: int, value: float, period: int) -> None:
    table[phase] = value
    if phase + period < len(table):
        table[phase + period] = value


def _ahead(period: int) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    """Per horizon: whole turns of the timetable among the blocks still to come, and the rest."""
    steps = np.array(HORIZONS) - 1
    return period, steps // period, steps % period


def _profile_edges(day: int) -> tuple[Vector, NDArray[np.int64], NDArray[np.int64]]:
    """Offsets from the newest slot whose running sums bound each window: (2 edges, 2 centres, days, horizons)."""
    horizons, days = np.array(HORIZONS), np.array(PROFILE_DAYS)[:, None] * day
    half = np.maximum(5, horizons // 4)
    centres = np.stack([np.broadcast_to(-days, (len(days), len(horizons))), horizons - 1 - days])
    edges = np.stack([centres + half, centres - half - 1])
    return 1.0 / (2.0 * half + 1.0), edges.astype(np.int64), (-days - half - 1).astype(np.int64)


def _calendar(timestamp: int) -> Vector:
    day, week = 2 * math.pi * (timestamp % 86400) / 86400, 2 * math.pi * (timestamp % 604800) / 604800
    angles = np.array((day, 2 * day, 3 * day, week, 2 * week))
    return np.concatenate((np.sin(angles), np.cos(angles)))
