"""Into a vault and out again in one transaction, and richer for it (Harvest, 2020): whatever made it possible, others pay."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from detectors.execution.frames import Execution, Log
from detectors.execution.ledger import TRANSFER, ZERO, Ledger, Moved

NOTICED = 1_000
"""A gain of one part in so many of what was put in: less is rounding."""

NOBODY = "0" * 40


class Rounds(msgspec.Struct, frozen=True, kw_only=True):
    """A vault took `put` of `asset` for shares and gave `got` for no more of them, in `times` rounds; `loser` is the poorer."""

    vault: str
    loser: str
    asset: str
    put: int
    got: int
    times: int


def minted_and_burnt(execution: Execution) -> frozenset[str]:
    """Tokens of which some were made and some destroyed here: nearly every transaction ends at this look."""
    made, gone = set[str](), set[str]()
    for step in execution.steps:
        if step.__class__ is Log and len(step.topics) == 3 and step.topics[0] == TRANSFER:
            if step.topics[1].endswith(NOBODY):
                made.add(step.address)
            elif step.topics[2].endswith(NOBODY):
                gone.add(step.address)
    return frozenset(made & gone)


def rounds(
    execution: Execution, ledger: Ledger, moves: Sequence[Moved], party: frozenset[str], shares: frozenset[str]
) -> Iterator[Rounds]:
    """Every vault that paid more for new shares than had just been paid for them.

    Shares of before may be worth anything; those made in the same transaction cannot be worth more than they cost a moment ago.
    Visitors are whoever held such shares here, whosever contracts they are. They must have given the vault nothing else, and the
    vault, or whoever fed it, must have got nothing for what it lost.
    """
    for share in sorted(shares - party):
        if not 0 < ledger.burns(share) <= ledger.mints(share):
            continue
        mine = [m for m in moves if m.asset == share and ZERO in (m.source, m.target)]
        times = sum(before.source == ZERO != after.source for before, after in pairwise(mine))
        held = {who for m in moves if m.asset == share for who in (m.source, m.target)}
        for vault in sorted(_houses(execution, mine, share) - party) if times else ():
            yield from _paid(ledger, moves, (party | held) - {vault, share, ZERO}, vault, share, times)


def _houses(execution: Execution, mine: Sequence[Moved], share: str) -> set[str]:
    """Who keeps the money: the share's own contract, or whoever had it make and destroy shares."""
    found = {share}
    for move in mine:
        parent = execution.frames[move.frame].parent
        while parent >= 0 and execution.frames[parent].ctx == share:
            parent = execution.frames[parent].parent
        if parent >= 0 and (above := execution.frames[parent].ctx) is not None:
            found.add(above)
    return found


def _paid(
    ledger: Ledger, moves: Sequence[Moved], visitors: frozenset[str], vault: str, share: str, times: int
) -> Iterator[Rounds]:  # fmt: skip
    put, got = dict[str, int](), dict[str, int]()
    feeders = dict[str, set[str]]()
    for move in moves:
        if move.target == vault and move.source in visitors:
            put[move.asset] = put.get(move.asset, 0) + move.amount
        elif move.target == vault:
            feeders.setdefault(move.asset, set()).add(move.source)
        elif move.source == vault and move.target in visitors:
            got[move.asset] = got.get(move.asset, 0) + move.amount
    if any(amount > got.get(asset, 0) for asset, amount in put.items() if asset != share):
        return
    for asset, amount in sorted(put.items()):
        if asset != share and (got[asset] - amount) * NOTICED > amount:
            bled = [who for who in (vault, *sorted(feeders.get(asset, ()))) if who not in visitors and _bled(ledger, who)]
            if bled:
                yield Rounds(vault=vault, loser=bled[0], asset=asset, put=amount, got=got[asset], times=times)


def _bled(ledger: Ledger, who: str) -> bool:
    """Did it end with less, nothing having come in and no share of its own given up for it?"""
    changes = [n for asset, n in ledger.assets(who).items() if asset != who]
    return who != ZERO and bool(changes) and max(changes) < 0 and ledger.burns(who) <= ledger.mints(who)
