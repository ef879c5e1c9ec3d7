"""Changes of power over a contract: who may upgrade it, own it, mint or pause, by its events or by the slots of EIP-1967."""

from collections.abc import Iterator
from typing import NamedTuple

from detectors.base import Watch
from detectors.execution.frames import BORROWS_CODE, CREATES, Access, Execution, Log
from detectors.execution.ledger import ZERO


class Sign(NamedTuple):
    """What an event means, and the indexed topic that names the new holder; 0 where the last word of its data does."""

    what: str
    topic: int


SIGNS: dict[str, Sign] = {
    "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b": Sign("upgraded", 1),  # Upgraded
    "0x1cf3b03a6cf19fa2baba4df148e9dcabedea7f8a5c07840e207e5c089be95d3e": Sign("upgraded", 1),  # BeaconUpgraded
    "0xd604de94d45953f9138079ec1b82d533cb2160c906d1076d1f7ed54befbca97a": Sign("upgraded", 0),  # NewImplementation
    "0x7e644d79422f17c01e4894b5f4f588d331ebfa28653d42ae832dc59e38c9798f": Sign("new admin", 0),  # AdminChanged
    "0xf9ffabca9c8276e99321725bcb43fb076a6c66a54b7f21c4e8146d8519b417dc": Sign("new admin", 0),  # NewAdmin
    "0x8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0": Sign("new owner", 2),  # OwnershipTransferred
    "0x9465fa0c962cc76958e6373a993326400c1c94f8be2fe3a952adfa7f60b2ea26": Sign("new owner", 0),  # Safe: AddedOwner
    "0xecdf3a3effea5783a3c4c2140e677577666428d44ed9d474a0b3a4c9943f8440": Sign("new module", 0),  # Safe: EnabledModule
    "0x2f8788117e7eff1d82e926ec794901d17c78024a50270940304540a733656f0d": Sign("role granted", 2),  # RoleGranted
    "0x6ae172837ea30b801fbfcdd4108aa1d5bf8ff775444fd70256b44e6bf3dfc3f6": Sign("new minter", 1),  # MinterAdded
    "0x6719d08c1888103bea251a4ed56406bd0c3e69723c8a1686e017e7bbe159b6f8": Sign("new pauser", 1),  # PauserAdded
    "0xd52b2b9b7e9ee655fcb95d2e5b9e0c9f69e7ef2b8e9d2d0ea78402d576d22e22": Sign("new oracle", 0),  # NewPriceOracle
    "0x62e78cea01bee320cd4e420270b5ea74000d11b0c9f74754ebdbfc544b05a258": Sign("paused", 0),  # Paused
}

SLOTS = {
    0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC: "upgraded",
    0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103: "new admin",
    0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50: "upgraded",
}
"""EIP-1967: implementation, admin, beacon."""


class Change(NamedTuple):
    """A change of power over `contract`: `holders` have gained by it (who made it, and whom it names), `at` is chain time."""

    contract: str
    what: str
    holders: tuple[str, ...]
    at: float
    tx: str


def changes(execution: Execution, at: float) -> list[Change]:
    """Every change of power that stands, but over contracts made in this very transaction."""
    if not execution.steps:
        return []
    frames = execution.frames
    sender = frames[0].sender or ""
    found: dict[tuple[str, str], list[str]] = {}
    for contract, what, holder in _signs(execution):
        found.setdefault((contract, what), [sender]).append(holder)
    if not found:
        return []
    made = {frame.ctx for frame in frames if frame.type in CREATES}
    return [
        Change(contract, what, tuple(sorted({h for h in holders if h not in {"", ZERO, contract}})), at, execution.tx)
        for (contract, what), holders in found.items()
        if contract not in made
    ]


def borrowed(execution: Execution, watch: Watch) -> set[tuple[str, str]]:
    """(contract, code): contracts watched by name that ran code whose address their caller gave them, unless it is trusted."""
    named, frames = watch.watched, execution.frames
    if not named:
        return set()
    return {
        (frame.ctx, frame.to)
        for frame in frames
        if frame.type in BORROWS_CODE
        and frame.ctx in named
        and frame.alive
        and frame.parent >= 0
        and frame.to is not None
        and frame.to not in watch.trusted
        and frame.to[2:] in (frames[frame.parent].input or "")
    }


def _pointers(execution: Execution) -> dict[tuple[str | None, int], str]:
    """(contract, slot) -> address: where a contract was seen to look up whose code it runs as its own.

    Whatever slot that is, writing another address there exchanges the code (a Safe keeps it in the first one; Bybit, 2025).
    """
    if not execution.ordered:
        return {}
    read = dict[tuple[int, str | None], int]()
    for step in execution.steps:
        if step.__class__ is Access and step.op == "sload":
            read.setdefault((step.frame, _address(step.value)), step.slot)
    found = dict[tuple[str | None, int], str]()
    for frame in execution.frames:
        if frame.type in BORROWS_CODE and frame.to != ZERO and (slot := read.get((frame.parent, frame.to))) is not None:
            found.setdefault((frame.ctx, slot), frame.to or ZERO)
    return found


def _signs(execution: Execution) -> Iterator[tuple[str, str, str]]:
    frames, pointers = execution.frames, _pointers(execution)
    for step in execution.steps:
        if isinstance(step, Log):
            sign = SIGNS.get(step.topics[0]) if step.topics else None
            if sign is not None and frames[step.frame].alive:
                yield step.address, sign.what, _named(step, sign)
        elif isinstance(step, Access) and step.op == "sstore" and step.slot in SLOTS and frames[step.frame].alive:
            contract = frames[step.frame].ctx
            if contract is not None:
                yield contract, SLOTS[step.slot], _address(step.value)
        elif pointers and isinstance(step, Access) and step.op == "sstore" and frames[step.frame].alive:
            contract, code = frames[step.frame].ctx, _address(step.value)
            if contract is not None and pointers.get((contract, step.slot), code) != code:
                yield contract, "upgraded", code


def _named(log: Log, sign: Sign) -> str:
    if 0 < sign.topic < len(log.topics):
        return "0x" + log.topics[sign.topic][-40:]
    if len(log.topics) > 1:
        return "0x" + log.topics[-1][-40:]  # the same event with its argument indexed, as later versions do
    data = log.data or ""
    return "0x" + data[-40:] if len(data) >= 66 else ""


def _address(value: int) -> str:
    return f"0x{value & (1 << 160) - 1:040x}"
