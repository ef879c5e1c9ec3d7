"""A staged incident on tape: a real node, the real daemon recording, a re-entrancy attack from the pool to its block."""

import asyncio
import base64
import os
import shutil
import signal
import sys
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

ENV = {
    "TOKEN": TOKEN,
    "SEAWALL_DEMO_TOKEN": TOKEN + "-long-enough",
    "SEAWALL_DEMO_PAGER": "whsec_" + base64.b64encode(bytes(32)).decode(),
}
"""What the configurations of the tapes refer to."""

KEPT = ROOT / "tests" / "tapes"
"""Tapes that are kept, each with its configuration and the digest of its replay."""


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
        config["canary"] = {"enabled": False}  # proofs of life have tapes of their own in tests/monitor/test_canary.py
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
            await show.mine()
            await daemon.until("run")
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


async def shown(folder: Path) -> None:
    """The whole show recorded beside its daemon: `seawall demo --once`, and `seawall record` with the show's configuration."""
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    env = {**os.environ, **ENV, "TMPDIR": str(folder)}
    command = (sys.executable, "-m", "monitor")
    show = await asyncio.create_subprocess_exec(
        *command, "demo", "--once", "--json", cwd=ROOT, env=env, stdout=pipe, stderr=nothing
    )
    assert show.stdout is not None
    await asyncio.wait_for(show.stdout.readline(), 60)
    (stage,) = [entry.path for entry in os.scandir(folder) if entry.name.startswith("seawall-demo-")]
    shutil.copy(f"{stage}/seawall.yaml", folder)
    record = (*command, "record", "-c", str(folder / "seawall.yaml"), "-o", str(folder / "show.tape.gz"))
    recording = await asyncio.create_subprocess_exec(*record, cwd=ROOT, env=env, stdout=nothing, stderr=nothing)
    await asyncio.wait_for(show.stdout.readline(), 120)
    recording.send_signal(signal.SIGINT)
    assert [await asyncio.wait_for(process.wait(), 20) for process in (recording, show)] == [0, 0]


def keep() -> None:
    """Stage everything once more and keep it: `python -m tests.support.tapes`, for when the judgement was meant to change."""
    for name, make in (("reentrancy", staged), ("show", shown)):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(make(Path(folder)))
            for kept, made in ((".tape.gz", "show.tape.gz"), (".yaml", "seawall.yaml")):
                shutil.copyfile(Path(folder) / made, KEPT / (name + kept))
        again = played(KEPT / f"{name}.tape.gz", load(KEPT / f"{name}.yaml", ENV))
        (KEPT / f"{name}.sha256").write_text(again.tally.digest + "\n")


if __name__ == "__main__":
    keep()
