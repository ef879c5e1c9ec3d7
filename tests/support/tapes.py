"""A staged incident on tape: a real node, the real daemon recording, a re-entrancy attack from the pool to its block."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from monitor.chains.recorder import FLUSH_EVERY
from monitor.chains.tape import Tape
from monitor.config import Config, load
from monitor.demo.attacks import launch
from monitor.demo.scenery import REENTRANCY
from monitor.replay import Line, Replay, Tally
from tests.support.daemon import TOKEN, Daemon, settings
from tests.support.parts import ROOT
from tests.support.show import scene

ENV = {"TOKEN": TOKEN}
KEPT = ROOT / "tests" / "tapes" / "reentrancy"
"""The tape that is kept, its configuration and its digest, each with its suffix."""


class Incident(NamedTuple):
    """What the show left behind: tape, configuration and journal in a folder; the attack."""

    folder: Path
    tx: str

    @property
    def tape(self) -> Path:
        return self.folder / "show.tape.gz"

    @property
    def second(self) -> Path:
        """The tape of a second life, which was killed."""
        return self.folder / "show-2.tape.gz"

    @property
    def settings(self) -> Path:
        return self.folder / "seawall.yaml"

    @property
    def config(self) -> Config:
        return load(self.settings, ENV)


class Played(NamedTuple):
    """What a replay gave."""

    lines: list[Line]
    tally: Tally
    ended: str

    @property
    def decisions(self) -> list[bytes]:
        return [line.body for line in self.lines if line.kind == "decision"]


async def staged(folder: Path) -> Incident:
    """Attack, pause, mine, a person's pause and resume, blocks in between, all recorded; then a life that is killed."""
    async with scene(1, kinds=(REENTRANCY,), private=False) as show:
        await show.by_hand()
        (attack,) = show.stage.attacks
        config = settings(folder, show.anvil.ws, watch=attack.victim, blind_after="30s")
        config["chains"]["test"]["snapshot_every"] = 3
        options = ("--tape", str(folder / "show.tape.gz"))
        async with Daemon(folder, config, *options) as daemon:
            await show.mine()
            await daemon.until("run")
            tx = await launch(attack, show.wallet)
            await daemon.until("pause", recorded=True)
            await show.mine()
            await daemon.until_held("included")
            assert (await daemon.order("pause"))["status"] == 200
            for _ in range(4):
                await show.mine()
                await asyncio.sleep(0.3)
            flag = await daemon.flag()
            assert flag is not None
            assert (await daemon.order("resume", **{"If-Match": f'"{flag["revision"]}"'}))["status"] == 200
            await show.mine()
            await daemon.until("run")
            assert await daemon.stop() == 0
        async with Daemon(folder, config, *options) as daemon:
            await daemon.until("run")
            await show.mine()
            await asyncio.sleep(FLUSH_EVERY + 0.5)
            await daemon.kill()
    return Incident(folder, tx)


def played(tape: Path, config: Config) -> Played:
    """Replay a tape to its end."""
    replay = Replay(config)
    with Tape(tape) as opened:
        lines = [line for entry in opened for line in replay.take(entry)]
        if not opened.ended:
            lines += replay.finish()
    return Played(lines, replay.tally, opened.ended)


def keep() -> None:
    """Stage it once more and keep tape, configuration and digest: `python -m tests.support.tapes`, for when detectors changed."""
    with tempfile.TemporaryDirectory() as folder:
        incident = asyncio.run(staged(Path(folder)))
        shutil.copy(incident.tape, KEPT.with_suffix(".tape.gz"))
        shutil.copy(incident.settings, KEPT.with_suffix(".yaml"))
        KEPT.with_suffix(".sha256").write_text(played(incident.tape, incident.config).tally.digest + "\n")


if __name__ == "__main__":
    keep()
