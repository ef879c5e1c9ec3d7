"""The price of a pool through one transaction: from what it says itself (Uniswap's Sync and Swap), else from what it holds."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite, log
from typing import NamedTuple

from detectors.execution.frames import Execution, Log
from detectors.execution.ledger import Moved, word

SYNC = "0x1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1"
SLOT0 = "0x3850c7bd"
SWAP_V3 = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"
HALF, SIGNED = 1 << 255, 1 << 256

RISES, ROUNDS = 5, 3
"""So many pushes in one direction on end, or so many times up and back, are a pattern."""


class Told(NamedTuple):
    """The price after `before` frames had been entered: units of the second asset for one of the first."""

    before: int
    price: float


class Swing(NamedTuple):
    """A pool's prices in one transaction. `assets` are what it trades, `start` the price before anything happened to it."""

    assets: tuple[str, str]
    start: float
    told: Sequence[Told]
    certain: bool
    """Did the pool itself say so? What it holds is a guess at its price."""

    def at(self, frame: int) -> float:
        """How far off the price was when this frame was entered, as |log| of its ratio to the start."""
        price = self.start
        for told in self.told:
            if told.before > frame:
                break
            price = told.price
        return _off(price, self.start)

    @property
    def end(self) -> float:
        """How far off it is at the end of the transaction, likewise."""
        return _off(self.told[-1].price, self.start) if self.told else 0.0

    @property
    def pattern(self) -> str:
        """Pushes on end, or rounds; "" for neither."""
        steps = [log(b / a) for a, b in pairwise([self.start, *(t.price for t in self.told)]) if a != b]
        turns = sum(a * b < 0 for a, b in pairwise(steps))
        run = longest = 0
        for before, after in pairwise([0.0, *steps]):
            run = run + 1 if before * after > 0 else 1
            longest = max(longest, run)
        if turns >= 2 * ROUNDS - 1:
            return f"{(turns + 1) // 2} rounds up and back"
        return f"{longest} pushes on end" if longest >= RISES else ""


def priced(execution: Execution, pool: str) -> bool:
    """Does the pool tell its own price in this transaction?"""
    return any(s.__class__ is Log and s.address == pool and s.topics and s.topics[0] in {SYNC, SWAP_V3} for s in execution.steps)


def swing(execution: Execution, pool: str, moves: Sequence[Moved], held: Mapping[str, int]) -> Swing | None:
    """The prices of this pool, None where it has none that can be told. `held`: its balances before, as far as known."""
    mine = [m for m in moves if pool in (m.source, m.target) and m.asset != pool]
    assets = sorted({m.asset for m in mine} | (set(held) - {pool} if len(held) == 2 else set()))
    said = [s for s in execution.steps if s.__class__ is Log and s.address == pool and s.topics]
    said = [s for s in said if isinstance(s, Log) and execution.frames[s.frame].alive]
    if len(assets) == 2:
        first, second = assets
        found = _synced(said, pool, mine, first, second) or _ticked(said, _slot(execution, pool))
        if found is not None:
            return Swing((first, second), *found, certain=True)
        if first in held and second in held:
            return _held(pool, mine, first, second, held)
    return None


def _synced(said: Sequence[Log], pool: str, mine: Sequence[Moved], first: str, second: str) -> tuple[float, list[Told]] | None:
    """Uniswap V2: reserves after each use; what they were before the first is what had come and gone by then less."""
    told, start = list[Told](), None
    for entry in said:
        if entry.topics[0] != SYNC:
            continue
        try:
            reserves = word(entry.data, 0), word(entry.data, 1)
        except ValueError:
            return None
        if start is None:
            start = _ratio(*(r - _net(mine, pool, a, entry.before) for r, a in zip(reserves, (first, second), strict=True)))
        price = _ratio(*reserves)
        if price is None or start is None:
            return None
        told.append(Told(entry.before, price))
    return (start, told) if start is not None else None


def _slot(execution: Execution, pool: str) -> tuple[int, float] | None:
    """(frame, price) where the pool was first asked for its root price, if what it answered is known."""
    for i, frame in enumerate(execution.frames):
        if frame.ctx == pool and frame.selector == SLOT0 and frame.output is not None:
            try:
                return i, _squared(word(frame.output, 0))
            except ValueError:
                return None
    return None


def _ticked(said: Sequence[Log], asked: tuple[int, float] | None) -> tuple[float, list[Told]] | None:
    """Uniswap V3: the root of the price after each swap; before the first, what `slot0` said, or from that swap's rate.

    A rate is the geometric mean of the prices before and after while liquidity stays the same.
    """
    told, start = list[Told](), None
    for entry in said:
        if entry.topics[0] != SWAP_V3:
            continue
        try:
            amounts, root = [_signed(word(entry.data, at)) for at in (0, 1)], word(entry.data, 2)
        except ValueError:
            return None
        price = _squared(root)
        if start is None and asked is not None and asked[0] < entry.before:
            start = asked[1]
        if start is None and (rate := _ratio(*map(abs, amounts))) is not None and price > 0:
            start = rate * rate / price
        if price <= 0 or start is None or not isfinite(start) or start <= 0:
            return None
        told.append(Told(entry.before, price))
    return (start, told) if start is not None else None


def _held(pool: str, mine: Sequence[Moved], first: str, second: str, held: Mapping[str, int]) -> Swing | None:
    """From balances: after every movement but the first of each use, so that half a swap is no price."""
    now, told = {first: held[first], second: held[second]}, list[Told]()
    start = _ratio(now[first], now[second])
    for move in mine:
        if move.asset in now:
            now[move.asset] += move.amount * ((move.target == pool) - (move.source == pool))
            price = _ratio(now[first], now[second])
            if price is not None:
                told.append(Told(move.before, price))
    return Swing((first, second), start, told, certain=False) if start is not None and told else None


def _net(mine: Sequence[Moved], pool: str, asset: str, before: int) -> int:
    """What came in less what went out until then."""
    return sum(m.amount * ((m.target == pool) - (m.source == pool)) for m in mine if m.asset == asset and m.before <= before)


def _ratio(first: int, second: int) -> float | None:
    return second / first if 0 < first < SIGNED and 0 < second < SIGNED else None


def _signed(number: int) -> int:
    return number - SIGNED if number >= HALF else number


def _squared(root: int) -> float:
    return (root / 2**96) ** 2 if 0 < root < 1 << 160 else 0.0


def _off(price: float, start: float) -> float:
    return abs(log(price / start)) if price > 0 and start > 0 else 0.0
