"""One alert per incident: what is told, what only updates it, and when it ends. A fold over notifications; pure."""

import msgspec

from alerts.base import RANK, Kind, Notification
from detectors.base import Severity


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """Who took an incident up, as the journal names them, and when; `via` is the receiver that told us, empty for one of ours."""

    by: str
    at: float
    via: str = ""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """An open incident: what was last told of it and when, how many notifications it swallowed since, who has taken it up.

    `again` is how often it was repeated, `together` whether it was only told among others in a storm; `heard` is when it was last
    taken up or given back (unix seconds). `title` is what it was first called.
    """

    last: Notification
    at: float
    swallowed: int = 0
    taken: Taken | None = None
    again: int = 0
    together: bool = False
    heard: float = 0.0
    title: str = ""


class Groups(msgspec.Struct, frozen=True):
    """Every open incident by key: as many as integrations and chains are configured, so it needs no other bound."""

    open: dict[str, Incident] = {}

    @property
    def active(self) -> tuple[Notification, ...]:
        """What is still true, as it was last told; not what was only told among others."""
        return tuple(incident.last for incident in self.open.values() if not incident.together)

    def put(self, key: str, **changes: object) -> "Groups":
        """The groups with an open incident changed."""
        return Groups(self.open | {key: msgspec.structs.replace(self.open[key], **changes)})


def fold(groups: Groups, notification: Notification, now: float) -> tuple[Groups, Notification | None]:
    """The groups afterwards, and what to tell, or None when those who know need not hear more. `now` in unix seconds.

    Told: the first of an incident, one that is worse, one of another kind (a breaker half-opens, a person steps in), and the end.
    What is told carries the incident's id, its beginning, its worst severity so far and the labels it began with.
    """
    kept = dict(groups.open)
    known = kept.get(notification.key)
    if notification.kind is Kind.RETRACTED:
        return groups, _update(known, notification)
    if known is None:
        if notification.resolved:
            return Groups(kept), None if _idle(notification) else notification
        return Groups(kept | {notification.key: Incident(last=notification, at=now, title=notification.title)}), notification
    told = _joined(known.last, notification)
    if notification.resolved:
        del kept[notification.key]
        return Groups(kept), told
    if told.kind is known.last.kind and RANK[told.severity] <= RANK[known.last.severity]:
        quiet = msgspec.structs.replace(known, swallowed=known.swallowed + 1)
        return Groups(kept | {notification.key: quiet}), None
    worse = RANK[told.severity] > RANK[known.last.severity]  # who took up the lesser thing has not seen this
    taken = None if worse else known.taken
    news = Incident(last=told, at=now, taken=taken, heard=known.heard, title=known.title)
    return Groups(kept | {notification.key: news}), told


def overdue(groups: Groups, now: float, every: float) -> tuple[Groups, tuple[Incident, ...]]:
    """Critical incidents that stand, told for `every` seconds or longer and taken up by nobody: they are to be told again.

    They come back with `again` counted up; the end, the worse and the taken up are not their business.
    """
    due = {
        key: msgspec.structs.replace(one, at=now, again=one.again + 1)
        for key, one in groups.open.items()
        if one.taken is None and _worth_repeating(one) and now - one.at >= every
    }
    return (Groups(groups.open | due), tuple(due.values())) if due else (groups, ())


def _worth_repeating(one: Incident) -> bool:
    """It is critical, and an incident that people were told of: a storm is many, each with its own life."""
    return one.last.severity is Severity.CRITICAL and not one.together and one.last.kind is not Kind.STORM


def _update(known: Incident | None, retraction: Notification) -> Notification:
    """A retraction under the incident it belongs to, which goes on as it was; by itself where that has ended."""
    if known is None:
        return retraction
    labels = known.last.labels
    worst = known.last.severity
    return msgspec.structs.replace(
        retraction, severity=worst, labels=labels, since=known.last.since, incident=known.last.incident, resolved=False
    )


def _idle(notification: Notification) -> bool:
    """An end without a beginning and without a change: a decision that moved nothing."""
    return "from" in notification.facts and notification.facts["from"] == notification.facts.get("to")


def _joined(last: Notification, new: Notification) -> Notification:
    severity = new.severity if RANK[new.severity] > RANK[last.severity] else last.severity
    alertname = (last if new.resolved else new).labels.get("alertname", "")
    labels = last.labels | {"alertname": alertname, "severity": severity.value}
    earlier = last.earlier if labels == last.labels else (*last.earlier, last.labels)
    return msgspec.structs.replace(
        new,
        severity=severity,
        labels=labels,
        since=last.since,
        incident=last.incident or last.id,
        earlier=tuple(old for old in earlier if old != labels),
    )
