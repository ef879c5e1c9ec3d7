"""What a reader was told all along: the flag of a quiet integration, looked at twenty times a second, and how blind it was."""

import asyncio
import re
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import aiohttp

EVERY = 0.05
ANSWERS_WITHIN = 0.5
_NUMBER = re.compile(r"\d+(\.\d+)?")


class Befallen(NamedTuple):
    """A fault that was: `began` and `ended` in unix seconds; `node` None where it befell no single one."""

    kind: str
    began: float
    ended: float
    node: int | None = None


class Look(NamedTuple):
    """What was read at a time (unix seconds): run, pause, unknown, or absent while nobody answers; and why."""

    at: float
    state: str
    why: str
    head: str = ""


class Sight:
    """Reads one flag until cancelled."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.looks: list[Look] = []

    async def run(self) -> None:
        """Look, again and again."""
        patience = aiohttp.ClientTimeout(total=ANSWERS_WITHIN)
        async with aiohttp.ClientSession(timeout=patience) as http:
            while True:
                self.looks.append(await self._look(http))
                await asyncio.sleep(EVERY)

    async def _look(self, http: aiohttp.ClientSession) -> Look:
        try:
            async with http.get(self.url) as answer:
                flag: dict[str, Any] = await answer.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            return Look(time.time(), "absent", type(error).__name__)
        return Look(time.time(), flag["state"], flag["reason"], (flag["observed_block"] or {}).get("hash", ""))

    @property
    def now(self) -> Look:
        """The newest."""
        return self.looks[-1] if self.looks else Look(0.0, "absent", "not looked yet")


class Blindness(NamedTuple):
    """Seconds in which the answer was `unknown`: in all, by the fault that explains them, and with none; seconds without one.

    `said`: by the reason that the answer gave, numbers left out; `reasons`: those given while no fault explains them.
    """

    unknown: float
    by: dict[str, float]
    unjustified: float
    absent: float
    reasons: list[str]
    said: dict[str, float]


def blindness(looks: Sequence[Look], faults: Sequence[Befallen], grace: float) -> Blindness:
    """Account for every unknown second: a fault explains those from its beginning until `grace` seconds after its end.

    >>> looks = [Look(0.0, "run", ""), Look(1.0, "unknown", "no head"), Look(2.0, "run", ""), Look(5.0, "unknown", "?"),
    ...          Look(6.0, "run", "")]
    >>> found = blindness(looks, [Befallen("reset", 0.5, 0.5)], grace=2.0)
    >>> found.unknown, found.by, found.unjustified, found.reasons, found.said
    (2.0, {'reset': 1.0}, 1.0, ['?'], {'no head': 1.0, '?': 1.0})
    """
    unknown = absent = unjustified = 0.0
    by: dict[str, float] = {}
    reasons: dict[str, None] = {}
    said: dict[str, float] = {}
    for look, following in pairwise(looks):
        lasted = following.at - look.at
        if look.state == "absent":
            absent += lasted
        if look.state != "unknown":
            continue
        unknown += lasted
        why = _NUMBER.sub("N", look.why)
        said[why] = said.get(why, 0.0) + lasted
        near = [fault for fault in faults if fault.began <= following.at and look.at <= fault.ended + grace]
        if near:
            cause = max(near, key=lambda fault: fault.began).kind
            by[cause] = by.get(cause, 0.0) + lasted
        else:
            unjustified += lasted
            reasons[look.why] = None
    return Blindness(round(unknown, 3), _rounded(by), round(unjustified, 3), round(absent, 3), [*reasons], _rounded(said))


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in seconds.items()}
