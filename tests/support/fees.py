"""A chain's fees as the daemon would have them after so many blocks of the seeded chain, and an oracle on them."""

import asyncio
from functools import cache
from typing import Any

import numpy as np

from detectors.events import Position
from detectors.gas.features import Features, Header
from detectors.gas.fitting import LEAST, fit
from detectors.gas.model import Model
from monitor.chains.base import BlockData
from monitor.config import GasConfig
from monitor.config.layout import BlobRules
from monitor.gas.answers import Advised, Inclusion, Outlook, Question
from monitor.gas.live import Live
from tests.support.chain_of_fees import headers
from tests.support.daemon import Daemon

CHAIN = "eip155:1"
SEEN_AT = 1_700_000_000.0


def block(header: Header, branch: str = "a", **more: object) -> BlockData:
    """The block of a header; `branch` tells equal heights apart."""
    facts: dict[str, object] = {
        "position": Position(header.number, f"0x{branch}{header.number:x}", f"0x{branch}{header.number - 1:x}"),
        "timestamp": header.timestamp, "base_fee": header.base_fee, "gas_used": header.gas_used, "gas_limit": header.gas_limit,
        "transactions": (),
    }  # fmt: skip
    return BlockData(**(facts | more))  # type: ignore[arg-type]  # built from a table


def live(rules: GasConfig | None = None, *, chain: str = CHAIN, name: str = "ethereum") -> Live:
    """Nothing seen yet."""
    return Live(name, chain, rules or GasConfig(), 12.0)


@cache
def model() -> Model:
    """A linear model of the seeded chain."""
    features, vectors, x = Features(), [], []
    for header in headers(LEAST + 200):
        vectors.append(features.observe(header).astype(np.float32))
        x.append(features.x)
    return fit(np.stack(vectors), np.array(x), 18_000_000, 18_000_000 + LEAST + 199)


@cache
def fed(count: int = 600) -> Live:
    """After so many blocks, fitted, with blobs. Do not feed it further."""
    made = live(GasConfig(blobs=(BlobRules(start=0, target=3, most=6, fraction=3338477),)))
    for header in headers(count, seed=3):
        made.block(block(header, excess_blob_gas=0, blob_gas_used=0), SEEN_AT, model=model())
    return made


class Seer:
    """An oracle on a chain at rest; without one, `trouble` says why."""

    chain = CHAIN

    def __init__(self, seen: Live | None, name: str = "ethereum", *, degraded: str | None = None) -> None:
        self.seen, self.name, self.degraded = seen, name, degraded

    @property
    def outlook(self) -> Outlook | None:
        return None if self.seen is None else self.seen.outlook

    @property
    def trouble(self) -> str | None:
        return "no block yet" if self.seen is None else None

    def advise(self, question: Question) -> tuple[Advised, Inclusion | None]:
        if self.seen is None:
            raise LookupError(self.name)
        return self.seen.advise(question, self.degraded)


async def told(daemon: Daemon, query: str = "", *, after: int = -1, within: float = 30.0) -> dict[str, Any]:
    """What the daemon says of fees once it speaks of a block beyond `after`."""
    said: Any = None
    async with asyncio.timeout(within):
        while True:
            try:
                async with daemon.http.get(f"{daemon.read}/v1/gas/test{query}") as answer:
                    said = await answer.json(content_type=None)
                    if answer.status == 200 and said["block"]["number"] > after:
                        return dict(said)
            except OSError:
                pass
            await asyncio.sleep(0.05)
