"""The seam of on-chain pauses: a target, what was found out about it, and whatever can find out. Values and a protocol."""

from typing import Protocol

import msgspec

from detectors.events import Position


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What would be called: `function` (call data, 0x-hex) on `contract` by `sender`; `safe`: a Safe, whose owners sign.

    A Safe's transaction is paid for by `executor`, or by any of its owners where none is named.
    `expires_at`: when the sender's right to pause ends (unix seconds), None for never.
    """

    integration: str
    chain: str
    contract: str
    function: str
    sender: str
    safe: bool = False
    executor: str | None = None
    expires_at: float | None = None


class Check(msgspec.Struct, frozen=True):
    """One thing a pause needs. `ok` is None where it could not be found out; `told` is for people."""

    name: str
    ok: bool | None
    told: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Would the pause succeed in the block after `block`? `at` is our clock, unix seconds."""

    integration: str
    contract: str
    function: str
    sender: str
    at: float
    block: int
    ready: bool | None
    checks: tuple[Check, ...]

    @property
    def why(self) -> str:
        """What stands in the way, or could not be found out."""
        return "; ".join(check.told for check in self.checks if check.ok is not True)


class Head(msgspec.Struct, frozen=True):
    """The block to look from: its base fee in wei, None where the chain has none, and our clock (unix seconds)."""

    position: Position
    base_fee: int | None
    at: float


class Actuator(Protocol):
    """One way to pause one integration on its chain."""

    target: Target

    async def readiness(self, head: Head) -> Readiness:
        """Would it work if it were sent now? Raises nothing for whatever a node answers; unknown is an answer."""


def judged(target: Target, head: Head, checks: tuple[Check, ...]) -> Readiness:
    """The whole from its parts: one that fails fails it, else one that is unknown leaves it unknown."""
    found = {check.ok for check in checks}
    return Readiness(
        integration=target.integration, contract=target.contract, function=target.function, sender=target.sender,
        at=head.at, block=head.position.height, ready=False if False in found else None if None in found else True, checks=checks,
    )  # fmt: skip
