"""How far a long run has come and how long it will still take: a line to read, now and then."""

from collections.abc import Mapping

import msgspec

BAR = 24


class Part(msgspec.Struct, frozen=True):
    """Steps of one kind, and the seconds one takes on two quiet cores: what is believed until the run itself knows better."""

    steps: int
    each: float


class Progress:
    """Times are seconds of any one clock.

    >>> run = Progress({"worlds": Part(10, 1.0), "honest": Part(100, 0.1)}, began=0.0)
    >>> run.line(0.0)
    '[························]   0 %  worlds 0/10, honest 0/100; 0m00s gone, about 0m20s to go'
    >>> run.done("worlds", 5), run.done("honest", 50)
    (None, None)
    >>> run.line(90.0)
    '[############············]  50 %  worlds 5/10, honest 50/100; 1m30s gone, about 1m30s to go'
    """

    def __init__(self, parts: Mapping[str, Part], began: float) -> None:
        self.parts = dict(parts)
        self.began = began
        self._done = dict.fromkeys(parts, 0)

    def done(self, part: str, steps: int) -> None:
        """So many steps of a part are behind us."""
        self._done[part] = min(steps, self.parts[part].steps)

    def step(self, part: str) -> None:
        """One more."""
        self.done(part, self._done[part] + 1)

    @property
    def share(self) -> float:
        """The part of the work that is done, 0..1."""
        whole = sum(part.steps * part.each for part in self.parts.values())
        return sum(self._done[name] * part.each for name, part in self.parts.items()) / whole if whole else 1.0

    def line(self, now: float) -> str:
        """Where it stands."""
        share, gone = self.share, max(0.0, now - self.began)
        whole = sum(part.steps * part.each for part in self.parts.values())
        left = gone * (1 - share) / share if share > 0.0 else whole
        bar = "#" * int(BAR * share)
        counts = ", ".join(f"{name} {self._done[name]:,}/{part.steps:,}" for name, part in self.parts.items() if part.steps)
        return f"[{bar:·<{BAR}}] {100 * share:3.0f} %  {counts}; {span(gone)} gone, about {span(left)} to go"


def span(seconds: float) -> str:
    """A stretch of time for people.

    >>> span(61.4), span(3_725)
    ('1m01s', '62m05s')
    """
    whole = round(seconds)
    return f"{whole // 60}m{whole % 60:02d}s"
