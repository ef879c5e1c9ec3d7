"""What comes back from those we told: somebody took an incident up, or nobody has it any more. No flag and no hold changes by it.

A receiver posts it (`POST /v1/replies/{receiver}`, signed with a key that only it and we have) or is asked. It is recorded in the
journal like an acknowledgement given here, in the name of whoever gave it there.
"""

import time
from collections.abc import Callable
from enum import StrEnum

import msgspec
import structlog
from aiohttp import web

from alerts.base import BREAKER, ForgedError, Reply, UnreadableError
from alerts.group import Incident
from alerts.pager import Pager
from monitor import metrics
from monitor.api.budgets import retry_after
from monitor.api.operators import BUDGETS
from monitor.api.problems import problem
from monitor.breaker.orders import NoSuchIncidentError, Orders
from monitor.breaker.people import Order
from monitor.breaker.timing import Acknowledged, GivenBack
from monitor.errors import JournalError
from monitor.windows import span_of

log = structlog.get_logger()

SKEW = 30.0
"""Seconds that a receiver's clock may be behind ours; what is older by more is late, or said a second time."""


class Outcome(StrEnum):
    """What became of a reply, as it is counted."""

    TAKEN_UP = "taken_up"
    GIVEN_BACK = "given_back"
    KNOWN = "known"
    """It says what we know already."""
    LATE = "late"
    """Nothing is open under that key any more, or something newer was said of it."""
    NOTHING = "nothing"
    """It is about something that is not ours to record."""
    FORGED = "forged"
    UNREADABLE = "unreadable"
    FAILED = "failed"
    """The journal did not take it; the receiver is to say it again."""


class Replies:
    """Takes replies, and what people acknowledge here: `told` hears of both, with the key that the incident's alerts share.

    The key is empty where it is the integration's.
    """

    def __init__(self, pager: Pager, orders: Orders, told: Callable[[Acknowledged | GivenBack, str], None]) -> None:
        self.pager = pager
        self._orders = orders
        self._told = told
        self._heard: dict[str, float] = {}
        pager.on_reply = self.take
        orders.taken_up = lambda news: told(news, "")

    async def take(self, receiver: str, reply: Reply) -> Outcome:
        """Record it, unless it is old or nothing new. Raises JournalError."""
        if not reply.key:
            reply = msgspec.structs.replace(reply, key=self.pager.titled(reply.title))
        outcome = self._judged(receiver, reply)
        if outcome in {Outcome.TAKEN_UP, Outcome.GIVEN_BACK}:
            try:
                await self._record(receiver, reply)
            except JournalError:
                counted(receiver, Outcome.FAILED)
                raise
            self._heard[reply.key] = reply.at
            log.info("alert_reply", receiver=receiver, key=reply.key, outcome=outcome, by=reply.by, note=reply.note)
        counted(receiver, outcome)
        return outcome

    def _judged(self, receiver: str, reply: Reply) -> Outcome:
        known = self.pager.standing(reply.key)
        if known is None or reply.at < max(known.last.since - SKEW, known.heard - SKEW, self._heard.get(reply.key, 0.0)):
            return Outcome.LATE
        if reply.taken_up:
            return Outcome.TAKEN_UP if known.taken is None else Outcome.KNOWN
        theirs = known.taken is not None and known.taken.via == receiver  # what was taken up elsewhere is not theirs to give back
        return Outcome.GIVEN_BACK if theirs else Outcome.KNOWN

    async def _record(self, receiver: str, reply: Reply) -> None:
        known = self.pager.standing(reply.key)
        if known is None:
            return
        who = Order(who=f"{reply.by} ({receiver})", reason=reply.note)
        incident = self._incident(reply.key, known)
        integration = reply.key.removeprefix(BREAKER) if reply.key.startswith(BREAKER) else ""
        desk, now = self._orders.desk, time.time()
        if not reply.taken_up:
            back = GivenBack(incident=incident, integration=integration, at=now, by=who.by, note=reply.note)
            await desk.note(back.kind, back, now, back.by)
            self._told(back, reply.key)
            return
        try:
            news = await self._orders.acknowledge(incident, who, reply.note, via=receiver)
        except NoSuchIncidentError:  # a chain out of sight, a storm: no decision, and yet somebody has it
            news = Acknowledged(incident=incident, integration=integration, at=now, by=who.by, note=reply.note, via=receiver)
            await desk.note(news.kind, news, now, news.by)
            self._told(news, reply.key)

    def _incident(self, key: str, known: Incident) -> str:
        """The decision that opened it, where an integration's decisions are remembered; else the id it is told under."""
        made = list(self._orders.desk.made)
        newest = next((one for one in reversed(made) if BREAKER + one.decision.integration == key), None)
        span = span_of(newest, made) if newest is not None else None
        return span.opening.decision.id if span is not None else known.last.incident


REPLIES: web.AppKey[Replies] = web.AppKey("replies", Replies)


def counted(receiver: str, outcome: Outcome) -> None:
    """Count what became of a reply."""
    metrics.ALERT_REPLIES.labels(receiver, outcome).inc()


async def reply(request: web.Request) -> web.Response:
    """`POST /v1/replies/{receiver}`: what a receiver says became of an alert; its signature stands for a token."""
    name, replies = request.match_info["receiver"], request.app[REPLIES]
    channel = replies.pager.channels.get(name)
    if channel is None or not channel.listens:
        return problem(404, "No such receiver", f"{request.path}: no receiver of that name is read here; see its webhook_secret")
    try:
        heard = channel.heard(request.headers, await request.read())
    except ForgedError as error:
        counted(name, Outcome.FORGED)
        return _refused(request, str(error))
    except UnreadableError as error:
        counted(name, Outcome.UNREADABLE)
        return problem(400, "Bad Request", f"{request.path}: {error}")
    if heard is None:
        counted(name, Outcome.NOTHING)
        return web.json_response({"outcome": Outcome.NOTHING})
    try:
        outcome = await replies.take(name, heard)
    except JournalError as error:
        return problem(503, "Journal unavailable", f"{request.path}: {error}")
    return web.json_response({"outcome": outcome})


def _refused(request: web.Request, why: str) -> web.Response:
    wait = request.app[BUDGETS].spend("refused", request.remote or "")
    if not wait:
        return problem(401, "Unauthorized", f"{request.path}: {why}")
    answer = problem(429, "Too Many Requests", f"{request.path}: too many replies that are not signed; wait {wait:.1f} s")
    answer.headers["Retry-After"] = retry_after(wait)
    return answer
