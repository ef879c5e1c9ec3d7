"""People's orders: a pause is shown whatever else is broken; a release needs the journal, the state its giver saw, and authority.

Pausing takes one person. Resuming or bypassing a critical integration takes two principals, or one who breaks the glass, which
pages everybody. A service pauses, and releases only what it ordered itself.
"""

import time
from collections.abc import Callable, Mapping

import msgspec

from monitor import metrics
from monitor.breaker.desk import Desk
from monitor.breaker.fold import Noted, Request
from monitor.breaker.holds import Decision, Level, decision_id
from monitor.breaker.machine import Breaker
from monitor.breaker.people import Order, bypass, pause, resume
from monitor.breaker.timing import Acknowledged
from monitor.errors import JournalError, SeawallError

Proposal = tuple[list[Decision], list[Noted]]

APPROVE_WITHIN = 900.0
"""Seconds a request waits for its second principal."""

EVERYTHING, CHAIN, CONTRACT = "everything", "chain:", "contract:"


class NoSuchIntegrationError(SeawallError):
    """The configuration names no such integration, chain or contract."""


class NoSuchRequestError(SeawallError):
    """No request of this id waits for approval: it was never made, has run out, or its integration has changed since."""


class NoSuchIncidentError(SeawallError):
    """No decision of this id is among the newest."""


class StaleRevisionError(SeawallError):
    """The caller acted on an older state than the present one."""


class NotAllowedError(SeawallError):
    """The order itself is refused, whatever the token may do otherwise."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """What an order must know of an integration: its chain (CAIP-2), its contracts, and whether it takes two to resume it."""

    chain: str = ""
    contracts: frozenset[str] = frozenset()
    critical: bool = False


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A release as it was asked for. `principal` is the token behind it, `revision` the state its giver has seen.

    `bypass` makes it an override of so many seconds; without it everything is released. `glass`: alone, and paging everybody.
    """

    order: Order
    principal: str
    revision: int | None = None
    bypass: float | None = None
    glass: bool = False

    @property
    def action(self) -> str:
        """What it is called."""
        return "resume" if self.bypass is None else "override"


class Orders:
    """What operators may order, carried out at the desk."""

    def __init__(self, desk: Desk, members: Mapping[str, Member] | None = None) -> None:
        self.desk = desk
        for name in desk.board.specs:
            metrics.TIME_TO_ACKNOWLEDGE.labels(name)  # nothing acknowledged is a figure too
        self.taken_up: Callable[[Acknowledged], None] = lambda _: None
        """Told of every acknowledgement that stands, also when a later one came to nothing."""
        self.members = {name: Member() for name in desk.board.specs} | dict(members or {})

    def inside(self, scope: str) -> list[str]:
        """The integrations of a scope: an id, `chain:<CAIP-2 id>`, `contract:<address>` or `everything`.

        Raises NoSuchIntegrationError.
        """
        if scope in self.members:
            return [scope]
        found = [name for name, member in self.members.items() if _covers(scope, member)]
        if not found:
            raise NoSuchIntegrationError(
                f"unknown integration {scope!r}; known: {', '.join(self.members)}; or chain:<id>, contract:<address>, everything"
            )
        return found

    async def pause(
        self, scope: str, order: Order, *, ttl: float | None = None, level: Level = Level.PAUSE, share: float = 0.0
    ) -> bool:
        """Place an ordered hold on everything in the scope; `ttl` is its review deadline, seconds.

        False: it is shown, but the journal has not taken it. Raises NoSuchIntegrationError.
        """
        names, now = self.inside(scope), time.time()
        wide = "" if scope in self.members else scope

        def ordered(breaker: Callable[[str], Breaker]) -> list[Decision]:
            made = (pause(breaker(name), order, now, ttl=ttl, level=level, share=share, scope=wide) for name in names)
            return [decision for decision in made if decision is not None]

        try:
            await self.desk.pause(ordered)
        except JournalError:
            return False
        return True

    async def release(self, scope: str, wanted: Wanted) -> Request | None:
        """Resume or bypass; a Request comes back where a second principal must approve it first, None once it is done.

        Raises StaleRevisionError when a `revision` is given and not the present one, NotAllowedError, NoSuchIntegrationError, and
        JournalError when it could not be recorded.
        """
        names = self.inside(scope)
        self._checked(scope, names, wanted)
        critical = [name for name in names if self.members[name].critical]
        if critical and not wanted.glass and not wanted.order.automated:
            return await self.desk.ask(lambda: self._request(scope, wanted))
        page = f"glass broken: {wanted.order.who} did alone what takes two: {wanted.action}" if critical and wanted.glass else ""
        await self._carry_out(names, wanted, "" if scope in self.members else scope, page)
        return None

    async def approve(self, key: str, order: Order, principal: str) -> str:
        """Carry out what another principal asked for; the integration's id comes back.

        Raises NoSuchRequestError, NotAllowedError when it is the same principal, StaleRevisionError, JournalError.
        """
        request = self.desk.fold.requests.get(key)
        if request is None or request.until < time.time():
            raise NoSuchRequestError(
                f"no request {key!r} waits for approval: it has run out, or its integration has changed since"
            )
        if principal == request.principal or order.by == request.by or order.automated:
            raise NotAllowedError(f"{request.action} of {request.integration} takes a second person; {request.by} asked for it")
        both = Order(who=f"{request.by.partition(':')[2]}, approved by {order.who}", reason=request.reason)
        wanted = Wanted(order=both, principal=principal, revision=request.revision, bypass=request.bypass)
        await self._carry_out([request.integration], wanted, "", "")
        return request.integration

    async def acknowledge(self, incident: str, order: Order, note: str = "", via: str = "") -> Acknowledged:
        """Say that somebody has taken up an incident, by the id of its decision or of a finding; the first who does counts.

        A pager that is told of it elsewhere calls this in the person's name, `via` the receiver. Raises NoSuchIncidentError,
        JournalError.
        """
        made = next((one for one in self.desk.made if _about(one.decision, incident)), None)
        if made is None:
            raise NoSuchIncidentError(f"unknown incident {incident!r}: GET /v1/incidents lists the newest")
        key, timings = made.decision.id, self.desk.timings
        if (first := timings.taken_up(key)) is not None:
            self.taken_up(first)
            return first
        now = time.time()
        news = Acknowledged(incident=key, integration=made.decision.integration, at=now, by=order.by, note=note, via=via)
        await self.desk.note(news.kind, news, news.at, news.by)
        if (paused := timings.of(key)) is not None:
            metrics.TIME_TO_ACKNOWLEDGE.labels(news.integration).observe(max(0.0, news.at - paused.readable_at))
        first = timings.taken_up(key) or news
        self.taken_up(first)
        return first

    def waiting(self) -> list[Request]:
        """The requests that may still be approved."""
        now = time.time()
        return [request for request in self.desk.fold.requests.values() if request.until >= now]

    async def _carry_out(self, names: list[str], wanted: Wanted, scope: str, page: str) -> None:
        owed = {decision.integration for decision in self.desk.owed}.intersection(names)
        if owed:
            raise JournalError(f"a pause of {', '.join(sorted(owed))} is not recorded yet: {self.desk.trouble}")
        now = time.time()

        def propose() -> Proposal:
            made = []
            for name in names:
                breaker = self._seen(name, wanted)
                if wanted.bypass is None:
                    made.append(resume(breaker, wanted.order, now, scope=scope, page=page))
                elif breaker.forced:
                    raise NotAllowedError(f"override {name}: {breaker.forced[0].source} ordered it paused; resume it instead")
                else:
                    made.append(bypass(breaker, wanted.order, now, wanted.bypass, page))
            return [decision for decision in made if decision is not None], []

        await self.desk.decide(propose)

    def _checked(self, scope: str, names: list[str], wanted: Wanted) -> None:
        """Refuse what no second person could make right."""
        if wanted.bypass is not None and wanted.order.automated:
            raise NotAllowedError(f"override {scope}: a service may not bypass the protection")
        if len(names) > 1 and any(self.members[name].critical for name in names) and not wanted.glass:
            raise NotAllowedError(
                f"{wanted.action} {scope}: it holds critical integrations; release those one by one, each by two"
            )
        for name in names:
            self._seen(name, wanted)

    def _request(self, scope: str, wanted: Wanted) -> Request:
        breaker, now = self._seen(scope, wanted), time.time()
        return Request(
            id=decision_id(scope, now, wanted.action, wanted.principal),
            integration=scope,
            action=wanted.action,
            principal=wanted.principal,
            by=wanted.order.by,
            reason=wanted.order.reason,
            at=now,
            until=now + APPROVE_WITHIN,
            revision=breaker.revision,
            bypass=wanted.bypass,
        )

    def _seen(self, name: str, wanted: Wanted) -> Breaker:
        """The breaker, if it is still what its giver saw."""
        breaker = self._breaker(name)
        if wanted.revision is not None and wanted.revision != breaker.revision:
            raise StaleRevisionError(
                f"{wanted.action} {name}: you saw revision {wanted.revision}, it is now at {breaker.revision}; look again"
            )
        return breaker

    def _breaker(self, integration: str) -> Breaker:
        return self.desk.fold.breaker(integration)


def _about(decision: Decision, incident: str) -> bool:
    return decision.id == incident or any(finding.id == incident for finding in decision.findings)


def _covers(scope: str, member: Member) -> bool:
    if scope == EVERYTHING:
        return True
    if scope.startswith(CHAIN):
        return member.chain == scope.removeprefix(CHAIN)
    return scope.startswith(CONTRACT) and scope.removeprefix(CONTRACT).lower() in member.contracts
