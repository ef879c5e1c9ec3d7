"""Activations: a contract's stretches of running. Proxies, libraries and self-calls merge into the activation they serve.

A frame opens a new activation iff its ctx differs from its parent's. Activations are numbered in the order they open, so an
activation's descendants are the numbers up to `last`, and "encloses" is two comparisons.
"""

from collections.abc import Sequence

from detectors.execution.frames import STATICCALL, Frame

TRACKED = 4
"""How many enclosing activations of the same contract are remembered from either end."""


class Activations:
    """The activation tree of one transaction as flat lists, indexed by activation number.

    `of[frame]` is the activation a frame belongs to. `entry` is its first frame, `parent` the enclosing activation (-1 at the
    root), `depth` its distance from the root, `outer` the nearest enclosing activation of the same ctx (-1: none), `last` its
    last descendant. `static`: nothing in it can change state. `far`: the first `TRACKED` enclosing activations of the same ctx.
    """

    __slots__ = ("ctx", "depth", "entry", "far", "last", "of", "outer", "parent", "static")

    def __init__(self, frames: Sequence[Frame]) -> None:
        self.of: list[int] = []
        self.entry: list[int] = []
        self.ctx: list[str | None] = []
        self.parent: list[int] = []
        self.depth: list[int] = []
        self.static: list[bool] = []
        self.outer: list[int] = []
        self.last: list[int] = []
        self.far: list[tuple[int, ...]] = []
        self._build(frames)

    def _build(self, frames: Sequence[Frame]) -> None:
        opened: dict[str | None, list[int]] = {}
        path: list[int] = []
        for i, frame in enumerate(frames):
            above = self.of[frame.parent] if frame.parent >= 0 else -1
            if above >= 0 and self.ctx[above] == frame.ctx:
                self.of.append(above)
                continue
            while path and path[-1] != above:
                self._close(path, opened)
            self._open(i, frame, above, opened)
            path.append(len(self.entry) - 1)
        while path:
            self._close(path, opened)

    def _open(self, i: int, frame: Frame, above: int, opened: dict[str | None, list[int]]) -> None:
        me = len(self.entry)
        same = opened.setdefault(frame.ctx, [])
        self.of.append(me)
        self.entry.append(i)
        self.ctx.append(frame.ctx)
        self.parent.append(above)
        self.depth.append(self.depth[above] + 1 if above >= 0 else 0)
        self.static.append(frame.type == STATICCALL or (above >= 0 and self.static[above]))
        outer = same[-1] if same and frame.ctx is not None else -1
        far = self.far[outer] if outer >= 0 else ()
        self.far.append((*far, outer) if outer >= 0 and len(far) < TRACKED else far)
        self.outer.append(outer)
        self.last.append(me)
        same.append(me)

    def _close(self, path: list[int], opened: dict[str | None, list[int]]) -> None:
        done = path.pop()
        opened[self.ctx[done]].pop()
        self.last[done] = len(self.entry) - 1

    def __len__(self) -> int:
        return len(self.entry)

    def encloses(self, outer: int, inner: int) -> bool:
        """Is `inner` the activation `outer` itself or nested in it, however deep?"""
        return outer <= inner <= self.last[outer]

    def between(self, outer: int, inner: int) -> list[int]:
        """The activations strictly between, nearest to `inner` first. `outer` must enclose `inner`."""
        path = []
        at = self.parent[inner]
        while at > outer:
            path.append(at)
            at = self.parent[at]
        return path

    def tracked(self, inner: int) -> tuple[int, ...]:
        """The enclosing activations of the same ctx: the first and the last `TRACKED` of them, outermost first.

        An attacker chooses the depth; what lies in the middle of a deep spiral behaves like its ends.
        """
        near: list[int] = []
        at = self.outer[inner]
        while at >= 0 and len(near) < TRACKED:
            near.append(at)
            at = self.outer[at]
        far = self.far[inner]
        return far + tuple(at for at in reversed(near) if at > far[-1]) if far else ()
