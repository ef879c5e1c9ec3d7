"""Who pays for what another contract believed: a lender asks for a price, and its treasury hands out the money."""

from collections.abc import Sequence
from typing import NamedTuple

from detectors.execution.frames import Execution, Log
from detectors.execution.ledger import ZERO, Ledger, Moved
from detectors.manipulation.looks import Look
from detectors.manipulation.swings import SWAP_V3, SYNC, Swing

TOLD = frozenset((SYNC, SWAP_V3))


class Payer(NamedTuple):
    """`address` paid the initiator in the call of `asker` that began with frame `entered`."""

    address: str
    asker: str
    entered: int


Paid = dict[int, dict[str, int]]
"""Frame -> who, set to work in it, paid the initiator, and before which frame for the last time."""


def paying(execution: Execution, moves: Sequence[Moved], lost: frozenset[str], party: frozenset[str]) -> Paid:
    """What the losers paid the initiator, under each frame that set them to work, as far up as the initiator's own call.

    What he calls himself on the way (out of a callback) is his own doing, who is only charged does nothing, and a pool that
    told a swap of its own was traded with.
    """
    frames, paid = execution.frames, Paid()
    told = {s.address for s in execution.steps if isinstance(s, Log) and s.topics and s.topics[0] in TOLD}
    for move in moves:
        if move.source not in lost or move.target not in party or move.source in told:
            continue
        at, ran = move.frame if frames[move.frame].ctx != move.target else frames[move.frame].parent, False
        while at >= 0 and frames[at].ctx not in party:
            if frames[at].ctx == move.source:
                ran = True
            elif ran:
                paid.setdefault(at, {})[move.source] = move.before
            at = frames[at].parent
    return paid


def payers(execution: Execution, look: Look, paid: Paid, party: frozenset[str]) -> list[Payer]:
    """Who paid after that look and before the asker was done; the pool itself believes nothing."""
    found = dict[str, Payer]()
    for at, asker in _asking(execution, look, party).items():
        for who, before in paid.get(at, {}).items():
            if before > look.frame and who != look.pool and who not in look.askers and who not in found:
                found[who] = Payer(who, asker, _entry(execution, at))
    return list(found.values())


def _asking(execution: Execution, look: Look, party: frozenset[str]) -> dict[int, str]:
    """The frames of the askers above a look, as far up as the initiator's own call. Nobody is paid in a static one."""
    frames, above = execution.frames, dict[int, str]()
    at = frames[look.frame].parent
    while at >= 0 and (ctx := frames[at].ctx) not in party:
        if ctx in look.askers and ctx is not None:
            above[at] = ctx
        at = frames[at].parent
    return above


def _entry(execution: Execution, at: int) -> int:
    """The frame by which somebody else called the contract that runs in frame `at`."""
    frames = execution.frames
    while (above := frames[at].parent) >= 0 and frames[above].ctx == frames[at].ctx:
        at = above
    return at


def dealt(ledger: Ledger, party: frozenset[str], pool: str, found: Swing) -> tuple[float | None, float]:
    """What all others gave and got, the pushed pool aside, at the price before the push; None where that cannot be told.

    Who pays may hold no pledge, and who holds the pledge may pay nothing. Receipts made on the way count for nothing: what they
    stand for is counted. Any other asset is of unknown worth, and so are shares given up.
    """
    first, second = found.assets
    gains = ledger.party_gain({*party, pool})
    if any(n < 0 or n + ledger.net(asset, ZERO) for asset, n in gains.items() if asset not in found.assets):
        return None, 0.0
    worth = [gains.get(first, 0) * found.start, float(gains.get(second, 0))]
    return sum(w for w in worth if w > 0), -sum(w for w in worth if w < 0)
