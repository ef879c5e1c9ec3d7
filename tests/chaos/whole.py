"""One seed against the whole daemon, a process of its own: faults, then peace, then the reckoning from its tapes and journal."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.config import load
from tests.chaos.ordeal import Ordeal
from tests.chaos.plan import Fault, Mode, mode_of, plan
from tests.chaos.report import Report, counted, recovered
from tests.chaos.sight import Befallen, Look, Sight, blindness
from tests.chaos.trail import Trail, compared, effects, lives
from tests.support.chain import CHAIN, SPEAKER
from tests.support.daemon import TOKEN, Daemon, settings
from tests.support.lockstep import BANK
from tests.support.tapes import played

SETTLES = 30.0
"""Seconds the daemon has to vouch for a head again once the faults have stopped."""
CATCHES_UP = 90.0
"""Seconds it has after that to process the last block, while no more come: what it has not reached yet is not lost."""
GRACE = 2.0
"""Seconds after a fault's end in which `unknown` is still its doing."""
STARTS = 5.0
"""The same, for a daemon that was killed: a process has to start."""
BLIND_AFTER = 6.0
"""Seconds: more than eight blocks last, so that a reorganisation's first block, which is as old as those it replaces, is none."""
OWN = "policies", "detectors"
"""Sections that may be somebody's own: what is concluded, not what is watched, and nobody who would be woken."""
SNAPSHOT_EVERY = 7
"""Blocks: what came after the last one is lost with the process, and must be had again."""


async def run(
    seed: int, seconds: float, mode: str | None = None, folder: Path | None = None, own: Mapping[str, Any] | None = None
) -> Report:
    """Try one seed. Tapes, journal and log stay in `folder` if one is given; `own` are sections of a configuration of one's own.

    Raises RuntimeError when it cannot be tried.
    """
    chosen = mode_of(seed, mode)
    with tempfile.TemporaryDirectory(prefix="seawall-chaos-") as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        async with Ordeal.begin(chosen, seed) as ordeal:
            trial = Trial(ordeal, place, seed, seconds, own or {})
            async with Daemon(place, trial.config, "--tape", str(place / "trail.tape.gz")) as daemon:
                return await trial.against(daemon)


class Trial:
    """A daemon and what befalls it."""

    def __init__(self, ordeal: Ordeal, folder: Path, seed: int, seconds: float, own: Mapping[str, Any]) -> None:
        self.ordeal, self.folder, self.seed, self.seconds, self.own = ordeal, folder, seed, seconds, own
        self.mode: Mode = ordeal.mode
        self.faults: list[Befallen] = []
        self.restarts = 0

    @property
    def config(self) -> dict[str, Any]:
        """A bank that is robbed, whose flag pauses, and a quiet integration, whose flag shows only how well we see."""
        made = settings(self.folder, "", blind_after=f"{BLIND_AFTER:g}s", watch=BANK)
        nodes = [{"name": name, "ws": proxy.ws} for name, proxy in zip("abc", self.ordeal.proxies, strict=False)]
        made["chains"]["test"] |= {"nodes": nodes, "block_time": "1s", "snapshot_every": SNAPSHOT_EVERY}
        quiet = [{"address": SPEAKER, "kind": "holdings"}]
        made["integrations"]["quiet"] = {"chain": "test", "contracts": quiet, "mode": "enforce"}
        if policy := self.own.get("policy"):
            made["integrations"]["vault"]["policy"] = policy
        return made | {section: self.own[section] for section in OWN if section in self.own}

    async def against(self, daemon: Daemon) -> Report:
        """Everything in its order."""
        sight = Sight(f"{daemon.read}/v1/flags/quiet")
        await self._sees(daemon)
        looking = asyncio.create_task(sight.run())
        try:
            await self._suffer(daemon)
            settled = await self._settle(sight)
        finally:
            looking.cancel()
        code = await daemon.stop()
        if not await self.ordeal.chain.agree():
            raise RuntimeError("the nodes are out of step: their chains differ, so nothing can be said of the daemon's")
        return await self._reckon(sight, settled, code)

    async def _sees(self, daemon: Daemon) -> None:
        """Wait until a first block was judged; no fault before."""
        async with asyncio.timeout(2 * SETTLES):
            while not ((flag := await daemon.flag()) and flag["observed_block"]):
                if daemon.process is not None and daemon.process.returncode is not None:
                    raise RuntimeError(f"the daemon ended at once: {(self.folder / 'daemon.log').read_text()[-1000:]}")
                await self.ordeal.chain.block(1)
                await self.ordeal.look()
                await asyncio.sleep(0.3)

    async def _suffer(self, daemon: Daemon) -> None:
        until = time.time() + self.seconds
        self.ordeal.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.ordeal.talk())
            for fault in plan(self.seed, self.seconds, self.mode.kinds, self.mode.nodes):
                await asyncio.sleep(fault.after)
                began = time.time()
                if fault.kind in {"daemon_killed", "daemon_frozen"}:
                    node = None
                    await self._strike(daemon, fault)
                else:
                    node = await self.ordeal.befall(fault)
                self.faults.append(Befallen(fault.kind, began, time.time(), node))
            await asyncio.sleep(max(0.0, until - time.time()))
            self.ordeal.stopping = True
        await self.ordeal.end()

    async def _strike(self, daemon: Daemon, fault: Fault) -> None:
        if fault.kind == "daemon_killed":
            await daemon.kill()
            await asyncio.sleep(fault.seconds)
            await daemon.start()
            self.restarts += 1
        else:
            daemon.freeze()
            await asyncio.sleep(fault.seconds)
            daemon.thaw()

    async def _settle(self, sight: Sight) -> float:
        """Blocks go on until a new one is vouched for; then the newest is waited for. How long the first took, seconds."""
        known, began, took = set[str](), time.time(), SETTLES
        while time.time() - began < SETTLES:
            known.add(newest := await self.ordeal.block())
            if sight.now.head in known and sight.now.state == "run":
                took = time.time() - began
                break
            await asyncio.sleep(0.3)
        until = time.time() + CATCHES_UP
        while sight.now.head != newest and time.time() < until:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
        return took

    async def _reckon(self, sight: Sight, settled: float, code: int) -> Report:
        trail, tapes = Trail(CHAIN), lives(self.folder / "trail.tape.gz")
        trail.read(tapes)
        first = trail.first or 0
        chain = await self.ordeal.chain.hashes(first)
        verdict = compared(trail, await self.ordeal.chain.logs(first))
        done = effects(self.folder / "journal.db")
        counts = sum((frames.counts for frames in self.ordeal.frames), Counter(fault.kind for fault in self.faults))
        blind = blindness(sight.looks, [_explaining(fault) for fault in self.faults], GRACE)
        return Report(
            seed=self.seed, mode=self.mode.name, seconds=self.seconds, nodes=self.mode.nodes,
            events=verdict.events, processed=verdict.processed, lost=verdict.lost, phantom=verdict.phantom,
            altered=verdict.altered, unjudged=verdict.unjudged, missing=verdict.missing[:10],
            duplicated=trail.twice, decisions=done.decisions, duplicates_effected=done.duplicates,
            chain_equal={height: block.position.id for height, block in trail.blocks.items()} == chain,
            blocks=len(chain), reorgs=trail.reverts, gaps=trail.gaps, faults=dict(sorted(counts.items())),
            settled_s=round(settled, 3), lies=sum(len(frames.lies) for frames in self.ordeal.frames),
            trouble=None if code == 0 else f"the daemon ended with {code}", restarts=self.restarts,
            unknown_seconds=blind.unknown, unknown_by=blind.by, unknown_said=blind.said,
            absent_seconds=blind.absent,
            unjustified_unknown_seconds=blind.unjustified, unjustified_reasons=blind.reasons,
            replay_identical=_identical(tapes[0], self.folder / "seawall.yaml") if self.restarts == 0 else None,
            unknown_after_return_ms=_after(self.ordeal.back, sight.looks),
            **counted(recovered(self.faults, self.ordeal.heads, trail.closed), self.faults),
        )  # fmt: skip


def _identical(tape: Path, config: Path) -> bool:
    """Does the tape of an only life give the decisions on it, bit for bit?"""
    again = played(tape, load(config, {"TOKEN": TOKEN}))
    return not again.ended and again.tally.differing == again.tally.unfitting == 0


def _explaining(fault: Befallen) -> Befallen:
    return fault._replace(ended=fault.ended + STARTS - GRACE) if fault.kind == "daemon_killed" else fault


def _after(back: Sequence[float], looks: Sequence[Look]) -> list[int]:
    """Milliseconds from each return of a node until the answer was `run`, where it had been `unknown`."""
    found = []
    for when in back:
        before = [look for look in looks if look.at <= when]
        ended = next((look.at for look in looks if look.at > when and look.state == "run"), None)
        if before and before[-1].state == "unknown" and ended is not None:
            found.append(round((ended - when) * 1000))
    return found
