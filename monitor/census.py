"""The census: the numbers of `/-/status`, gathered from those who keep them when somebody asks."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.metrics import MetricWrapperBase

from alerts.base import Outcome
from alerts.pager import Pager
from monitor import metrics
from monitor.api.status import (
    ChainStatus,
    ChannelStatus,
    DeliveryStatus,
    FlagCounts,
    GasStatus,
    JournalStatus,
    NodeStatus,
    Status,
)
from monitor.breaker.desk import Desk
from monitor.breaker.flags import Flag
from monitor.gas.answers import Oracle

Facts = Mapping[str, Any]
"""What a chain's life says of itself."""


class Census(msgspec.Struct, frozen=True):
    """Where the numbers are. `chains` gives (CAIP-2 id, facts) by name, `journal` is the journal's file."""

    version: str
    config: str
    started_at: float
    desk: Desk
    pager: Pager
    journal: Path
    chains: Callable[[], Mapping[str, tuple[str, Facts]]]
    gas: Mapping[str, Oracle]
    detectors: Sequence[str]
    ready: Callable[[], bool]
    moving: Callable[[], bool]

    def taken(self) -> Status:
        """All of it, as it is now."""
        now = time.time()
        return Status(
            version=self.version, started_at=self.started_at, uptime_seconds=round(now - self.started_at, 1), config=self.config,
            ready=self.ready(), pipeline=self.moving(), loop_lag_seconds=_of(metrics.LOOP_LAG) or 0.0, flags=self._flags(),
            chains={name: _chain(chain, facts, now) for name, (chain, facts) in self.chains().items()},
            journal=self._journal(), delivery=self._delivery(),
            detectors={name: int(_of(metrics.DETECTOR_ERRORS, detector=name) or 0) for name in self.detectors},
            gas={name: _gas(oracle) for name, oracle in self.gas.items()},
        )  # fmt: skip

    def _flags(self) -> FlagCounts:
        return counted(self.desk.board.read().values())

    def _journal(self) -> JournalStatus:
        desk = self.desk
        return JournalStatus(
            sequence=desk.fold.head, epoch=desk.board.epoch, bytes=_size(self.journal), synced_at=desk.journal.synced_at,
            owed=len(desk.owed), trouble=desk.trouble,
        )  # fmt: skip

    def _delivery(self) -> DeliveryStatus:
        delivery = self.pager.delivery
        channels = {
            name: ChannelStatus(
                waiting=len(lane), failures=lane.failures, gone=lane.gone, delivered=_attempts(name, Outcome.OK),
                dead=_attempts(name, Outcome.DEAD),
            )
            for name, lane in delivery.lanes.items()
        }  # fmt: skip
        dead = sum(channel.dead for channel in channels.values())
        return DeliveryStatus(outbox=delivery.depth, oldest=delivery.oldest or None, dead_letters=dead, channels=channels)


def counted(flags: Collection[Flag]) -> FlagCounts:
    """How many say what."""
    told = {state: sum(flag.state == state for flag in flags) for state in ("run", "pause", "unknown")}
    return FlagCounts(**told, shadow=sum(flag.mode == "shadow" for flag in flags))


def in_a_line(flags: Collection[Flag]) -> str:
    """The same for a person, shortest."""
    counts = counted(flags)
    return f"run {counts.run}, pause {counts.pause}, unknown {counts.unknown}"


def _attempts(receiver: str, outcome: Outcome) -> int:
    return int(_of(metrics.ALERTS, receiver=receiver, outcome=outcome) or 0)


def _chain(chain: str, facts: Facts, now: float) -> ChainStatus:
    seen = _of(metrics.HEAD_SEEN, chain=chain) if facts["head"] is not None else None
    behind = _of(metrics.BEHIND, chain=chain) if facts["head"] is not None else None
    return ChainStatus(
        id=chain, head=facts["head"], age_seconds=None if seen is None else round(max(0.0, now - seen), 1),
        coverage=_of(metrics.COVERAGE, chain=chain), behind=None if behind is None else int(behind),
        up=facts["up"], trouble=facts["trouble"], degraded=facts["degraded"], judging=facts["judging"],
        mempool=facts["mempool"], waiting=facts["waiting"], given_up=facts["given_up"],
        nodes=tuple(
            NodeStatus(name=one["name"], state=one["state"], why=one["why"], leads=one["leads"], head=one["head"])
            for one in facts["nodes"]
        ),
    )  # fmt: skip


def _gas(oracle: Oracle) -> GasStatus:
    outlook = oracle.outlook
    if outlook is None:
        return GasStatus(block=None, model=None, degraded=oracle.trouble)
    return GasStatus(block=outlook.block.number, model=outlook.model.name, degraded=outlook.degraded)


def _of(metric: MetricWrapperBase, **labels: str) -> float | None:
    """A metric's value for these labels; None where it has none yet."""
    samples = (sample for family in metric.collect() for sample in family.samples)
    return next((sample.value for sample in samples if sample.labels == labels), None)


def _size(path: Path) -> int:
    """Bytes of the journal's file and its log; a file that is not there has none."""
    total = 0
    for file in (path, path.with_name(path.name + "-wal")):
        try:
            total += file.stat().st_size
        except OSError:
            continue
    return total
