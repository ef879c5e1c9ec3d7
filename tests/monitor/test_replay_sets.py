"""A tape kept in several files is judged like one in a single file, and a killed writer's is judged as far as it goes."""

import json
from pathlib import Path

import pytest

from detectors.events import Event
from monitor.chains import recorder
from monitor.chains.recorder import Recorder
from monitor.chains.tape import Mark, Tape
from monitor.config import load
from tests.monitor.cli.conftest import ended
from tests.support.tapes import ENV, KEPT, played


@pytest.fixture(scope="module")
def parted(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The kept show, recorded once more in files of about 8 kB."""
    with pytest.MonkeyPatch.context() as patch, Tape(KEPT / "show.tape.gz") as show:
        patch.setattr(recorder, "FLUSH_EVERY", 0.001)
        path = tmp_path_factory.mktemp("parted") / "show.tape.gz"
        with Recorder(path, show.header, most_bytes=8_000) as tape:
            for entry in show:
                assert isinstance(entry, Event | Mark)
                tape.mark(entry) if isinstance(entry, Mark) else tape.saw(entry)
        assert not tape.trouble
    assert len(tape.files) > 3
    return tape.files


async def test_a_show_in_several_files_gives_the_findings_and_decisions_of_the_one_in_one(parted: list[Path]) -> None:
    one = played(KEPT / "show.tape.gz", load(KEPT / "show.yaml", ENV))
    many = played(parted[0], load(KEPT / "show.yaml", ENV))
    assert (many.ended, many.tally) == ("", one.tally)
    told = await ended("replay", str(parted[0]), "-c", str(KEPT / "show.yaml"), "--json", **ENV)
    assert json.loads(told.out.splitlines()[-1])["digest"] == one.tally.digest


async def test_a_show_whose_writer_was_killed_in_the_last_file_is_judged_up_to_there(parted: list[Path]) -> None:
    full = played(parted[0], load(KEPT / "show.yaml", ENV))
    whole = parted[-1].read_bytes()
    parted[-1].write_bytes(whole[: len(whole) // 2])
    try:
        cut = played(parted[0], load(KEPT / "show.yaml", ENV))
    finally:
        parted[-1].write_bytes(whole)
    assert f"cut off {parted[-1].name} in line" in cut.ended
    assert cut.lines == full.lines[: len(cut.lines)]
    assert full.tally.events // 2 < cut.tally.events < full.tally.events


async def test_the_second_file_by_itself_is_one_clear_line(parted: list[Path]) -> None:
    told = await ended("replay", str(parted[1]), "-c", str(KEPT / "show.yaml"), "--json", **ENV)
    assert told.code == 1
    assert "name its first one" in told.err
