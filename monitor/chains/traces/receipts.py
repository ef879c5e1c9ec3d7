"""Logs of a receipt put among the frames that can have emitted them, for traces that come without logs.

A receipt has every log that stands, in exact order, with the address of its emitter, but not its place among the calls. What is
certain: the emitter is an alive frame with that address as its context, outside any static call, and it had control at that
moment. Among the places that leave the order of the logs intact the latest is taken, and where an address entered as often as
it logged, each entry gets one log. So the order of logs among themselves is exact; their order among calls is approximate.
"""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Sequence

import msgspec

from detectors.execution import BORROWS_CODE, SELFDESTRUCT, STATICCALL, Frame, Log
from monitor.chains.traces.words import Words, data


class ReceiptLog(msgspec.Struct, gc=False):
    """A log as a receipt lists it."""

    address: str
    topics: list[str]
    data: str | None = None


class Receipt(msgspec.Struct, gc=False, rename="camel"):
    """What a block's receipts say of one transaction, as far as it is read here."""

    transaction_hash: str
    block_hash: str
    logs: list[ReceiptLog]


_Place = tuple[int, int]
"""(frames entered before, minus the frame), which sorts by time: of two frames open at one moment the inner one ends first."""


class _Places:
    """Where one address can have logged, in order of time; `units[i]` is the entry that place `at[i]` belongs to.

    An entry is a call into the address with whatever code it borrows meanwhile: a proxy and its implementation are one. Of the
    frames of an entry that end together the innermost is taken, whose code it most likely was.
    """

    def __init__(self, found: dict[tuple[int, int], int], logs: int) -> None:
        ranked = sorted(((before, -frame), unit) for (before, unit), frame in found.items())
        self.at = [place for place, _ in ranked]
        self.units = [unit for _, unit in ranked]
        self._firsts: dict[int, int] = {}
        for i, unit in enumerate(self.units):
            self._firsts.setdefault(unit, i)
        self._entries = sorted(self._firsts.values())
        self._used: set[int] = set()
        self._used_firsts: list[int] = []
        self._logs = logs
        self._next = len(ranked) - 1

    def take(self, limit: _Place, *, spread: bool) -> _Place | None:
        """The latest place at or before `limit` for the last log that has none yet; None when there is none.

        `spread`: as long as there are enough entries left for one log each, an entry gets no second one.
        """
        i, units, used = self._next, self.units, self._used
        while i >= 0 and self.at[i] > limit:
            i -= 1
        if spread and i >= 0 and units[i] in used:
            fresh = bisect_right(self._entries, i) - bisect_right(self._used_firsts, i)
            if self._logs <= fresh:
                while units[i] in used:
                    i -= 1
        self._next = i
        if i < 0:
            return None
        self._logs -= 1
        if units[i] not in used:
            used.add(units[i])
            insort(self._used_firsts, self._firsts[units[i]])
        return self.at[i]


def attach(logs: Sequence[ReceiptLog], frames: Sequence[Frame], words: Words) -> list[Log]:
    """The logs as steps of these frames, in their order. Raises TraceUnreadable for an address that is none.

    A log that no frame explains (some chains log on their own account) belongs to the root. Where the root failed nothing stands.
    """
    if not logs or not frames[0].alive:
        return []
    emitters = [words.addresses[log.address] or "" for log in logs]
    places = _placed(emitters, frames, spread=True) or _placed(emitters, frames, spread=False)
    return [
        Log(-inner, before, emitter, tuple(topic.lower() for topic in log.topics), data(log.data))
        for (before, inner), emitter, log in zip(places, emitters, logs, strict=True)
    ]


def _placed(emitters: Sequence[str], frames: Sequence[Frame], *, spread: bool) -> list[_Place]:
    """A place for each log, found from the last to the first. Empty when spreading them leaves one without a place."""
    candidates = _candidates(emitters, frames)
    root = [(i, 0) for i, frame in enumerate(frames) if frame.parent == 0] + [(len(frames), 0)]
    places: list[_Place] = []
    limit = root[-1]
    for emitter in reversed(emitters):
        mine = candidates.get(emitter)
        place = None if mine is None else mine.take(limit, spread=spread)
        if place is None:
            if mine is not None and spread:
                return []
            place = root[bisect_right(root, limit) - 1]
        limit = place
        places.append(place)
    places.reverse()
    return places


def _candidates(emitters: Sequence[str], frames: Sequence[Frame]) -> dict[str, _Places]:
    """Emitter -> its places: before each call of a frame that may log there, and at that frame's end."""
    counts = Counter(emitters)
    ends, units, may = _shape(frames)
    found: dict[str, dict[tuple[int, int], int]] = {}
    for i, frame in enumerate(frames):
        for before, here in ((i, frame.parent), (ends[i], i)):
            ctx = frames[here].ctx if here >= 0 and may[here] else None
            if ctx is not None and ctx in counts:
                at = found.setdefault(ctx, {})
                at[before, units[here]] = max(here, at.get((before, units[here]), here))
    return {emitter: _Places(at, counts[emitter]) for emitter, at in found.items()}


def _shape(frames: Sequence[Frame]) -> tuple[list[int], list[int], list[bool]]:
    """Per frame: how many frames were entered when it ended, the entry it belongs to, and whether it may log at all."""
    ends = [i + 1 for i in range(len(frames))]
    for i in range(len(frames) - 1, 0, -1):
        above = frames[i].parent
        ends[above] = max(ends[above], ends[i])
    units: list[int] = []
    may: list[bool] = []
    still: list[bool] = []
    for i, frame in enumerate(frames):
        above = frame.parent
        still.append(frame.type == STATICCALL or (above >= 0 and still[above]))
        may.append(frame.alive and not still[i] and frame.type != SELFDESTRUCT)
        units.append(units[above] if above >= 0 and frame.type in BORROWS_CODE else i)
    return ends, units, may
