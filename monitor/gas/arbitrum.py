"""ArbGasInfo, the precompile that says what an Arbitrum chain owes: read at a block by its hash, believed within reason."""

import msgspec

from detectors.gas.arbitrum import Reading, Target
from monitor.chains.base import BlockData
from monitor.errors import NodeGarbled, RpcRefused
from monitor.gas.history import WITHIN, Caller

ADDRESS = "0x" + "6c".rjust(40, "0")

BACKLOG, LEAST, INERTIA, TOLERANCE = "0x1d5b5c20", "0xf918379a", "0x3dfb45b9", "0x25754f91"
"""getGasBacklog, getMinimumGasPrice, getPricingInertia, getGasBacklogTolerance."""

ACCOUNTING, CONSTRAINTS = "0x612af178", "0x232027d1"
"""getGasAccountingParams (the first of three: gas a second), getGasPricingConstraints (ArbOS 50: target, seconds, backlog)."""

RULES_FOR = 200
"""Blocks for which the rules are not read anew; owners change them a few times a year."""

MOST_TARGETS, FAR = 16, 2**62


class ArbGasInfo:
    """One chain's. `read` once a block: one call, and a few more now and then for the rules."""

    def __init__(self, rpc: Caller, chain: str) -> None:
        self._rpc = rpc
        self._chain = chain
        self._rules: Reading | None = None
        self._listed = False
        self._until = -1

    def doubt(self) -> None:
        """A fee did not come as the rules said: read them anew."""
        self._until = -1

    async def read(self, block: BlockData) -> Reading:
        """What is owed after this block. Raises NodeError."""
        number = block.position.height
        if self._rules is None or not self._until - RULES_FOR <= number <= self._until:
            self._rules, self._until = await self._read_rules(block), number + RULES_FOR
        rules = self._rules
        if self._listed:
            return Reading(rules.least_wei, await self._constraints(block))
        (backlog,) = await self._numbers(block, BACKLOG, 1)
        return Reading(rules.least_wei, (msgspec.structs.replace(rules.targets[0], backlog=backlog),))

    async def _read_rules(self, block: BlockData) -> Reading:
        (least,) = await self._numbers(block, LEAST, 1)
        try:
            targets = await self._constraints(block)
        except RpcRefused:
            targets = ()  # before ArbOS 50 there is no such question
        self._listed = bool(targets)
        if self._listed:
            return Reading(least, targets)
        speed, _, _ = await self._numbers(block, ACCOUNTING, 3)
        (inertia,), (tolerance,) = await self._numbers(block, INERTIA, 1), await self._numbers(block, TOLERANCE, 1)
        if not speed or not inertia:
            raise NodeGarbled(f"{self._chain}: ArbGasInfo says speed {speed}, inertia {inertia}; neither can be zero")
        return Reading(least, (Target(speed, inertia, tolerance),))

    async def _constraints(self, block: BlockData) -> tuple[Target, ...]:
        words = await self._words(block, CONSTRAINTS)
        count = words[1] if len(words) > 1 else -1
        if not 0 <= count <= MOST_TARGETS or len(words) != 2 + 3 * count:
            raise NodeGarbled(f"{self._chain}: ArbGasInfo gave {len(words)} words for its gas targets, which is no list of them")
        found = tuple(Target(speed, inertia, 0, owed) for speed, inertia, owed in zip(*[iter(words[2:])] * 3, strict=True))
        if any(not target.speed or not target.inertia for target in found):
            raise NodeGarbled(f"{self._chain}: ArbGasInfo says a gas target of nothing")
        return found

    async def _numbers(self, block: BlockData, asked: str, count: int) -> list[int]:
        words = await self._words(block, asked)
        if len(words) != count:
            raise NodeGarbled(f"{self._chain}: ArbGasInfo gave {len(words)} words to {asked}, not {count}")
        return words

    async def _words(self, block: BlockData, asked: str) -> list[int]:
        call = {"to": ADDRESS, "data": asked}
        said = await self._rpc.call("eth_call", [call, {"blockHash": block.position.id}], timeout=WITHIN, type=str)
        try:
            raw = bytes.fromhex(said.removeprefix("0x"))
        except ValueError:
            raw = b"?"
        words = [int.from_bytes(raw[at : at + 32]) for at in range(0, len(raw), 32)]
        if not words or len(raw) % 32 or max(words) >= FAR:
            raise NodeGarbled(f"{self._chain}: ArbGasInfo answered {asked} with {said[:80]!r}; is this an Arbitrum chain?")
        return words
