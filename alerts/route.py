"""Who hears of it: an ordered list of matches, and a critical that nobody claimed goes to everyone."""

from collections.abc import Collection, Iterator

import msgspec

from alerts.base import Notification
from detectors.base import Severity


class Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`to` these receivers goes what has all labels of `match` (`kind` counts as one); `continue` looks further down."""

    to: tuple[str, ...]
    match: dict[str, str] = {}
    go_on: bool = msgspec.field(default=False, name="continue")


class Routing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The routes in order; `otherwise` receives what none of them matched.

    Without `otherwise`, unmatched criticals go to every receiver and the rest to nobody; with no route at all, all goes to all.
    """

    routes: tuple[Route, ...] = ()
    otherwise: tuple[str, ...] | None = None


def receivers(routing: Routing, notification: Notification, everyone: Collection[str]) -> tuple[str, ...]:
    """Names of who is told, each once, in the order of the routes.

    What is resolved (or has become worse) also goes to whoever was told under the earlier labels, so that no one is left with an
    alert that never ends. A critical whose routes name no configured receiver goes to everyone.
    """
    kind = {"kind": notification.kind.value}
    now = {**notification.labels, "severity": notification.severity.value}
    return tuple(
        dict.fromkeys(name for labels in (now, *notification.earlier) for name in _told(routing, labels | kind, everyone))
    )


def _told(routing: Routing, labels: dict[str, str], everyone: Collection[str]) -> Collection[str]:
    known = [name for name in _claim(routing, labels) if name in everyone]
    unrouted = not routing.routes and routing.otherwise is None
    lost = not known and labels["severity"] == Severity.CRITICAL and routing.otherwise != ()
    return everyone if unrouted or lost else known


def _claim(routing: Routing, labels: dict[str, str]) -> Iterator[str]:
    matched = False
    for route in routing.routes:
        if all(labels.get(name) == value for name, value in route.match.items()):
            matched = True
            yield from route.to
            if not route.go_on:
                return
    if not matched:
        yield from routing.otherwise or ()


def problems(routing: Routing, everyone: Collection[str]) -> list[str]:
    """What is wrong with this routing, as `path: what`; empty when nothing is.

    >>> problems(Routing(routes=(Route(to=("pager",)),)), ["console"])
    ["routes[0].to: no receiver is called 'pager'; there are: console"]
    """
    places = [(f"routes[{index}].to", route.to) for index, route in enumerate(routing.routes)]
    places.append(("otherwise", routing.otherwise or ()))
    known = ", ".join(everyone) or "none"
    unknown = [(path, name) for path, names in places for name in names if name not in everyone]
    return [f"{path}: no receiver is called {name!r}; there are: {known}" for path, name in unknown]
