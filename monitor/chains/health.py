"""How a node is doing: a transition table over what is observed of it, and who among several should be asked. Pure.

The states follow Chainlink's MultiNode. Failures are strikes that fade with time and are never wiped out by one good answer, so
that a node which works every other time does not take the lead every other time.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import msgspec


class State(StrEnum):
    """What we think of a node."""

    UNDIALED = "undialed"
    ALIVE = "alive"
    UNREACHABLE = "unreachable"
    OUT_OF_SYNC = "out_of_sync"
    WRONG_CHAIN = "wrong_chain"
    INVALID_FINALITY = "invalid_finality"
    QUARANTINED = "quarantined"


class Sign(StrEnum):
    """What an observation means."""

    LEVEL = "level"
    """It answers, and keeps up with the others."""
    BEHIND = "behind"
    """It answers, and its head is old while others have newer blocks."""
    DOWN = "down"
    """Its connection is gone."""
    FAILING = "failing"
    """Too many answers came late or not at all."""
    CONTRADICTS = "contradicts"
    """What it says cannot be true: garbled, forged, or denied by the others."""
    UNSETTLED = "unsettled"
    """Its tags cannot be true: out of order, or finality taken back."""
    FOREIGN = "foreign"
    """It serves another chain."""


_GOES: Mapping[Sign, State] = {
    Sign.LEVEL: State.ALIVE,
    Sign.BEHIND: State.OUT_OF_SYNC,
    Sign.DOWN: State.UNREACHABLE,
    Sign.FAILING: State.UNREACHABLE,
    Sign.CONTRADICTS: State.QUARANTINED,
    Sign.UNSETTLED: State.INVALID_FINALITY,
    Sign.FOREIGN: State.WRONG_CHAIN,
}
_STAYS = frozenset(
    (state, sign)
    for state in (State.WRONG_CHAIN, State.INVALID_FINALITY, State.QUARANTINED)
    for sign in (Sign.DOWN, Sign.FAILING)
)  # being out of reach as well clears nobody
TRANSITIONS: Mapping[tuple[State, Sign], State] = {
    (state, sign): state if (state, sign) in _STAYS else _GOES[sign] for state in State for sign in Sign
}
"""Every state under every sign."""

HALF_LIFE = 5.0
"""Seconds in which strikes fade to half."""
TOO_MANY = 2.5
"""Strikes at which a node is failing: three within a few seconds."""
MOST = 3.0
"""More than this a node does not collect, however long it failed: eight seconds of answers, and it is believed again."""
FORGIVEN = 1.0
"""Strikes below which a node that failed or contradicted itself is believed again."""
BANISHED = 64.0
"""Strikes for a contradiction: half a minute without another before it is forgiven."""
LAG = 3
"""Blocks behind the others from which a node counts as behind, if its own head is old as well."""

LEAST_OLD = 2.0
"""Seconds under which no head is old: clocks of chains tick in whole seconds."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a node said when asked: heights (-1: it does not say), and its head's own time, unix seconds."""

    height: int
    head_time: float
    safe: int = -1
    finalized: int = -1


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """One node. Times are monotonic seconds, except `head_time`; `why` says in words what led to the state.

    `answers`: it did when last asked, though it may not be forgiven yet.
    """

    state: State = State.UNDIALED
    answers: bool = False
    since: float = 0.0
    why: str = "not dialled yet"
    strikes: float = 0.0
    struck_at: float = 0.0
    height: int = -1
    head_time: float = 0.0
    advanced_at: float = 0.0
    safe: int = -1
    finalized: int = -1

    @property
    def usable(self) -> bool:
        """Can it be followed at all?"""
        return self.state in {State.ALIVE, State.OUT_OF_SYNC}

    def struck(self, now: float) -> float:
        """What is left of its strikes."""
        return float(self.strikes * 0.5 ** (max(0.0, now - self.struck_at) / HALF_LIFE))


def signed(health: Health, sign: Sign, why: str, now: float) -> Health:
    """The health after a sign; `why` is kept when the state changes."""
    state = TRANSITIONS[health.state, sign]
    if state is health.state:
        return health
    return msgspec.structs.replace(health, state=state, since=now, why=why)


def failed(health: Health, why: str, now: float, *, strikes: float = 1.0) -> Health:
    """An answer came late, garbled or not at all; enough of them within a few seconds, and the node is failing."""
    health = msgspec.structs.replace(_once_more(health, strikes, now), answers=False)
    return signed(health, Sign.FAILING, why, now) if health.strikes >= TOO_MANY else health


def contradicted(health: Health, why: str, now: float, sign: Sign = Sign.CONTRADICTS) -> Health:
    """It said what cannot be true."""
    health = msgspec.structs.replace(health, strikes=BANISHED, struck_at=now)
    return signed(health, sign, why, now)


def answered(health: Health, answer: Answer, best: int, block_time: float, now: float, wall: float) -> Health:
    """It answered in time. `best` is the highest head among the other usable nodes (-1: none), `block_time` seconds.

    Behind is who has fewer blocks than others *and* an old head, or none for long: a liar who invents a high head cannot
    put out of the way a node whose own head is fresh.
    """
    if trouble := _disorder(health, answer):
        return contradicted(health, trouble, now, Sign.UNSETTLED)
    health = _unsafe(health, answer, now)
    advanced_at = now if answer.height != health.height else health.advanced_at
    health = msgspec.structs.replace(
        health, height=answer.height, head_time=answer.head_time, advanced_at=advanced_at,
        safe=answer.safe, finalized=max(health.finalized, answer.finalized), answers=True,
    )  # fmt: skip
    if health.state in {State.UNREACHABLE, State.INVALID_FINALITY, State.QUARANTINED} and health.struck(now) >= FORGIVEN:
        return health
    bound = max(LAG * block_time, LEAST_OLD)
    old = wall - answer.head_time > bound or now - advanced_at > bound
    if old and answer.height <= best - LAG:
        return signed(health, Sign.BEHIND, f"its head is {answer.height} while others have {best}", now)
    if health.state is State.OUT_OF_SYNC and answer.height < best - 1:
        return health  # nearly there is not there: back only when it has caught up
    return signed(health, Sign.LEVEL, "it answers and keeps up", now)


def _once_more(health: Health, strikes: float, now: float) -> Health:
    """Strikes on top of what is left of the old ones."""
    left = health.struck(now)
    return msgspec.structs.replace(health, strikes=max(left, min(left + strikes, MOST)), struck_at=now)


def _unsafe(health: Health, answer: Answer, now: float) -> Health:
    """What was safe may be taken back, by a reorganisation of the chain below; a node that does so time and again may not."""
    if not -1 < answer.safe < health.safe:
        return health
    why = f"it took back what was safe, time and again: block {health.safe} was, now {answer.safe} is"
    health = _once_more(health, 1.0, now)
    return contradicted(health, why, now, Sign.UNSETTLED) if health.strikes >= TOO_MANY else health


def _disorder(health: Health, answer: Answer) -> str:
    if not answer.finalized <= answer.safe <= answer.height:
        return f"finalized {answer.finalized}, safe {answer.safe} and head {answer.height} are not in this order"
    if -1 < answer.finalized < health.finalized:
        return f"it took back finality: block {health.finalized} was final, now {answer.finalized} is"
    return ""


_ORDER = {State.ALIVE: 3, State.OUT_OF_SYNC: 2, State.WRONG_CHAIN: -1}


class Standing(NamedTuple):
    """A node among others. `judges`: blocks can be traced there now; `whole`: and none of its connections is missing."""

    health: Health
    judges: bool
    whole: bool = True


def leader(current: str, nodes: Mapping[str, Standing]) -> str:
    """Who should be asked, of these in order of preference.

    The current one stays unless another is strictly better, so nothing moves back for its own sake; the last one stays anyhow.
    """

    def rank(name: str) -> tuple[bool, int, bool]:
        health, judges, whole = nodes[name]
        answers = health.answers and health.state is State.UNREACHABLE  # not forgiven yet, and better than none
        return health.usable and judges, _ORDER.get(health.state, int(answers)), whole

    best = max(nodes, key=rank)  # the first of equals
    return best if rank(best) > rank(current) else current
