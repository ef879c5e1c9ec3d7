"""Maps that can go back: every change since a block is logged, so that a reverted block leaves no trace."""

from collections.abc import Iterator, MutableMapping
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

DEEPEST = 4096
"""Blocks kept when nobody says what is final; a chain that reorganises deeper needs a fresh start."""


class _Absent:
    """The value before a key existed."""


_Change = tuple["Map[Any, Any]", Any, Any]


class Undo:
    """A log of changes by block height. Make maps with `map()`; a map may hold maps of the same log.

    Values must not change in place, other maps excepted. Iteration order of a map is not part of its state.

    >>> log = Undo()
    >>> held = log.map()
    >>> log.open(1); held["a"] = 1
    >>> log.open(2); held["a"] = 2; held["b"] = 3
    >>> log.revert(2), dict(held)
    (True, {'a': 1})
    """

    __slots__ = ("_deepest", "_levels")

    def __init__(self, deepest: int = DEEPEST) -> None:
        self._levels: list[tuple[int, list[_Change]]] = []
        self._deepest = deepest

    def map(self) -> "Map[Any, Any]":
        """A new, empty map whose changes this log records."""
        return Map(self)

    @property
    def height(self) -> int | None:
        """The newest block opened and neither reverted nor forgotten; None at the start."""
        return self._levels[-1][0] if self._levels else None

    def open(self, height: int) -> None:
        """What follows belongs to the block of this height. Opening the newest, or an older one, again changes nothing."""
        if self._levels and self._levels[-1][0] >= height:
            return
        self._levels.append((height, []))
        if len(self._levels) > self._deepest:
            del self._levels[0]

    def revert(self, first: int) -> bool:
        """Undo the blocks from height `first` up. False when older changes than the log remembers may be among them."""
        known = bool(self._levels) and self._levels[0][0] <= first
        while self._levels and self._levels[-1][0] >= first:
            for target, key, was in reversed(self._levels.pop()[1]):
                target.restore(key, was)
        return known

    def forget(self, final: int) -> None:
        """The blocks up to height `final` cannot be undone any more: drop their log, keep their values."""
        keep = next((i for i, (height, _) in enumerate(self._levels) if height > final), len(self._levels))
        del self._levels[:keep]

    def record(self, target: "Map[Any, Any]", key: object, was: object) -> None:
        """Remember what `key` was; called by the maps. Before the first block there is nothing to go back to."""
        if self._levels:
            self._levels[-1][1].append((target, key, was))

    def __len__(self) -> int:
        return len(self._levels)


class Map(MutableMapping[K, V]):
    """A dict whose changes can be undone; made by `Undo.map`."""

    __slots__ = ("_data", "_log")

    def __init__(self, log: Undo) -> None:
        self._log = log
        self._data: dict[K, V] = {}

    def __getitem__(self, key: K) -> V:
        return self._data[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._log.record(self, key, self._data.get(key, _Absent))
        self._data[key] = value

    def __delitem__(self, key: K) -> None:
        self._log.record(self, key, self._data[key])
        del self._data[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __contains__(self, key: object) -> bool:
        return key in self._data

    def restore(self, key: K, was: Any) -> None:  # noqa: ANN401 - a value of any map, or its absence
        """Put back what was logged, without logging it."""
        if was is _Absent:
            self._data.pop(key, None)
        else:
            self._data[key] = was

    def child(self, key: K) -> "Map[Any, Any]":
        """The map at `key`, made if there is none. For maps of maps."""
        found = self._data.get(key)
        if isinstance(found, Map):
            return found
        made: Map[Any, Any] = Map(self._log)
        self[key] = made  # type: ignore[assignment]
        return made
