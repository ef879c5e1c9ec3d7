"""The application: builds everything from a configuration, hands everyone what they need, runs it in one task group."""

# First, since it loads structlog without what only colours it.
import monitor.logs  # isort: skip  # noqa: F401 - for what it does

import asyncio
import signal
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from alerts.outbox import SqliteOutbox
from alerts.pager import Pager
from detectors import discover
from detectors.events import Tick
from monitor import canary, metrics, pulse, sentry, spans, zeros
from monitor.api.reload import Reloads
from monitor.api.replies import Replies
from monitor.api.server import Listener, admin_app, read_app
from monitor.api.tokens import Tokens, configured
from monitor.api.views import Sources
from monitor.assembly import (
    VERSION,
    build_channels,
    build_detectors,
    buildable,
    known_detectors,
    members_of,
    registry_of,
    trace,
    watched_of,
)
from monitor.breaker.desk import Desk
from monitor.breaker.flags import FlagBoard
from monitor.breaker.fold import Fold
from monitor.breaker.holds import internal
from monitor.breaker.orders import Orders
from monitor.census import Census, in_a_line
from monitor.chainlife import ChainLife
from monitor.chains.recorder import Recorder
from monitor.config import Config
from monitor.config.hidden import secrets_of
from monitor.exits import Exits, both, exits_of
from monitor.gas.desk import GasDesk
from monitor.gas.models import KIND, Newest
from monitor.journal.checkpoints import Checkpoints
from monitor.journal.snapshots import Snapshots
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from monitor.judging import Judging
from monitor.notices import Notices, Places, counted, kept_back
from monitor.opening import Opening, modes_of, signer_of
from monitor.pipeline import Pipeline
from monitor.screening import Screening
from monitor.service import Service
from monitor.supervise import keep
from monitor.windows import KIND as KIND_OF_WINDOW
from monitor.windows import Windows

log = structlog.get_logger()

TICK = 0.25
"""Seconds between ticks: the breaker's clock, the pipeline's heartbeat, the look at what is stale."""


class Seawall:
    """One daemon. `await run()` until `stop` is set; flags are served, from the journal, before any node is dialled.

    `tape` records what the pipeline sees; without `listening` nothing is served, as when only a tape is wanted.
    """

    def __init__(self, config: Config, *, tape: Recorder | None = None, listening: bool = True) -> None:
        self.config = config
        self.tape = tape
        self.listening = listening
        self.stop = asyncio.Event()
        self.tokens = Tokens(configured(config))
        self.reloads = Reloads(config, self.tokens, buildable)
        self.started = time.time()
        self.registry = registry_of(config)
        self.chains = {name: chain.id for name, chain in config.chains.items()}
        self.life: dict[str, ChainLife] = {}
        self.gas: dict[str, GasDesk] = {}
        self.exits: dict[str, Exits] = {}
        self.service = Service()

    async def run(self) -> None:
        """Run until stopped. Raises ConfigError, JournalError or SeawallError when it cannot start."""
        async with Opening(self.config, listening=self.listening) as opened:
            await self.take_over(opened)

    async def take_over(self, opened: Opening) -> None:
        """Run until stopped, from what was opened with this configuration. Raises as `run` does."""
        config, folder, board, journal = self.config, Path(self.config.journal.path).parent, opened.board, opened.journal
        self._announce(opened)
        known = known_detectors()
        build_detectors(config, self.registry, known)  # a wrong argument is told before any chain is followed
        receivers = build_channels(config)
        async with AsyncJournal(journal) as keeper:
            fold = Fold(modes_of(config))
            vital = [name for name, one in config.integrations.items() if one.critical]
            pager = Pager(
                receivers, SqliteOutbox(folder / "outbox.db"), counted,
                routing=config.alerts.routing, vital=vital, calm=config.alerts.calm, repeat=config.alerts.repeat,
                blind=lambda name: bool(board.blindness(name)), on_kept_back=kept_back,
            )  # fmt: skip
            read_url = [""]
            chain_of = {name: self.chains[one.chain] for name, one in config.integrations.items()}
            contracts = {name: [c.address for c in one.contracts] for name, one in config.integrations.items()}
            windows = Windows(contracts, chain_of, lambda: desk.made)
            places = Places(runbooks=config.alerts.runbooks, dashboards=config.alerts.dashboards)
            notices = Notices(pager, board, chain_of, lambda: read_url[0], places)
            desk = Desk(fold, board, keeper, notices.told)
            models = Newest()
            desk.reserve = opened.reserve
            await notices.resume(str(keeper.epoch), lambda: fold.head)
            desk.restore(windows.passing(models.passing(journal.read(1))))
            notices.resumed()
            windows.recall(desk.timings)
            notices.reconcile(windows, lambda window: desk.note(KIND_OF_WINDOW, window, time.time(), "reconciliation"))
            pipeline = Pipeline(dict.fromkeys(self.chains.values(), ()), watched_of(config), fold)
            judging = Judging(pipeline, desk, self.tape)
            snapshots = Snapshots(folder / "snapshots")
            for name in config.chains:
                self.life[name] = ChainLife(
                    name, config, judging, board, snapshots,
                    lambda: build_detectors(config, self.registry, known), self.registry, schema=f"{VERSION}/{config.hash}",
                )  # fmt: skip
                self.life[name].ledger = windows.ledger(config.chains[name].id)
            self._open_gas_desks(desk, notices, models, Snapshots(folder / "gas"))
            for name, life in self.life.items():
                self.exits[name] = exits_of(config, name, life.nodes.requests, self.gas)
                life.overheard = both(life.overheard, self.exits[name].saw)
            face = self._read_app(opened, desk, windows, pager)
            read = Listener("read", face, str(config.api.read), threshold=opened.read)
            orders = Orders(desk, members_of(config))
            heard = Replies(pager, orders, notices.acknowledged)
            orders_app = admin_app(orders, self.tokens, reloads=self.reloads, journal=journal, heard=heard, face=face)
            admin = Listener("admin", orders_app, str(config.api.admin), threshold=opened.admin)
            board.beat()
            if self.listening:
                await read.start()
                read_url[0] = read.url
                await admin.start()
            try:
                await self._live(judging, desk, notices, self._checkpoints(journal))
            finally:
                await self._end(pager, read, admin)

    def _checkpoints(self, journal: SqliteJournal) -> Checkpoints:
        """The newest hash goes out now and then, signed where a key is configured."""
        signer = signer_of(self.config)
        return Checkpoints(
            journal, lambda document: document if signer is None else signer.document(document),
            lambda line: log.info("journal.checkpoint", checkpoint=line.decode()),
        )  # fmt: skip

    def _open_gas_desks(self, desk: Desk, notices: Notices, models: Newest, snapshots: Snapshots) -> None:
        """A forecaster beside every chain that wants one; it hears of blocks, and nobody here asks it anything."""
        for name, chain in self.config.chains.items():
            if chain.gas.enabled:
                life = self.life[name]
                gas = self.gas[name] = GasDesk(
                    name, chain, life.nodes.requests, snapshots, schema=f"{VERSION}/gas/3",
                    keep=lambda model: desk.note(KIND, model, time.time(), "gas"), told=notices.fees,
                )  # fmt: skip
                gas.model = models.models.get(chain.id)
                life.overheard = gas.saw

    async def _live(self, judging: Judging, desk: Desk, notices: Notices, checkpoints: Checkpoints) -> None:
        canaries = canary.all_of(self.config, self.life, judging)
        screening = Screening.of(self.config)
        await screening.look()
        for life in self.life.values():
            life.greeting = screening.greet
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(keep("ticks", lambda: self._ticks(judging, desk, notices))),
                tasks.create_task(keep("notices", notices.run)),
                tasks.create_task(keep("pulse", pulse.run)),
                tasks.create_task(keep("service", partial(self._serve, desk.board))),
                tasks.create_task(keep("checkpoints", checkpoints.run)),
                tasks.create_task(keep("reloads", self.reloads.run)),
                tasks.create_task(keep("sanctions", lambda: screening.run(judging.take))),
                *(tasks.create_task(keep(f"chain/{name}", life.run, life.failed)) for name, life in self.life.items()),
                *(tasks.create_task(keep(f"exits/{name}", one.run, one.failed)) for name, one in self.exits.items()),
                *(tasks.create_task(keep(f"canary/{name}", one.run)) for name, one in canaries.items()),
                *(tasks.create_task(keep(f"gas/{name}", gas.run, gas.failed)) for name, gas in self.gas.items()),
            ]
            if (wanted := self.config.sentry) is not None and (slug := wanted.monitor) is not None:
                well = partial(self._well, desk)
                running.append(tasks.create_task(keep("checkins", partial(sentry.check_in, slug, sentry.CHECK_IN_EVERY, well))))
            await self.stop.wait()
            log.info("stopping")
            self.service.tell("STOPPING=1")
            await asyncio.gather(*(life.leave() for life in self.life.values()))
            for task in running:
                task.cancel()

    async def _ticks(self, judging: Judging, desk: Desk, notices: Notices) -> None:
        """The clock. Says itself how late it is."""
        loop = asyncio.get_running_loop()
        due = loop.time() + TICK
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            metrics.LOOP_LAG.set(max(0.0, loop.time() - due))
            due = loop.time() + TICK
            now = time.time()
            judging.desk.board.beat()
            await judging.take(Tick(chain=Tick.EVERYWHERE, at=now))
            if desk.owed:
                await desk.pay()
            notices.look(now)
            self._measure(desk)

    def _measure(self, desk: Desk) -> None:
        """Flags and breakers as gauges."""
        for flag in desk.board.read().values():
            metrics.PAUSED.labels(flag.integration).set(flag.paused)
            metrics.RISK.labels(flag.integration).set(flag.risk)
            for state in ("run", "pause", "unknown"):
                metrics.FLAG_STATE.labels(flag.integration, state).set(flag.state == state)
        metrics.READY.set(bool(self._ready()["ok"]))

    def _announce(self, opened: Opening) -> None:
        config = self.config
        metrics.BUILD.labels(VERSION).set(1)
        metrics.CONFIG_HASH.labels(config.hash).set(1)
        zeros.begin(config, discover())
        trace(config)
        if config.sentry is not None:
            sentry.start(config.sentry.dsn.reveal(), config.sentry.environment, f"seawall@{VERSION}", secrets_of(config))
        log.info(
            "starting", version=VERSION, config=config.source, integrations=len(config.integrations), chains=list(self.chains)
        )
        if opened.reserve is None:
            log.error("reserve.missing", error=opened.trouble)

    def _read_app(self, opened: Opening, desk: Desk, windows: Windows, pager: Pager) -> Any:  # noqa: ANN401 - aiohttp's application
        sources = Sources(
            breakers=lambda: {name: one for name, one in desk.fold.breakers.items() if not internal(name)},
            made=lambda: desk.made,
            chains=lambda: {name: life.facts() for name, life in self.life.items()},
            contracts={name: tuple(c.address for c in one.contracts) for name, one in self.config.integrations.items()},
            window=windows.of,
            timing=desk.timings.of,
            taken_up=desk.timings.taken_up,
            exit=lambda name: next((one.known[name] for one in self.exits.values() if name in one.known), None),
            sightings=lambda: desk.fold.sightings,
            would=lambda: desk.would,
        )
        return read_app(
            opened.board, healthy=lambda: self._healthy(opened.board, desk), ready=self._ready, sources=sources, gas=self.gas,
            documents=opened.documents, lease=self.config.api.lease, status=self._census(desk, pager).taken,
        )  # fmt: skip

    def _census(self, desk: Desk, pager: Pager) -> Census:
        return Census(
            version=VERSION, config=self.config.hash, started_at=self.started, desk=desk, pager=pager,
            journal=Path(self.config.journal.path), gas=self.gas, detectors=sorted(discover()),
            chains=lambda: {name: (self.chains[name], life.facts()) for name, life in self.life.items()},
            ready=lambda: bool(self._ready()["ok"]), moving=lambda: self._moving(desk.board),
        )  # fmt: skip

    @staticmethod
    def _moving(board: FlagBoard) -> bool:
        return time.monotonic() - board.beat_at < FlagBoard.PIPELINE_BOUND

    def _healthy(self, board: FlagBoard, desk: Desk) -> Mapping[str, object]:
        moving = self._moving(board)
        return {
            "ok": moving, "version": VERSION, "uptime_seconds": round(time.time() - self.started, 1), "pipeline": moving,
            "journal": desk.trouble or "ok", "chains": {name: life.facts() for name, life in self.life.items()},
        }  # fmt: skip

    async def _serve(self, board: FlagBoard) -> None:
        """Signs of life to whoever started us as a service."""
        await self.service.run(
            lambda: bool(self._ready()["ok"]), lambda: self._moving(board), lambda: in_a_line(board.read().values())
        )

    def _well(self, desk: Desk) -> bool:
        return bool(self._healthy(desk.board, desk)["ok"])

    def _ready(self) -> Mapping[str, object]:
        """Ready once every chain was read once, or found out of reach: blind is not unready."""
        waiting = [name for name, life in self.life.items() if not life.tried]
        return {"ok": not waiting, "waiting_for": waiting}

    async def _end(self, pager: Pager, read: Listener, admin: Listener) -> None:
        await admin.stop()
        await read.stop()
        await pager.close()
        if self.config.sentry is not None:
            await asyncio.to_thread(sentry.stop)
        if spans.way is not None:
            await asyncio.to_thread(spans.stop)


def listen_to_signals(seawall: Seawall) -> None:
    """SIGTERM and SIGINT end it in order; SIGHUP has its configuration read again."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, seawall.stop.set)
    loop.add_signal_handler(signal.SIGHUP, seawall.reloads.wanted.set)
