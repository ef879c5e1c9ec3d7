"""A day's rhythm: what a quantity usually does at each hour, fitted elsewhere and handed in as numbers."""

from collections.abc import Sequence

import msgspec

HOURS = 24


class Season(msgspec.Struct, frozen=True):
    """By hour of the day (UTC): the usual relative change of a reserve per hour, and how much it varies. `of_days`: fitted on.

    >>> calm = Season((0.0,) * 24, (0.01,) * 24, of_days=30)
    >>> calm.standard(3 * 3600.0, -0.05)
    -5.0
    """

    usual: tuple[float, ...]
    spread: tuple[float, ...]
    of_days: int = 0

    def __post_init__(self) -> None:
        if len(self.usual) != HOURS or len(self.spread) != HOURS or any(s < 0 for s in self.spread):
            raise ValueError(f"a season has {HOURS} usual values and as many spreads that are not negative")

    def standard(self, at: float, change: float) -> float:
        """A change within the hour that ends at `at` (unix seconds), in deviations; 0.0 where none is known."""
        hour = int((at - 3_600) % 86_400 // 3_600)
        return (change - self.usual[hour]) / self.spread[hour] if self.spread[hour] > 0 else 0.0


def hourly(samples: Sequence[tuple[float, int]]) -> tuple[list[float], int]:
    """(relative change in each hour, the hour of day of the first) of (unix seconds, amount) in order of time.

    An hour without a sample keeps the amount before it; after nothing, there is no change.

    >>> hourly([(0.0, 100), (1800.0, 90), (3600.0, 99), (10800.0, 99)])
    ([-0.1, 0.1, 0.0], 0)
    """
    last: dict[int, int] = {int(at // 3_600): amount for at, amount in samples}
    if not last:
        return [], 0
    first, end = min(last), max(last)
    changes, before = [], samples[0][1]
    for hour in range(first, end):
        now = last.get(hour, before)
        changes.append(round(now / before - 1, 12) if before > 0 else 0.0)
        before = now
    return changes, first % HOURS


def fit(changes: Sequence[float], first_hour: int = 0) -> Season:
    """Fit hourly changes (the first of them in `first_hour`, 0..23, UTC) by statsmodels' robust STL: slowly.

    Raises ValueError for less than four days.
    """
    if len(changes) < 4 * HOURS:
        raise ValueError(f"a season needs four days of hours at least, not {len(changes)} hours")
    import numpy as np  # noqa: PLC0415 - with what follows
    from statsmodels.tsa.seasonal import STL  # noqa: PLC0415 - a second to import, and only whoever fits needs it

    series = np.asarray(changes, dtype=float)
    found = STL(series, period=HOURS, robust=True).fit()
    hours = (np.arange(len(series)) + first_hour) % HOURS
    rest = np.abs(found.resid + found.trend - np.median(found.trend))
    usual = tuple(float(np.median((found.seasonal + np.median(found.trend))[hours == hour])) for hour in range(HOURS))
    overall = 1.4826 * float(np.median(rest))
    spread = tuple(max(1.4826 * float(np.median(rest[hours == hour])), 0.5 * overall) for hour in range(HOURS))
    return Season(usual, spread, of_days=len(series) // HOURS)
