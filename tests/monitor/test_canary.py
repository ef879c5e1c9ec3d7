"""Proof of life: through the whole way and back down, hidden from everybody, and never an outage of its own."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from detectors import discover
from detectors.base import Detector, Watch
from detectors.events import Block, Committed, Event, Stage
from detectors.execution import Execution
from monitor.breaker.desk import Desk, Made
from monitor.breaker.flags import FlagBoard, Shown, Spec
from monitor.breaker.fold import Fold
from monitor.breaker.holds import Mode, proof_of_life
from monitor.breaker.machine import Retraction
from monitor.breaker.policy import Rules
from monitor.canary import MOST_HOLDS, Canary, watched_of
from monitor.demo.anvil import Anvil
from monitor.effigy import BANK as EFFIGY
from monitor.effigy import burn
from monitor.journal.reserve import Reserve
from monitor.journal.sqlite import SqliteJournal
from monitor.journal.thread import AsyncJournal
from monitor.judging import Judging
from monitor.opening import proof_spec
from monitor.pipeline import Judged, Pipeline, Watched
from tests.support.daemon import TOKEN, Daemon, settings
from tests.support.findings import BANK, CHAIN, finding, position
from tests.support.receivers import until

REGISTRY = {CHAIN: Watch(watched=frozenset({BANK, EFFIGY}))}


class About(msgspec.Struct):
    """What a chain's life says of itself."""

    judged: bool = True
    suspicion: str = ""


class Broken(Detector):
    """Fails on every execution."""

    name: ClassVar[str] = "broken"
    summary: ClassVar[str] = "Fails."
    wants: ClassVar[tuple[type[Event], ...]] = (Execution,)
    kinds: ClassVar[dict[str, str]] = {}

    def observe(self, _: Event) -> Iterable[object]:  # type: ignore[override]
        raise RuntimeError("broken")


class Life(msgspec.Struct):
    """A daemon's middle: everything between the feeds and the doors."""

    judging: Judging
    board: FlagBoard
    desk: Desk
    told: list[Made | Retraction]
    journal: AsyncJournal

    def canary(self, about: About | None = None, *, failures: int = 3) -> Canary:
        """The canary of the chain."""
        return Canary(CHAIN, about or About(), self.judging, self.board, every=0.01, failures=failures)

    async def block(self, height: int) -> None:
        """A block is judged."""
        now = time.time()
        await self.judging.take(Block(chain=CHAIN, at=now, position=position(height), timestamp=now))
        await self.judging.take(Committed(chain=CHAIN, at=now, first=position(height), last=position(height), finalized=height))
        self.board.beat()
        self.board.saw_head(CHAIN, position(height), now)

    @property
    def state(self) -> Shown:
        """What readers are told."""
        self.board.beat()
        return self.board.read()["bank"].state


@asynccontextmanager
async def living(folder: Path, detectors: Iterable[Detector] | None = None, integrations: int = 1) -> AsyncIterator[Life]:
    """A life with the real detectors, or with these."""
    async with AsyncJournal(SqliteJournal.open(folder / "journal.db")) as journal:
        names = ["bank", *(f"bank{number}" for number in range(1, integrations))]
        fold = Fold(dict.fromkeys(names, Mode.ENFORCE))
        specs = [Spec(integration=name, chain=CHAIN, blind_after=60.0) for name in names]
        board = FlagBoard([*specs, proof_spec(CHAIN)], epoch=journal.epoch)
        told: list[Made | Retraction] = []
        desk = Desk(fold, board, journal, told.append)
        desk.restore(journal.journal.read(1))
        watched = [Watched(integration=name, chain=CHAIN, contracts=(BANK,), rules=Rules()) for name in names]
        mine = [kind(REGISTRY) for kind in discover().values()] if detectors is None else list(detectors)  # type: ignore[call-arg]
        pipeline = Pipeline({CHAIN: mine}, [*watched, watched_of(CHAIN)], fold)
        life = Life(Judging(pipeline, desk), board, desk, told, journal)
        await life.block(10)
        yield life


@pytest.fixture
async def life(tmp_path: Path) -> AsyncIterator[Life]:
    async with living(tmp_path) as made:
        yield made


async def test_it_comes_back_and_the_next_blocks_let_go_of_it(life: Life) -> None:
    canary = life.canary()
    await canary.round()
    assert (canary.lost, life.board.internal(proof_of_life(CHAIN)).state) == (0, Shown.PAUSE)
    for height in (11, 12, 13):
        await life.block(height)
    assert life.desk.fold.breaker(proof_of_life(CHAIN)).holds == {}
    assert life.board.internal(proof_of_life(CHAIN)).state is Shown.RUN


async def test_nobody_sees_one_at_any_door_in_any_alert_or_in_any_incident(life: Life) -> None:
    before, version = life.board.read()["bank"], life.board.version
    await life.canary().round()
    assert set(life.board.read()) == set(life.board.specs) == {"bank"}
    assert (life.board.version, life.board.read()["bank"].content) == (version, before.content)
    assert (life.told, list(life.desk.made), life.desk.fold.sightings) == ([], [], {})


async def test_a_life_later_nothing_of_it_is_left_and_the_journal_still_folds(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        await life.canary().round()
        head = life.desk.fold.head
    async with living(tmp_path) as life:
        assert life.desk.fold.head >= head
        assert proof_of_life(CHAIN) not in life.desk.fold.breakers
        assert life.told == []
        await life.canary().round()
        assert life.canary().lost == 0


async def test_lost_without_any_other_evidence_it_changes_no_flag(tmp_path: Path) -> None:
    async with living(tmp_path, detectors=()) as life:
        canary = life.canary()
        for _ in range(5):
            await canary.round()
        assert (canary.lost, canary.why) == (5, "no detector found it")
        assert life.state is Shown.RUN, "a proof of life must not become an outage of its own"


async def test_lost_with_evidence_the_flags_turn_unknown_and_come_back_when_the_evidence_is_gone(tmp_path: Path) -> None:
    async with living(tmp_path, detectors=()) as life:
        about = About(suspicion="no block has been judged for long though the node has 99")
        canary = life.canary(about)
        for _ in range(2):
            await canary.round()
        assert life.state is Shown.RUN, "two are not enough"
        await canary.round()
        flag = life.board.read()["bank"]
        assert (flag.state, flag.paused) == (Shown.UNKNOWN, True)
        assert "3 proofs of life were lost (no detector found it)" in flag.reason
        assert "the node has 99" in flag.reason
        about.suspicion = ""
        canary.doubt()
        assert life.state is Shown.RUN


async def test_the_first_that_returns_ends_the_doubt_whatever_the_evidence_says(tmp_path: Path) -> None:
    async with living(tmp_path, detectors=()) as life:
        canary = life.canary(About(suspicion="the chain's watch failed and is begun again"))
        for _ in range(3):
            await canary.round()
        assert life.state is Shown.UNKNOWN
        life.judging.pipeline.restore(CHAIN, {kind.name: kind(REGISTRY) for kind in discover().values()})  # type: ignore[call-arg]
        await canary.round()
        assert (life.state, canary.lost) == (Shown.RUN, 0)


async def test_a_detector_left_out_for_failing_is_evidence(tmp_path: Path) -> None:
    async with living(tmp_path, detectors=[Broken()]) as life:
        canary = life.canary()
        for _ in range(3):
            await canary.round()
        assert life.state is Shown.UNKNOWN
        assert "broken keeps failing and is left out" in life.board.read()["bank"].reason


async def test_a_journal_that_refuses_is_evidence_and_canaries_fill_no_reserve(tmp_path: Path) -> None:
    async with living(tmp_path) as life:
        life.desk.reserve = Reserve.open(tmp_path / "journal.db")
        await life.journal.__aexit__()
        canary = life.canary()
        for _ in range(3):
            await canary.round()
        assert "the journal refused it" in canary.why
        assert life.state is Shown.UNKNOWN
        assert (life.desk.owed, life.desk.reserve.kept) == ([], [])
        life.board.pause_now("bank", "an attack")
        assert str(life.state) == "pause", "a pause is never hidden by a doubt"


async def test_holds_that_no_block_releases_do_not_pile_up(life: Life) -> None:
    canary = life.canary()
    for _ in range(MOST_HOLDS + 3):
        await canary.round()
    assert len(life.desk.fold.breaker(proof_of_life(CHAIN)).holds) == MOST_HOLDS
    assert "not released" in canary.why
    for height in (11, 12, 13):
        await life.block(height)
    await canary.round()
    assert canary.lost == 0


async def test_it_takes_no_room_from_those_that_may_be_paused(tmp_path: Path) -> None:
    async with living(tmp_path, integrations=4) as life:
        attack = burn(CHAIN, time.time())
        feared = Judged(findings=[finding(stage=Stage.PENDING)])

        def pausing() -> int:
            return sum(not decision.page for decision in life.judging.pipeline.propose(attack, feared).decisions)

        before = pausing()
        await life.canary().round()
        assert life.desk.fold.breaker(proof_of_life(CHAIN)).paused
        assert pausing() == before == 2, "half of the four, with and without it"


async def test_while_no_block_was_ever_judged_there_is_no_life_to_prove(life: Life) -> None:
    about = About(judged=False)
    canary = life.canary(about)
    running = asyncio.create_task(canary.run())
    try:
        await asyncio.sleep(0.1)
        assert proof_of_life(CHAIN) not in life.desk.fold.breakers
        about.judged = True
        await until(lambda: proof_of_life(CHAIN) in life.desk.fold.breakers)
    finally:
        running.cancel()


async def test_in_a_daemon_it_lives_beside_the_flags_is_on_no_page_and_a_tape_of_it_replays(tmp_path: Path) -> None:
    async with await Anvil.start("--block-time", "1") as node:
        config = settings(tmp_path, node.ws) | {"canary": {"every": "500ms"}}
        async with Daemon(tmp_path, config, "--tape", str(tmp_path / "day.tape")) as daemon:
            await daemon.until("run")
            back = f'seawall_canary_seconds_count{{chain="{CHAIN}"}}'

            async def three() -> bool:
                return await value(daemon, back) >= 3

            await until(three)
            assert await value(daemon, f'seawall_canary_lost_total{{chain="{CHAIN}"}}') == 0
            for path in ("/v1/flags", "/v1/integrations", "/v1/incidents", "/flagd/flags.json", "/board", "/"):
                async with daemon.http.get(daemon.read + path) as answer:
                    shown = await answer.text()
                    assert answer.status == 200
                assert not [word for word in ("canary", EFFIGY, "proof of life") if word in shown.lower()], path
            for path in (f"/v1/flags/{proof_of_life(CHAIN)}", f"/v1/integrations/{proof_of_life(CHAIN)}"):
                async with daemon.http.get(daemon.read + path) as answer:
                    assert answer.status == 404
            assert (await daemon.flag() or {})["state"] == "run"
            assert await daemon.stop() == 0
    options = ("replay", str(tmp_path / "day.tape"), "-c", str(tmp_path / "seawall.yaml"), "--json")
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", *options, stdout=asyncio.subprocess.PIPE, env={**os.environ, "TOKEN": TOKEN}
    )
    told, _ = await done.communicate()
    tally = json.loads(told.splitlines()[-1])
    assert (done.returncode, tally["differing"], tally["recorded"] >= 3) == (0, 0, True)


async def value(daemon: Daemon, series: str) -> float:
    """A metric of the daemon's; 0 while it is not there."""
    async with daemon.http.get(f"{daemon.read}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(series)), 0.0)
