"""The daemon's own watch of a scenario's chain: the same feeds, executions, detectors and policy, with a witness beside them."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from detectors.base import Finding
from detectors.events import Event, Stage, Unjudged
from detectors.execution import Execution
from monitor.assembly import build_detectors, registry_of, watched_of
from monitor.breaker.desk import Desk, Made
from monitor.breaker.flags import FlagBoard
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode
from monitor.chainlife import ChainLife
from monitor.config import Config
from monitor.config.load import parse
from monitor.journal.snapshots import Snapshots
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from monitor.judging import Judging
from monitor.opening import specs_of
from monitor.pipeline import Judged, Pipeline
from tests.scenarios.scenario import Staged

CHAIN = "eip155:31337"
WITHIN = 60.0
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - hundreds of journals nobody reads twice: spare the disk


class Said(msgspec.Struct):
    """What came of one transaction at one stage, or of a block's end (`tx` empty): `at` our clock, `pause` if it was decided."""

    tx: str
    stage: Stage
    who: tuple[str | None, str | None, str]
    findings: list[Finding]
    unjudged: str = ""
    at: float = 0.0
    seen: float = 0.0
    pause: bool = False
    frames: int = 0
    waits: bool = False
    """A second look was asked for."""
    second: bool = False
    """This is one: it says again, better, what whoever asked for it had said."""
    asking: frozenset[str] = frozenset()


class Witness(Judging):
    """Judging, and a record of all it was shown and said."""

    said: list[Said]

    def __init__(self, pipeline: Pipeline, desk: Desk) -> None:
        super().__init__(pipeline, desk)
        self.said = []
        self.changed = asyncio.Event()
        self._who: dict[str, tuple[str | None, str | None, str]] = {}

    async def take(self, event: Event) -> tuple[Judged, list[Made]]:
        """Judge, and remember."""
        judged, made = await super().take(event)
        pause = any(one.decision.pauses for one in made)
        if isinstance(event, Execution):
            root = event.frames[0]
            self._who[event.tx] = (root.sender, root.to, (root.input or "0x")[:74])
            waits = bool(judged.wants) and not judged.trips
            self._note(event.tx, event.stage, judged, event.at, pause, len(event.frames), waits=waits, second=event.supersedes)
        elif isinstance(event, Unjudged):
            self._note(event.id, event.stage, judged, event.at, pause, unjudged=event.reason)
        elif judged.findings or judged.failed:
            self._note("", Stage.INCLUDED, judged, event.at, pause)
        self.changed.set()
        assert not judged.failed, judged.failed
        return judged, made

    def _note(
        self, tx: str, stage: Stage, judged: Judged, seen: float, pause: bool, frames: int = 0,  # noqa: FBT001 - a record's fields
        *, unjudged: str = "", waits: bool = False, second: bool = False,
    ) -> None:  # fmt: skip
        who = self._who.get(tx, (None, None, ""))
        asking = frozenset(judged.asking)
        self.said.append(Said(tx, stage, who, judged.findings, unjudged, time.time(), seen, pause, frames, waits, second, asking))

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until something holds. Raises AssertionError with what was waited for."""
        try:
            async with asyncio.timeout(WITHIN):
                while not true():
                    self.changed.clear()
                    try:
                        async with asyncio.timeout(0.02):
                            await self.changed.wait()
                    except TimeoutError:
                        continue
        except TimeoutError:
            raise AssertionError(f"waited in vain for {what}") from None

    async def pending(self, tx: str) -> None:
        """Wait until a pending transaction was judged, its second look included."""

        def judged() -> bool:
            about = [said for said in self.said if said.tx == tx and said.stage is Stage.PENDING]
            return bool(about) and (not about[0].waits or len(about) > 1)

        await self.until(judged, f"the pending verdict on {tx}")


class Lookout:
    """A watch at work. `blind`: the node cannot trace at all."""

    def __init__(self, life: ChainLife, witness: Witness, task: "asyncio.Task[None]") -> None:
        self.life = life
        self.witness = witness
        self._task = task

    @property
    def blind(self) -> bool:
        """Nothing can be judged: the flags say unknown."""
        return self.life.watch is not None and not self.life.watch.judges

    async def at(self, block: str) -> None:
        """Wait until this block was judged to its end."""

        def there() -> bool:
            if self._task.done():
                self._task.result()
            head = self.life.watch.head if self.life.watch is not None else None
            return head is not None and head.id == block

        await self.witness.until(there, f"block {block}")

    async def listening(self) -> None:
        """Wait until it hears of pending transactions: what was announced before belongs to nobody's measure."""

        def there() -> bool:
            return self.life.watch is not None and self.life.watch.feeds.pending._queue is not None

        await self.witness.until(there, "the pending feed")


def configured(staged: Staged, ws: str, folder: Path) -> Config:
    """The scenario's `seawall.yaml`."""
    contracts = [
        {
            "address": c.address,
            "kind": c.kind,
            "role": c.role,
            "assets": [a for a in c.assets if a != "native"],
            "asks": staged.asks.get(c.address, {}),
        }
        for c in staged.watch
    ]
    chain = {"id": CHAIN, "nodes": [{"name": "anvil", "ws": ws}], "block_time": "12s", "blind_after": "60s"}
    document = {
        "version": 1,
        "chains": {"corpus": chain},
        "integrations": {"corpus": {"chain": "corpus", "contracts": contracts, "mode": "enforce"}},
        "trusted": {"corpus": sorted(staged.trusted)},
        "prices": {"corpus": [{"token": t, "pool": p, "quote": q} for t, p, q in staged.prices]},
        "policies": {"default": {"max_paused_share": 1.0}},
        "detectors": staged.detectors,
        "journal": {"path": str(folder / "journal.db")},
    }
    return parse(msgspec.json.encode(document).decode(), str(folder / "seawall.yaml"), {})


@asynccontextmanager
async def lookout(staged: Staged, ws: str) -> AsyncIterator[Lookout]:
    """The chain watched from its newest block on, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="seawall-corpus-", dir=MEMORY) as name:
        folder = Path(name)
        config = configured(staged, ws, folder)
        registry = registry_of(config)
        async with AsyncJournal(SqliteJournal.open(config.journal.path)) as journal:
            fold = Fold({"corpus": Mode.ENFORCE})
            board = FlagBoard(specs_of(config), epoch=journal.epoch)
            witness = Witness(Pipeline({CHAIN: ()}, watched_of(config), fold), Desk(fold, board, journal, lambda _: None))
            life = ChainLife(
                "corpus", config, witness, board, Snapshots(folder / "snapshots"),
                lambda: build_detectors(config, registry), registry, schema="corpus",
            )  # fmt: skip
            board.beat()
            task = asyncio.create_task(life.run(), name="lookout")
            try:
                yield Lookout(life, witness, task)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
