"""Recording: what was given comes back equal, and a tape that cannot go on says so instead of losing something."""

import gzip
import os
import time
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
    lost = tape.lost
    tape.saw(tick(1.0))
    assert tape.lost == lost + 1


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


def numbered(tape: Recorder, count: int) -> list[Event]:
    """So many events, recorded."""
    given: list[Event] = [ran(steps=number % 7) if number % 5 == 0 else tick(float(number)) for number in range(count)]
    for event in given:
        tape.saw(event)
    return given


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is packed and on its way at once."""
    monkeypatch.setattr(recorder, "FLUSH_EVERY", 0.001)


@pytest.mark.usefixtures("prompt")
def test_a_tape_of_several_files_is_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "a-3.tape.gz").write_bytes(b"somebody else's")
    with Recorder(tmp_path / "a.tape.gz", HEADER, most_bytes=1_000) as tape:
        given = numbered(tape, 20_000)
    names = [path.name for path in tape.files]
    assert len(names) > 5
    assert names[:3] == ["a.tape.gz", "a-2.tape.gz", "a-4.tape.gz"]
    with Tape(tape.path) as read:
        assert list(read) == given
        assert (read.ended, read.files, read.position) == ("", len(names), sum(path.stat().st_size for path in tape.files))
    with pytest.raises(TapeError, match="name its first one"), Tape(tape.files[1]):
        pass


def test_time_begins_another_file_too_and_nothing_begins_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "FLUSH_EVERY", 0.02)
    with Recorder(tmp_path / "a.tape.gz", HEADER, most_seconds=0.05) as tape:
        tape.saw(tick(1.0))
        until = time.monotonic() + 10
        while len(tape.files) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.3)
        tape.saw(tick(2.0))
    assert len(tape.files) in {2, 3}
    with Tape(tape.path) as read:
        assert list(read) == [tick(1.0), tick(2.0)]


@pytest.mark.usefixtures("prompt")
def test_wherever_a_tape_of_several_files_is_cut_the_rest_before_it_is_whole_and_that_is_said(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a.tape.gz", HEADER, most_bytes=1_000) as tape:
        given = numbered(tape, 3_000)
    assert len(tape.files) > 3
    last = tape.files[-1]
    whole = last.read_bytes()
    for left in (len(whole) - 60, 5, 0):
        last.write_bytes(whole[:left])
        with Tape(tape.path) as read:
            found = list(read)
            assert "cut off" in read.ended
            assert last.name in read.ended
        assert found == given[: len(found)]
        assert len(found) > len(given) // 2
    last.unlink()
    with Tape(tape.path) as read:
        found = list(read)
    assert found == given[: len(found)]
    assert f"{last.name}, where it goes on, is not there" in read.ended


@pytest.mark.usefixtures("prompt")
def test_a_file_of_another_tape_is_not_taken_for_the_next(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a.tape.gz", HEADER, most_bytes=500) as tape:
        numbered(tape, 2_000)
    with Recorder(tmp_path / "b.tape.gz", HEADER, most_bytes=500) as other:
        numbered(other, 2_000)
    tape.files[1].write_bytes(other.files[1].read_bytes())
    with pytest.raises(TapeError, match="not file 2 of the tape"), Tape(tape.path) as read:
        list(read)


async def test_what_was_recorded_before_a_state_is_saved_outlives_a_kill(tmp_path: Path) -> None:
    with Recorder(tmp_path / "a.tape.gz", HEADER) as tape:
        given = numbered(tape, 500)
        await tape.caught_up(20.0)
        with Tape(tape.path) as read:
            assert list(read) == given
        assert "cut off" in read.ended
