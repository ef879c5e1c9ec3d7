"""`/-/status`: everything that people ask of the process itself, in one document; the flags have doors of their own."""

from collections.abc import Callable

import msgspec
from aiohttp import web


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A node as the chain's watch thinks of it. `head` None: it never told one."""

    name: str
    state: str
    why: str
    leads: bool
    head: int | None


class ChainStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A chain. `age_seconds` since a block was last processed, None: never. `coverage` is of blocks since the start, 0..1.

    `waiting` pending calls are to be simulated; `given_up` were not, since the start.
    """

    id: str
    head: int | None
    age_seconds: float | None
    coverage: float | None
    behind: int | None
    up: bool
    trouble: str | None
    degraded: str | None
    judging: str
    mempool: str
    waiting: int
    given_up: int
    nodes: tuple[NodeStatus, ...]


class FlagCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Integrations by what readers are told, and how many are in shadow."""

    run: int = 0
    pause: int = 0
    unknown: int = 0
    shadow: int = 0


class JournalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`bytes` on disk; `synced_at` unix seconds of the last append that the disk confirmed in this life, None: none yet.

    `owed` pauses are shown and not yet written; `trouble` is why the journal refuses.
    """

    sequence: int
    epoch: int
    bytes: int
    synced_at: float | None
    owed: int
    trouble: str


class ChannelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver since the start: `delivered`, and `dead`, given up for good. `waiting` are owed to it, `failures` are on end.

    `gone`: it said that it wants no more until a restart.
    """

    waiting: int
    failures: int
    gone: bool
    delivered: int
    dead: int


class DeliveryStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What people are owed: entries in the outbox, when the oldest was made (unix seconds); dead letters since the start."""

    outbox: int
    oldest: float | None
    dead_letters: int
    channels: dict[str, ChannelStatus]


class GasStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A chain's forecasts: the block they rest on, the model in use, and why they are not to be relied on."""

    block: int | None
    model: str | None
    degraded: str | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon. `config` is the digest of the configuration in force; `detectors` counts events each failed on."""

    version: str
    started_at: float
    uptime_seconds: float
    config: str
    ready: bool
    pipeline: bool
    loop_lag_seconds: float
    flags: FlagCounts
    chains: dict[str, ChainStatus]
    journal: JournalStatus
    delivery: DeliveryStatus
    detectors: dict[str, int]
    gas: dict[str, GasStatus]


STATUS: web.AppKey[Callable[[], Status]] = web.AppKey("status")


async def status(request: web.Request) -> web.Response:
    """`GET /-/status`: version, uptime, configuration, chains, flags, journal, channels, detectors and fees, in one document."""
    body = msgspec.json.encode(request.app[STATUS]())
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-cache"})
