"""Reserves against their own history: slow drifts, flows out of the tail, hours unlike the same hour. Warns, never pauses."""

from collections.abc import Iterable, Iterator, Mapping
from math import log
from typing import Any, ClassVar

import msgspec

from detectors._math.cusum import Cusum
from detectors._math.seasons import Season
from detectors._math.spot import Spot
from detectors._math.undo import Map, Undo
from detectors.base import NOTHING, Basis, Detector, Finding, Registry
from detectors.events import Block, Committed, Event, PoolState, Reverted, Stage
from detectors.execution.books import turn

WARM = 100
"""Increments before a series is judged: it has no history to be compared with."""

HOUR = 3_600.0

MOST = 0.75
"""The most a tail can mean: every adaptive detector alarms on a heavy-tailed null now and then."""

SERIES = 1_024
"""Series kept per chain."""


class Series(msgspec.Struct, frozen=True):
    """One asset of one contract: its amount and time at the last look, its sum and tail, and the hour that is running."""

    amount: int
    at: float
    drift: Cusum = Cusum()
    tail: Spot = Spot()
    hour_from: float = 0.0
    hour_amount: int = 0
    told: bool = False


class Books:
    """One chain's series, revertible: every value is a frozen struct that is swapped, never changed."""

    def __init__(self) -> None:
        self.log = Undo()
        self.series: Map[tuple[str, str], Series] = self.log.map()


class Statistics(Detector):
    """`drift`: deviations that a CUSUM of falls may gather; `risk`: the part of flows that lie beyond the tail's limit.

    A flow is the change from reading to reading in deviations by EWMA; its tail is taken about the mean of late (DSPOT), so that
    a day's tide neither alarms nor hides a jump: that it falls for long is what `drift` tells.
    `seasons`: contract -> asset -> [[24 usual hourly changes], [24 spreads]] as `detectors._math.seasons.fit` gives them.

    >>> from detectors.base import Watch
    >>> from detectors.events import Position
    >>> guard = Statistics({"eip155:1": Watch(watched=frozenset({"0xb0"}))})
    >>> def at(height, amount):
    ...     here = Position(height, f"0x{height}")
    ...     return PoolState(chain="eip155:1", at=height * 12.0, position=here, pool="0xb0", kind="holdings",
    ...                      reserves={"0xc0": amount})
    >>> calm = [guard.observe(at(n, 10**24 + (-1)**n * 10**20)) for n in range(200)]
    >>> any(map(list, calm))
    False
    >>> [f.kind for n in range(200, 260) for f in guard.observe(at(n, 10**24 - (n - 199) * 2 * 10**21))][:1]
    ['drift']
    """

    name: ClassVar[str] = "statistics"
    summary: ClassVar[str] = "A reserve behaves unlike its own past."
    wants: ClassVar[tuple[type[Event], ...]] = (Block, PoolState, Committed, Reverted)
    kinds: ClassVar[dict[str, str]] = {
        "drift": "A reserve falls step by step, further than its own ups and downs explain: a slow drain begins so.",
        "tail": "A reserve fell in one block as it has hardly ever done: a large client, or a theft.",
        "season": "A reserve lost in an hour what it does not lose at this hour of the day.",
    }

    def __init__(
        self,
        registry: Registry | None = None,
        *,
        drift: float = 12.0,
        risk: float = 1e-4,
        unusual: float = 8.0,
        seasons: Mapping[str, Mapping[str, Iterable[Iterable[float]]]] | None = None,
    ) -> None:
        if drift <= 0 or unusual <= 0 or not 0 < risk < 0.02:
            raise ValueError(f"drift {drift} and unusual {unusual} must be above 0, risk {risk} between 0 and 0.02")
        self.registry = registry or {}
        self.drift = drift
        self.risk = risk
        self.unusual = unusual
        self.seasons = {
            (contract.lower(), asset.lower()): _season(told)
            for contract, assets in (seasons or {}).items()
            for asset, told in assets.items()
        }
        self._books: dict[str, Books] = {}

    def observe(self, event: Event) -> Iterable[Finding]:
        """Judge every reading against the ones before it."""
        books = self._books.get(event.chain)
        if isinstance(event, Block | PoolState):
            if books is None:
                books = self._books[event.chain] = Books()
            books.log.open(event.position.height)
            return list(self._reading(event, books)) if isinstance(event, PoolState) else ()
        if isinstance(event, Committed | Reverted) and books is not None:
            turn(books.log, event)
        return ()

    def _reading(self, event: PoolState, books: Books) -> Iterator[Finding]:
        watch = self.registry.get(event.chain, NOTHING)
        if event.pool not in (watch.watched or ()):
            return
        for asset, amount in sorted(event.reserves.items()):
            past = books.series.get((event.pool, asset))
            if past is None:
                if amount > 0 and len(books.series) < SERIES:
                    books.series[event.pool, asset] = Series(amount, event.at, hour_from=event.at, hour_amount=amount)
                continue
            if amount <= 0 or past.amount <= 0:
                books.series[event.pool, asset] = msgspec.structs.replace(past, amount=max(0, amount), at=event.at)
                continue
            now, made = self._step(event, asset, past, amount)
            books.series[event.pool, asset] = now
            yield from made

    def _step(self, event: PoolState, asset: str, past: Series, amount: int) -> tuple[Series, list[Finding]]:
        """The series after this reading, and what is to be said of it."""
        step = log(amount / past.amount) if 1e-300 < amount / past.amount < 1e300 else 0.0
        z, drift = past.drift.standard(step), past.drift.next(step)
        tail, out = past.tail.next(-z, risk=self.risk, drift=True)  # the tide of the day is no tail
        warm, made = past.drift.seen >= WARM, list[Finding]()
        loud = drift.down > self.drift
        if warm and loud and not past.told:
            made.append(self._find(event, asset, "drift", drift.down / self.drift, {"deviations": round(drift.down, 3)}))
        if warm and out and step < 0:
            limit = past.tail.level + past.tail.limit
            told = {"deviations": round(-z, 3), "limit": round(limit, 3), "of_late": round(past.tail.level, 3)}
            made.append(self._find(event, asset, "tail", -z / max(limit, 1e-9), told))
        now = msgspec.structs.replace(past, amount=amount, at=event.at, drift=drift, tail=tail, told=loud)
        season = self.seasons.get((event.pool, asset))
        if event.at - now.hour_from >= HOUR:
            if season is not None and now.hour_amount > 0:
                unlike = -season.standard(event.at, amount / now.hour_amount - 1)
                if unlike > self.unusual:
                    made.append(self._find(event, asset, "season", unlike / self.unusual, {"deviations": round(unlike, 3)}))
            now = msgspec.structs.replace(now, hour_from=event.at, hour_amount=amount)
        return now, made

    def _find(self, event: PoolState, asset: str, kind: str, over: float, evidence: dict[str, Any]) -> Finding:
        titles = {
            "drift": "has been falling for some time, further than its ups and downs explain",
            "tail": "fell in one block as it has hardly ever done",
            "season": "lost in an hour what it does not lose at this hour",
        }
        return self.find(
            event,
            kind=kind,
            victims=(event.pool,),
            confidence=min(MOST, 0.5 + 0.05 * (over - 1)),
            title=f"what {event.pool} holds of {asset} {titles[kind]}",
            evidence={"asset": asset, "amount": _amount(event.reserves[asset]), **evidence},
            stage=Stage.INCLUDED,
            watched=True,
            position=event.position,
            basis=Basis.STATISTICS,
        )


def _season(told: Iterable[Iterable[float]]) -> Season:
    usual, spread = (tuple(map(float, part)) for part in told)
    return Season(usual, spread)


def _amount(number: int) -> int | str:
    return number if abs(number) < 1 << 53 else str(number)
