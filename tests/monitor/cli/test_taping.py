"""`seawall record` and `replay` as a person runs them: a real node, processes, exit codes."""

import asyncio
import json
import os
import signal
from pathlib import Path

import yaml

from monitor.demo.anvil import Anvil
from tests.monitor.cli.conftest import ended, running
from tests.support.daemon import TOKEN, settings


async def test_record_watches_for_a_while_beside_whatever_runs_and_replays(tmp_path: Path) -> None:
    tape, file = tmp_path / "a.tape.gz", tmp_path / "seawall.yaml"
    async with await Anvil.start("--block-time", "1") as node:
        config = settings(tmp_path, node.ws)
        config["canary"] = {"enabled": False}  # a proof of life would be on the tape too
        file.write_text(yaml.safe_dump(config))
        host, _, port = config["api"]["read"].partition(":")
        # The port of the configuration is somebody else's: recording beside a daemon must not want it.
        server = await asyncio.start_server(lambda _, writer: writer.close(), host, int(port))
        async with server:
            told = await ended("record", "-c", str(file), "-o", str(tape), "--seconds", "3", "--json", TOKEN=TOKEN)
    assert told.code == 0, told.err
    assert (told.json["tape"], told.json["trouble"], told.json["lost"]) == (str(tape), "", 0)
    assert "journal.db" not in {entry.name for entry in os.scandir(tmp_path)}, "the daemon's own journal is left alone"
    again = await ended("replay", str(tape), "-c", str(file), "--json", TOKEN=TOKEN)
    assert again.code == 0, again.err
    assert (again.json["events"], again.json["identical"], again.json["decisions"]) == (told.json["events"], True, 0)


async def test_an_interrupted_recording_is_whole(tmp_path: Path) -> None:
    tape, file = tmp_path / "a.tape.gz", tmp_path / "seawall.yaml"
    async with await Anvil.start("--block-time", "1") as node:
        file.write_text(yaml.safe_dump(settings(tmp_path, node.ws)))
        async with running("record", "-c", str(file), "-o", str(tape), "--json", TOKEN=TOKEN) as recording:
            assert recording.stderr is not None
            async with asyncio.timeout(30):
                while b'"starting"' not in await recording.stderr.readline():
                    pass
            recording.send_signal(signal.SIGINT)
            out, _ = await asyncio.wait_for(recording.communicate(), 20)
    assert recording.returncode == 0
    assert json.loads(out)["lost"] == 0
    assert "identical" in (await ended("replay", str(tape), "-c", str(file), TOKEN=TOKEN)).out


async def test_a_foreign_file_is_one_line_and_exit_1(tmp_path: Path) -> None:
    tape, file = tmp_path / "a.tape.gz", tmp_path / "seawall.yaml"
    tape.write_bytes(b"\x1b[2Jhello\n")
    file.write_text(yaml.safe_dump(settings(tmp_path, "ws://127.0.0.1:1")))
    told = await ended("replay", str(tape), "-c", str(file), TOKEN=TOKEN)
    assert (told.code, told.out, len(told.err.splitlines())) == (1, "", 1)
    assert "not a tape" in told.err
