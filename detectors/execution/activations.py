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
        """One pass in one function: four in five flagged transactions are harmless, and cost little but this."""
        of, entry, ctxs, parents, depths = self.of, self.entry, self.ctx, self.parent, self.depth
        statics, outers, last, fars = self.static, self.outer, self.last, self.far
        opened: dict[str | None, list[int]] = {}
        path: list[int] = []
        me = -1
        for i, frame in enumerate(frames):
            ctx, above = frame.ctx, of[frame.parent] if frame.parent >= 0 else -1
            if above >= 0 and ctxs[above] == ctx:
                of.append(above)
                continue
            while path and path[-1] != above:
                done = path.pop()
                opened[ctxs[done]].pop()
                last[done] = me
            me += 1
            same = opened.get(ctx)
            if same is None:
                same = opened[ctx] = []
            outer = same[-1] if same and ctx is not None else -1
            far = fars[outer] if outer >= 0 else ()
            of.append(me)
            entry.append(i)
            ctxs.append(ctx)
            parents.append(above)
            depths.append(depths[above] + 1 if above >= 0 else 0)
            statics.append(frame.type == STATICCALL or (above >= 0 and statics[above]))
            fars.append((*far, outer) if outer >= 0 and len(far) < TRACKED else far)
            outers.append(outer)
            last.append(me)
            same.append(me)
            path.append(me)
        for done in path:
            last[done] = me

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
