"""A single payout to whoever asked: an honest claim, loan or redemption looks so from outside, and so does a plain theft."""

from detectors.execution.frames import Execution
from detectors.execution.ledger import ZERO, Ledger, Moved, in_order
from detectors.execution.outflow import Outflow

WHOLE = 0.9
"""From this share on nobody takes his part any more, but all there is."""

KEPT = 0.5
"""The part of it that such a borrower still has at the end, where it did not just pay his loan back."""


def plain(execution: Execution, ledger: Ledger, address: str, shares: str) -> bool:
    """Did `address` pay out within a single call, only to those who made that call, and take nothing but its own `shares`?

    What only passed through it (a coin unwrapped on the way) is no payment to it.
    """
    moves = [m for m in in_order(execution) if address in (m.source, m.target) and m.asset not in (shares, address)]
    if any(m.target == address and ledger.net(m.asset, address) for m in moves):
        return False
    paid = [m for m in moves if m.source == address]
    calls = {_call(execution, move, address) for move in paid}
    if len(calls) != 1 or (asked := calls.pop()) is None:
        return False
    above, at = {execution.frames[0].sender, ZERO}, execution.frames[asked].parent
    while at >= 0:
        above.add(execution.frames[at].ctx)
        at = execution.frames[at].parent
    return all(move.target in above for move in paid)


def _call(execution: Execution, move: Moved, address: str) -> int | None:
    """The call of `address` by somebody else in which it paid; None where it did not pay itself."""
    at = move.frame
    while at >= 0 and execution.frames[at].ctx != address:
        at = execution.frames[at].parent
    while at >= 0 and (above := execution.frames[at].parent) >= 0 and execution.frames[above].ctx == address:
        at = above
    return at if at >= 0 else None


def raided(execution: Execution, ledger: Ledger, party: frozenset[str], address: str, worst: Outflow) -> bool:
    """Was it taken with money that had to be given back at once, and all of it, or for keeps? Few claim so."""
    if not _borrowed(execution, ledger, party, address):
        return False
    kept = sum(ledger.net(worst.asset, who) for who in party)
    return (worst.share or 0.0) >= WHOLE or kept >= KEPT * worst.out


def carried(execution: Execution, ledger: Ledger, party: frozenset[str], address: str) -> frozenset[str]:
    """Who got at least half of what `address` lost, in a transaction with borrowed money: accounts that did and gave nothing.

    Without a loan a fee collected for a treasury, or a deposit address swept into a safe, looks no different.
    """
    lost = {asset: -n for asset, n in ledger.assets(address).items() if n < 0}
    frames = execution.frames
    active = {f.ctx for f in frames if f.selector is not None} | {frames[f.parent].ctx for f in frames if f.parent >= 0}
    paid = {target for asset, source, target, _ in ledger.moves if asset in lost and (source == address or source in party)}
    found = frozenset(
        who
        for who in paid - active - party - {ZERO}
        if any(2 * ledger.net(asset, who) >= n for asset, n in lost.items()) and all(n > 0 for n in ledger.assets(who).values())
    )
    return found if found and _borrowed(execution, ledger, party, address) else frozenset()


def _borrowed(execution: Execution, ledger: Ledger, party: frozenset[str], address: str) -> bool:
    """Did the initiator get something of somebody else who had it back, all of it, by the end?"""
    lent = set[tuple[str, str]]()
    for move in in_order(execution):
        if move.target in party and move.source not in party and move.source != address:
            lent.add((move.asset, move.source))
        elif move.source in party and (move.asset, move.target) in lent and ledger.net(move.asset, move.target) >= 0:
            return True
    return False
