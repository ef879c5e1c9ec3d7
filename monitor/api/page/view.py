"""What one rendering of the page rests on: a picture of the daemon at one moment. Values only."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from monitor.api.page.story import Known, Story
from monitor.breaker.actuators.base import Readiness
from monitor.breaker.flags import Flag
from monitor.breaker.machine import Breaker
from monitor.breaker.shadows import WouldPause
from monitor.breaker.sightings import Sighting


class View(msgspec.Struct, frozen=True):
    """Flags, breakers, incidents (newest first), chains' facts, call paths, at `now` (unix seconds).

    `would` is what detectors in shadow would have paused, oldest first; `exit` whether a pause on the chain would succeed.

    `acting`: is this the admin listener's page, from which orders can be given?
    """

    now: float
    flags: Mapping[str, Flag]
    breakers: Mapping[str, Breaker]
    stories: Sequence[Story]
    known: Known
    chains: Mapping[str, Mapping[str, object]]
    sightings: Mapping[str, Sighting]
    would: Sequence[WouldPause] = ()
    exit: Callable[[str], Readiness | None] = lambda _: None
    acting: bool = False
