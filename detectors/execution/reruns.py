"""Reruns: what a pending transaction came to where it was looked at first, and in another environment. Pure."""

import hashlib
from collections.abc import Iterable

import msgspec

from detectors.events import Event, Stage
from detectors.execution.frames import Execution
from detectors.execution.ledger import flows

MOST_FLOWS = 64
"""Balances of watched contracts compared at most."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What a run came to. `shape` names its calls in order, `touched` the watched contracts reached by calls that stand.

    `flows`: what each of those gained or lost, base units, by `asset of holder`.
    """

    ok: bool
    calls: int
    shape: str
    touched: tuple[str, ...]
    flows: dict[str, int]


class Rerun(Event, frozen=True, kw_only=True):
    """A pending transaction that came to something else `under` another environment than the node's own simulation."""

    tx: str
    stage: Stage
    under: str
    plain: Outcome
    other: Outcome

    @property
    def key(self) -> str:
        """Named by the transaction's id."""
        return f"{self.chain}/tx/{self.tx}"


def outcome(execution: Execution, watched: Iterable[str]) -> Outcome:
    """The outcome of a run, as far as it bears on the watched contracts."""
    known, digest = frozenset(watched), hashlib.sha256()
    for frame in execution.frames:
        digest.update(f"{frame.type} {frame.ctx} {frame.selector} {frame.alive}\n".encode())
    touched = tuple(dict.fromkeys(f.ctx for f in execution.frames if f.alive and f.ctx is not None and f.ctx in known))
    ledger = flows(execution)
    moved = {f"{asset} of {holder}": n for holder in touched for asset, n in ledger.assets(holder).items() if n}
    kept = dict(sorted(moved.items(), key=lambda item: (-abs(item[1]), item[0]))[:MOST_FLOWS])
    return Outcome(execution.frames[0].alive, len(execution.frames), digest.hexdigest()[:16], touched, kept)
