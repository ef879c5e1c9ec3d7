"""Recording: what was given comes back equal, and a tape that cannot go on says so instead of losing something."""

import gzip
import os
from pathlib import Path
from typing import IO

import pytest

from detectors.events import Event, Gap, Tick, Transaction
from detectors.execution import Access, Execution
from monitor.chains import recorder
from monitor.chains.recorder import Recorder
from monitor.chains.tape import Header, Mark, Settled, Tape
from monitor.errors import TapeError
from tests.support.executions import call, execution

HEADER = Header(seawall="0", config="c0ffee", started=1.5, chains=("eip155:1",), integrations=("bank",))
BANK = "0x" + "b0" * 20


class FullDisk(Recorder):
    """Its file is the device that is always full."""

    def _open(self) -> IO[bytes]:
        return Path("/dev/full").open("wb")


def tick(at: float) -> Tick:
    return Tick(chain=Tick.EVERYWHERE, at=at)


def ran(steps: int = 3) -> Execution:
    """A call with storage steps as wide as words are."""
    found = execution(call(BANK, "ping()"), tx="0x01")
    found.steps.extend(Access(op="sload", frame=0, before=1, slot=2**256 - 1, value=number) for number in range(steps))
    return found


def test_what_was_recorded_comes_back_equal(tmp_path: Path) -> None:
    given: list[Event | Mark] = [
        tick(0.1 + 0.2),
        ran(),
        Settled(chain="eip155:1", tx="0x01", how="dropped"),
        Gap(chain="eip155:1", at=2.0, feed="f", lost=3),
    ]
    with Recorder(tmp_path / "a.tape.gz", HEADER) as tape:
        for one in given:
            tape.mark(one) if isinstance(one, Mark) else tape.saw(one)
    with Tape(tape.path) as read:
        assert list(read) == given
    assert (read.header, read.ended, tape.events) == (HEADER, "", 3)


def test_a_taken_name_is_left_alone(tmp_path: Path) -> None:
    paths = []
    for _ in range(3):
        with Recorder(tmp_path / "a.tape.gz", HEADER) as tape:
            paths.append(tape.path.name)
    assert paths == ["a.tape.gz", "a-2.tape.gz", "a-3.tape.gz"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="nowhere"), Recorder(tmp_path / "nowhere" / "a.tape.gz", HEADER):
        pass


def test_a_disk_too_slow_ends_the_tape_with_a_line_that_says_so(tmp_path: Path) -> None:
    large = ran(steps=recorder.ROOM // 3)
    with Recorder(tmp_path / "a.tape.gz", HEADER) as tape:
        for _ in range(5):
            tape.saw(large)
        tape.saw(tick(1.0))
    with Tape(tape.path) as read:
        assert 0 < len(list(read)) == 6 - tape.lost < 5
    assert "truncated while recording" in read.ended


def test_a_full_disk_ends_the_tape_and_hurts_nobody_else(tmp_path: Path) -> None:
    with FullDisk(tmp_path / "a.tape.gz", HEADER) as tape:
        tape.saw(ran(steps=20_000))
    assert "No space left" in tape.trouble
    tape.saw(tick(1.0))
    assert tape.lost == 1


def test_text_that_no_file_holds_ends_the_tape(tmp_path: Path) -> None:
    bad = Transaction(
        chain="eip155:1", at=1.0, id="0x\ud800", sender=BANK, to=None, value=0, input="0x", nonce=0, gas=0, max_fee=0
    )
    with Recorder(tmp_path / "a.tape.gz", HEADER) as tape:
        tape.saw(tick(1.0))
        tape.saw(bad)
    with Tape(tape.path) as read:
        assert list(read) == [tick(1.0)]
    assert "Transaction cannot be written" in read.ended


def test_a_tape_is_private(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a.tape.gz", HEADER) as tape:
        pass
    assert tape.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("rest", [b"more", gzip.compress(b"more"), os.urandom(300_000)], ids=["text", "gzip", "noise"])
def test_nothing_may_stand_behind_the_end(tmp_path: Path, rest: bytes) -> None:
    with Recorder(tmp_path / "a.tape.gz", HEADER) as tape:
        tape.saw(tick(1.0))
    with tape.path.open("ab") as file:
        file.write(rest)
    with pytest.raises(TapeError, match="behind its end"), Tape(tape.path) as read:
        list(read)
