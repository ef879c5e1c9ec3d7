"""Who acts in a transaction: the addresses that are one party with whoever signed it, U(tx).

What is unknown (a code's age, its deployer) never makes anyone a party. Rules collapse U into one when they ask who gained.
"""

from detectors.base import Watch
from detectors.execution.frames import CREATES, Execution, Frame
from detectors.execution.trusted import trusted

YOUNG = 7 * 86_400.0
"""Code younger than this many seconds counts as the initiator's own: attack contracts are made for the day."""

HANDLE_OPS = frozenset(("0x1fad948c", "0x765e827f"))
INNER_HANDLE_OP = frozenset(("0x1d732756", "0x0042dc53"))
POST_OP = frozenset(("0xa9a23409", "0x7c627b21"))


def cluster(execution: Execution, watch: Watch) -> frozenset[str]:
    """U(tx): the sender, the root's target if not registered, contracts made in this transaction, by the sender, or lately.

    Registered means watched or trusted; where every contract counts as watched (`watch.watched` is None), trusted only.
    A smart-account bundle (ERC-4337) acts for its accounts, not for the bundler that signed it: U is then the accounts the
    EntryPoint executes, all of them together; whoever judges one operation alone hands in an execution in which the others
    are not alive (`reentrancy/bundles.py`).

    >>> from detectors.events import Stage
    >>> from detectors.execution.frames import Frame
    >>> root = Frame("CALL", "0xe1", "0xa0", "0xa0", 0, None, "0x", True, True, -1, 0)
    >>> deed = Execution(chain="eip155:1", at=0.0, tx="0x1", stage=Stage.INCLUDED, frames=[root])
    >>> sorted(cluster(deed, Watch())), sorted(cluster(deed, Watch(watched=frozenset({"0xa0"}))))
    (['0xa0', '0xe1'], ['0xe1'])
    """
    frames = execution.frames
    if not frames:
        return frozenset()
    known, registered = trusted(execution.chain), watch.watched or frozenset()
    root = frames[0]
    found: set[str | None]
    if root.selector in HANDLE_OPS:
        found = _accounts(frames)
    else:
        found = {root.sender}
        if root.to not in registered:
            found.add(root.to)
    found.update(frame.ctx for frame in frames if frame.type in CREATES)
    if execution.context.codes:
        found |= _made(execution, watch, known)
    return frozenset(a for a in found if a is not None and a not in known and a not in watch.trusted)


def _accounts(frames: list[Frame]) -> set[str | None]:
    """Whom the EntryPoint executes: callees of its inner operation frames, paymaster settlements aside."""
    return {
        frame.to
        for frame in frames
        if frame.parent >= 0
        and frame.alive == frames[0].ok
        and frames[frame.parent].selector in INNER_HANDLE_OP
        and frame.selector not in INNER_HANDLE_OP
        and frame.selector not in POST_OP
    }


def _made(execution: Execution, watch: Watch, known: frozenset[str]) -> set[str | None]:
    """Contracts whose known age or known deployer says that they are the initiator's. Registered ones are not.

    A protocol's team calls its own contracts too: a deployer that also made a registered contract speaks for nobody.
    """
    codes, root = execution.context.codes, execution.frames[0]
    watched = watch.watched or frozenset()
    registered = {address for address in codes if address in watched or address in watch.trusted or address in known}
    makers = {root.sender}
    if root.to is not None and root.to not in registered and (code := codes.get(root.to)) is not None:
        makers.add(code.deployer)
    makers -= {codes[address].deployer for address in registered}
    makers.discard(None)
    return {
        address
        for address, code in codes.items()
        if address not in registered and ((code.age is not None and 0 <= code.age < YOUNG) or code.deployer in makers)
    }
