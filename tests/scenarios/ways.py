"""One scenario, five ways: pending, mined, with a reorg, with tracers missing, and with the attacker renamed and split."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from detectors.base import PAUSE_AT, WARN_AT, Basis, Finding
from detectors.events import Stage
from monitor.demo.anvil import Anvil
from monitor.demo.node import HttpNode
from monitor.inspect import Verdict, verdict
from tests.scenarios.blindfold import NO_ORDER, NO_TRACER, blindfold
from tests.scenarios.lookout import Lookout, Said, lookout
from tests.scenarios.scenario import REENTRANCY, Scenario, Staged
from tests.scenarios.world import Tx, Wait, World

PENDING, MINED, REORG, DEGRADED, RENAMED, RENAMED_MINED = (
    "pending", "mined", "reorg", "degraded", "renamed", "renamed-mined",
)  # fmt: skip
WAYS = (PENDING, MINED, REORG, DEGRADED, RENAMED, RENAMED_MINED)
"""The renamed way is judged twice, as it is announced and as it is mined."""

AGE = 40 * 86_400
START = 1_760_000_000
"""When every scenario begins, on its own clock: the same seed gives the same chain on any day."""
DEEPEST = 40
"""Blocks that a reorganisation replaces at most."""


class Outcome(msgspec.Struct, kw_only=True):
    """How one variation of a scenario was judged one way.

    `verdict`: on what is guilty; of a benign scenario, on all. `false`: strongest verdict on anything honest, with what was said.
    `named`: was a victim named by the strongest finding; `all_named`: were all.
    """

    number: str
    variation: int
    way: str
    attack: bool
    verdict: Verdict
    detected: bool
    paused: bool
    kind_right: bool = False
    named: bool = False
    all_named: bool = False
    kinds: tuple[str, ...] = ()
    said: str = ""
    false: Verdict = Verdict.CLEAR
    false_said: tuple[str, ...] = ()
    honest: int = 0
    judged_ms: float = 0.0
    flag_ms: float | None = None
    """Seen → the first finding that pauses."""
    lead_ms: float | None = None
    """That → mined."""
    frames: int = 0
    blind: bool = False
    by: tuple[tuple[str, float], ...] = ()
    false_by: tuple[tuple[str, float], ...] = ()
    """Detector and strongest confidence, of those that warned (of what is guilty; of what is honest)."""


async def run(scenario: Scenario, variation: int, *, ways: Iterable[str] = WAYS, seed: int = 0) -> list[Outcome]:
    """Stage it (twice, where it is to be renamed as well) and judge it in each way."""
    wanted = frozenset(ways)
    found: list[Outcome] = []
    if wanted & {PENDING, MINED, REORG, DEGRADED}:
        found += await _world(scenario, variation, seed, renamed=False, reorg=REORG in wanted, degraded=DEGRADED in wanted)
    if wanted & {RENAMED, RENAMED_MINED}:
        found += await _world(scenario, variation, seed, renamed=True, reorg=False, degraded=False)
    return [outcome for outcome in found if outcome.way in wanted]


async def _world(scenario: Scenario, variation: int, seed: int, *, renamed: bool, reorg: bool, degraded: bool) -> list[Outcome]:
    began = START - AGE
    async with AsyncExitStack() as stack:
        anvil = await stack.enter_async_context(await Anvil.start("--timestamp", str(began), "--gas-limit", "100000000"))
        node = await stack.enter_async_context(HttpNode(anvil.http))
        world = World(anvil, node, f"{seed}/{scenario.number}/{variation}", renamed=renamed)
        await world.populate()
        staged = await scenario.stage(world)
        await world.jump(AGE // 2)
        await node.call("evm_setAutomine", [False])
        play = Play(world, scenario, variation, staged, random.Random(f"{seed}/{scenario.number}/{variation}/clock"))
        play.whole = await stack.enter_async_context(lookout(staged, anvil.ws))
        if degraded:
            lack = (NO_ORDER, NO_ORDER, NO_TRACER)[variation % 3]
            ws = await stack.enter_async_context(blindfold(anvil.ws, lack))
            play.dim = await stack.enter_async_context(lookout(staged, ws))
        await play.opened()
        await play.through()
        names = (RENAMED, RENAMED_MINED) if renamed else (PENDING, MINED)
        found = [play.outcome(names[0], play.whole, pending=True), play.outcome(names[1], play.whole, pending=False)]
        if degraded:
            found.append(play.outcome(DEGRADED, play.dim, pending=None))
        if reorg:
            start = len(play.whole.witness.said)
            await play.again()
            found.append(play.outcome(REORG, play.whole, pending=False, since=start))
    return found


class Play:
    """One staged scenario being played before its lookouts."""

    whole: Lookout
    dim: Lookout | None = None

    def __init__(self, world: World, scenario: Scenario, variation: int, staged: Staged, clock: random.Random) -> None:
        self.world = world
        self.scenario = scenario
        self.variation = variation
        self.staged = staged
        self.clock = clock
        self.sent: list[list[str]] = []
        self.guilty: set[str] = set()
        self.ours: set[tuple[str | None, str | None, str]] = set()
        self.mined_at: dict[str, float] = {}
        self._now = 0

    @property
    def lookouts(self) -> list[Lookout]:
        """All that watch."""
        return [self.whole] + ([self.dim] if self.dim is not None else [])

    async def opened(self) -> None:
        """Wait until everybody has judged the head of the moment."""
        head = await self._head()
        self._now = int(head["timestamp"], 16)
        await self._seen(head["hash"])
        await asyncio.gather(*(look.listening() for look in self.lookouts))

    async def through(self) -> None:
        """Every block of the scenario: announced, judged, mined, judged."""
        async for step in _steps(self.staged):
            if isinstance(step, Wait):
                await self._wait(step)
            else:
                await self._block(step)

    async def _block(self, txs: Sequence[Tx]) -> None:
        hashes = []
        for tx in txs:
            sent = await self.world.send(tx)
            hashes.append(sent)
            if tx.guilty:
                self.guilty.add(sent)
                self.ours.add((tx.sender, tx.to, tx.data[:74]))
            if tx.to is None or len(tx.data) > len("0x") or tx.to in {c.address for c in self.staged.watch}:
                await asyncio.gather(*(look.witness.pending(sent) for look in self.lookouts if not look.blind))
        self.sent.append(hashes)
        await self._mine()
        now = time.time()
        self.mined_at |= dict.fromkeys(hashes, now)
        await self.world.check(hashes)

    async def _mine(self) -> None:
        self._now += self.staged.seconds
        await self.world.node.call("evm_setNextBlockTimestamp", [self._now])
        await self.world.node.call("evm_mine", [])
        await self._seen((await self._head())["hash"])

    async def _wait(self, wait: Wait) -> None:
        self._now += wait.seconds * wait.blocks
        await self.world.node.call("anvil_mine", [hex(wait.blocks), hex(wait.seconds)])
        self.sent += [[] for _ in range(wait.blocks)]
        head = await self._head()
        self._now = max(self._now, int(head["timestamp"], 16))
        await self._seen(head["hash"])

    async def again(self) -> None:
        """The same transactions on another fork, a block later where that fits."""
        depth = min(len(self.sent), DEEPEST)
        replaced = self.sent[-depth:]
        late = 1 if depth < DEEPEST and self.clock.random() < 0.5 and depth > 1 and not replaced[-1] else 0
        placed = [(tx, min(depth - 1, place + late)) for place, hashes in enumerate(replaced) for tx in hashes]
        pairs = [[await self._request(tx), place] for tx, place in placed]
        await self.world.node.call("anvil_reorg", [depth, pairs])
        await self._seen((await self._head())["hash"])

    async def _request(self, sent: str) -> dict[str, Any]:
        tx = await self.world.node.call("eth_getTransactionByHash", [sent])
        kept = ("from", "to", "value", "gas", "nonce", "maxFeePerGas", "maxPriorityFeePerGas")
        return {name: tx[name] for name in kept if tx.get(name) is not None} | {"data": tx["input"]}

    async def _head(self) -> dict[str, Any]:
        return dict(await self.world.node.call("eth_getBlockByNumber", ["latest", False]))

    async def _seen(self, block: str) -> None:
        await asyncio.gather(*(look.at(block) for look in self.lookouts))

    # What was said of it.

    def outcome(self, way: str, look: Lookout | None, *, pending: bool | None, since: int = 0) -> Outcome:
        """The verdict on the guilty ones, and whether anybody honest was suspected."""
        assert look is not None
        said = _settled([one for one in look.witness.said[since:] if pending is None or (one.stage is Stage.PENDING) is pending])
        scenario = self.scenario
        ours = [one for one in said if self._guilty(one) or (scenario.attacks and not one.tx)]
        honest = [one for one in said if one.tx and not self._guilty(one)] if scenario.attacks else said
        right = [f for one in ours for f in one.findings if (f.detector == "reentrancy") == (scenario.family == REENTRANCY)]
        wrong = [f for one in honest for f in one.findings if f.kind != "unjudged"]  # who could not look suspects nobody
        told = verdict(right) if scenario.attacks else verdict(wrong)
        unjudged = any(one.unjudged for one in ours)
        if told in {Verdict.CLEAR, Verdict.INFO} and (unjudged or look.blind) and scenario.attacks:
            told = Verdict.UNJUDGED
        best = max(right, key=lambda f: f.confidence, default=None)
        strong = [f for f in right if f.confidence >= WARN_AT]
        named = {victim for f in strong for victim in f.victims}
        first = next((one for one in ours if one.pause or _pauses(one)), None)
        return Outcome(
            number=scenario.number,
            variation=self.variation,
            way=way,
            attack=scenario.attacks,
            verdict=told,
            detected=told in {Verdict.WARN, Verdict.PAUSE},
            paused=verdict(f for one in ours for f in one.findings) is Verdict.PAUSE,
            kind_right=any(f.kind in scenario.kinds for f in strong),
            named=best is not None and bool(set(best.victims) & set(self.staged.victims)),
            all_named=set(self.staged.victims) <= named,
            kinds=tuple(sorted({f"{f.kind} {f.confidence:.2f}" for f in (right if scenario.attacks else wrong)})),
            said=best.title if best is not None else "",
            false=verdict(wrong),
            false_said=tuple(
                sorted({f"{f.detector} {f.kind} {f.confidence:.2f}: {f.title}" for f in wrong if f.confidence >= WARN_AT})
            ),
            honest=len({one.tx for one in honest if one.tx}),
            judged_ms=1000 * max((one.at - one.seen for one in ours), default=0.0),
            flag_ms=None if first is None else 1000 * (first.at - first.seen),
            lead_ms=None if first is None else 1000 * (self.mined_at.get(first.tx, first.at) - first.at),
            frames=max((one.frames for one in ours), default=0),
            blind=look.blind,
            by=_strongest(f for one in ours for f in one.findings) if scenario.attacks else (),
            false_by=_strongest(wrong),
        )

    def _guilty(self, one: Said) -> bool:
        return one.tx in self.guilty or one.who in self.ours


def _settled(said: list[Said]) -> list[Said]:
    """Without what a second look put right; a pause that the first look caused is not put right any more."""
    again = {(one.tx, one.stage) for one in said if one.second}
    return [
        msgspec.structs.replace(one, findings=[f for f in one.findings if f.detector not in one.asking or _strong(f)])
        if not one.second and (one.tx, one.stage) in again
        else one
        for one in said
    ]


def _strongest(findings: Iterable[Finding]) -> tuple[tuple[str, float], ...]:
    best: dict[str, float] = {}
    for finding in findings:
        if finding.confidence >= WARN_AT and finding.kind != "unjudged":
            best[finding.detector] = max(best.get(finding.detector, 0.0), finding.confidence)
    return tuple(sorted(best.items()))


def _told(finding: Finding) -> str:
    return f"{finding.detector} {finding.kind} {finding.confidence:.2f}: {finding.title}"


def _pauses(one: Said) -> bool:
    return any(_strong(f) for f in one.findings)


def _strong(finding: Finding) -> bool:
    return finding.confidence >= PAUSE_AT and finding.basis is Basis.MECHANISM


async def _steps(staged: Staged) -> AsyncIterator[Sequence[Tx] | Wait]:
    if isinstance(staged.blocks, AsyncIterator):
        async for step in staged.blocks:
            yield step
    else:
        for step in staged.blocks:
            yield step
