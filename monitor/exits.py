"""Emergency exits: at every block, would each on-chain pause still work? A gauge, a reason, and nothing sent."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from detectors.events import Reverted
from monitor import metrics
from monitor.breaker.actuators.base import Actuator, Head, Readiness, Target
from monitor.breaker.actuators.simulated import Simulated
from monitor.chains.base import BlockData
from monitor.chains.evm import Caller
from monitor.config import Config
from monitor.gas.answers import Oracle

log = structlog.get_logger()

SOON = 5
"""Blocks within which a pause must be mined."""

GWEI = 1e9


class Exits:
    """Those of one chain. `saw` is told of its blocks; only the newest is looked from, so that a slow node skips some."""

    def __init__(self, actuators: Sequence[Actuator]) -> None:
        self.actuators = actuators
        self.known: dict[str, Readiness] = {}
        """What was found out last, by integration."""
        self._newest: Head | None = None
        self._came = asyncio.Event()
        for actuator in actuators:
            metrics.PAUSE_READY.labels(actuator.target.integration).set(math.nan)

    def saw(self, step: BlockData | Reverted) -> None:
        """A block was judged."""
        if isinstance(step, BlockData):
            self._newest = Head(step.position, step.base_fee, time.time())
            self._came.set()

    async def run(self) -> None:
        """Look, until cancelled."""
        while True:
            await self._came.wait()
            self._came.clear()
            if self._newest is not None:
                for actuator in self.actuators:
                    self._tell(await actuator.readiness(self._newest))

    def failed(self, _: Exception) -> None:
        """Nothing is known any more until the next block."""
        self.known.clear()
        for actuator in self.actuators:
            metrics.PAUSE_READY.labels(actuator.target.integration).set(math.nan)

    def _tell(self, found: Readiness) -> None:
        before = self.known.get(found.integration)
        self.known[found.integration] = found
        metrics.PAUSE_READY.labels(found.integration).set(math.nan if found.ready is None else found.ready)
        if before is None or before.ready != found.ready:
            log.warning("pause.readiness", integration=found.integration, ready=found.ready, why=found.why)


def targets_of(config: Config, chain: str) -> list[Target]:
    """The pause targets configured on a chain, by the chain's name."""
    return [
        Target(
            integration=name, chain=config.chains[chain].id, contract=one.pause_target.contract,
            function=one.pause_target.function, sender=one.pause_target.sender,
            safe=one.pause_target.kind == "safe", executor=one.pause_target.executor, expires_at=one.pause_target.expires_at,
        )
        for name, one in config.integrations.items()
        if one.chain == chain and one.pause_target is not None
    ]  # fmt: skip


def exits_of(config: Config, chain: str, rpc: Caller, oracles: Mapping[str, Oracle]) -> Exits:
    """The exits of a chain, asked over this connection; fees as the chain's own forecast has them, where there is one."""
    return Exits([Simulated(target, rpc, _price(oracles.get(chain))) for target in targets_of(config, chain)])


def both(
    first: Callable[[BlockData | Reverted], None], second: Callable[[BlockData | Reverted], None]
) -> Callable[[BlockData | Reverted], None]:
    """Tell two of a step."""

    def tell(step: BlockData | Reverted) -> None:
        first(step)
        second(step)

    return tell


def _price(oracle: Oracle | None) -> Callable[[], int | None]:
    """Wei per gas that is enough for all of the next SOON blocks, 95 of 100 times, and an urgent tip."""

    def price() -> int | None:
        outlook = oracle.outlook if oracle is not None else None
        if outlook is None or outlook.degraded:
            return None
        enough = next((caps["95"] for blocks, caps in sorted(outlook.caps.items()) if blocks >= SOON), None)
        tip = outlook.priority_wei.urgent if outlook.priority_wei is not None else 0
        return None if enough is None else int(enough * GWEI) + tip

    return price
