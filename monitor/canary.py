"""Proof of life: a synthetic attack now and then through the whole way to an internal flag, and back down again.

It proves that an attack would pause, which no metric of a part does. Alone it proves nothing to the contrary: flags turn
`unknown` only when it fails on end *and* something independent of it says that the chain is not judged. They come back by
themselves, with the first canary that returns or as soon as the evidence is gone.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import structlog

from detectors.events import Dropped
from detectors.execution import Execution
from monitor import metrics
from monitor.breaker.flags import FlagBoard, Shown
from monitor.breaker.holds import UNMINED, proof_of_life
from monitor.breaker.machine import BUDGET_WINDOW
from monitor.breaker.policy import Rules
from monitor.config import Config
from monitor.effigy import BANK, burn
from monitor.judging import Judging
from monitor.opening import PROVEN_WITHIN
from monitor.pipeline import Watched

log = structlog.get_logger()

AGAIN_AFTER = 5.0
"""Seconds between canaries while they fail, unless they come more often anyway."""

MOST_HOLDS = 3
"""Holds of earlier canaries that may stand; beyond, blocks come too rarely, or nothing is released any more."""

LOOK_EVERY = 1.0
"""Seconds between looks at whether the evidence for a doubt still stands."""


class Lost(Exception):
    """A canary did not come back; the text says where it was last seen."""


class Chain(Protocol):
    """What a canary must know of its chain."""

    @property
    def judged(self) -> bool:
        """Has a block ever been judged, so that there is a life to prove?"""

    @property
    def suspicion(self) -> str:
        """What says, without any canary, that the chain is not judged; nothing when nothing does."""


def watched_of(chain: str) -> Watched:
    """The canary's integration as the pipeline sees it: ordinary rules, but no budget that proofs of life could use up."""
    rules = Rules(pending_budget=2 * BUDGET_WINDOW, sender_budget=2 * BUDGET_WINDOW)
    return Watched(integration=proof_of_life(chain), chain=chain, contracts=(BANK,), rules=rules, policy="proof-of-life")


def all_of(config: Config, chains: Mapping[str, Chain], judging: Judging) -> Mapping[str, "Canary"]:
    """One for every chain, by the chain's name; none where the detector that must find it is left out."""
    wanted = config.canary
    if not wanted.enabled or not config.detectors.get("reentrancy", {}).get("enabled", True):
        return {}
    return {
        name: Canary(config.chains[name].id, about, judging, judging.desk.board, every=wanted.every, failures=wanted.failures)
        for name, about in chains.items()
    }


class Canary:
    """One chain's. `every` seconds; after `failures` on end the evidence is asked, and flags may be doubted."""

    def __init__(
        self, chain: str, about: Chain, judging: Judging, board: FlagBoard, *, every: float = 60.0, failures: int = 3
    ) -> None:
        self.chain = chain
        self.name = proof_of_life(chain)
        self.about = about
        self.judging = judging
        self.board = board
        self.every = every
        self.failures = failures
        self.lost = 0
        """Canaries lost on end."""
        self.why = ""
        """Where the last one was lost."""
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(self) -> None:
        """One after another until cancelled. A chain that was never judged has nothing to prove yet."""
        metrics.CANARY_LAST.labels(self.chain).set(time.time())
        metrics.CANARY_EVERY.labels(self.chain).set(self.every)
        metrics.CANARY_LOST.labels(self.chain)  # none lost is a figure too
        while True:
            if self.about.judged:
                await self.round()
                await self._rest(min(self.every, AGAIN_AFTER) if self.lost else self.every)
            else:
                await self._rest(min(self.every, LOOK_EVERY))

    async def round(self) -> None:
        """Send one, and say what came of it."""
        began = time.time()
        try:
            async with asyncio.timeout(PROVEN_WITHIN):
                await self._send(began)
        except (Lost, TimeoutError) as error:
            self._missed(str(error) or f"it was not back within {PROVEN_WITHIN:g} s")
        except Exception as error:
            # The one place that decides for canaries: whatever part failed, what counts is that this one is lost.
            log.exception("canary_failed", chain=self.chain)
            self._missed(f"{type(error).__name__}: {error}")
        else:
            self.lost, self.why = 0, ""
            metrics.CANARY_LAST.labels(self.chain).set(time.time())
            metrics.CANARY_SECONDS.labels(self.chain).observe(time.time() - began)
        self.doubt()

    def doubt(self) -> None:
        """Doubt the chain's flags, or trust them again."""
        seen = self._evidence() if self.lost >= self.failures else ""
        why = f"an attack might go unseen: {self.lost} proofs of life were lost ({self.why}), and {seen}" if seen else ""
        if self.board.doubt(self.chain, why):
            log.warning("canary.doubt" if why else "canary.trust", chain=self.chain, why=why)
        metrics.CANARY_DOUBT.labels(self.chain).set(bool(why))

    async def _rest(self, seconds: float) -> None:
        """Wait, and drop a doubt meanwhile as soon as its evidence is gone."""
        while seconds > 0:
            await self.sleep(min(seconds, LOOK_EVERY))
            seconds -= LOOK_EVERY
            if self.lost:
                self.doubt()

    async def _send(self, at: float) -> None:
        if len(self._standing()) >= MOST_HOLDS:
            raise Lost(f"{MOST_HOLDS} holds of earlier ones are not released")
        attack = burn(self.chain, at)
        try:
            await self._follow(attack)
        finally:
            # Released as any pending evidence whose transaction will not come: by the next blocks, never by us.
            await self.judging.take(Dropped(chain=self.chain, at=time.time(), id=attack.tx, reason="proof of life"))

    async def _follow(self, attack: Execution) -> None:
        judged, made = await self.judging.take(attack)
        if not any(finding.subject == BANK for finding in judged.findings):
            raise Lost("no detector found it")
        mine = [one for one in made if one.decision.integration == self.name and one.decision.pauses]
        if not mine:
            trouble = self.judging.desk.trouble
            raise Lost(f"the journal refused it: {trouble}" if trouble else "nothing was decided")
        flag = self.board.internal(self.name)
        if flag.state is not Shown.PAUSE or flag.revision < mine[-1].revision:
            raise Lost("its flag does not read pause")

    def _evidence(self) -> str:
        """What says the same and is no canary; nothing when nothing does."""
        left_out = [detector for chain, detector in self.judging.pipeline.quarantined if chain == self.chain]
        if left_out:
            return f"{', '.join(left_out)} keeps failing and is left out"
        if self.judging.desk.trouble:
            return f"the journal refuses what is decided: {self.judging.desk.trouble}"
        return self.about.suspicion

    def _standing(self) -> list[str]:
        """Holds of earlier ones."""
        breaker = self.judging.desk.fold.breaker(self.name)
        return [hold.id for hold in breaker.automatic if hold.stage in UNMINED]

    def _missed(self, why: str) -> None:
        self.lost += 1
        self.why = why
        metrics.CANARY_LOST.labels(self.chain).inc()
        log.warning("canary.lost", chain=self.chain, why=why, on_end=self.lost)
