"""What a journal survives: kill -9 at any moment, a full disk, a file whose bits rot."""

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor import metrics
from monitor.errors import JournalBroken, JournalError
from monitor.journal import Draft, Record, encode
from monitor.journal.sqlite import SqliteJournal

KILLS = 20
FLIPS = 100

WRITER = """
import sys
from monitor.journal import Draft, encode
from monitor.journal.sqlite import SqliteJournal
journal = SqliteJournal.open(sys.argv[1])
number = journal.head
print("ready", flush=True)
while True:
    size = 1 + number % 3
    drafts = [Draft(kind="hold", at=number + i, by="policy:default", body=encode({"n": number + i, "pad": "x" * 700}),
                    durable=number % 4 != 0) for i in range(size)]
    number = journal.append(drafts, number)[-1].sequence
    print(number, flush=True)
"""


def draft(number: int, padding: int = 40) -> Draft:
    """A hold of about this many bytes."""
    return Draft(kind="hold", at=float(number), by="policy:default", body=encode({"n": number, "pad": "x" * padding}))


def kill_while_writing(path: Path, acknowledgements: int) -> int:
    """Run a writer, kill -9 it after so many acknowledgements; the last sequence it acknowledged."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    for _ in range(acknowledgements):
        writer.stdout.readline()
    writer.kill()
    rest = writer.stdout.read().split("\n")[:-1]  # a line cut off by the kill is no acknowledgement
    writer.stdout.close()
    writer.wait()
    return int(rest[-1]) if rest else 0


def test_kill_dash_nine_loses_no_acknowledged_record_and_tears_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    chance = random.Random(1)
    reached = 0
    for _ in range(KILLS):
        acknowledged = kill_while_writing(path, chance.randrange(1, 60))
        journal = SqliteJournal.open(path)
        assert journal.head >= max(acknowledged, reached)
        assert [record.read(dict[str, int | str])["n"] for record in journal.read(1)] == list(range(journal.head))
        reached = journal.head
        journal.close()
    assert reached > KILLS


def test_a_crash_while_the_journal_is_being_made_leaves_no_half_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.with_name("journal.db.new").write_bytes(b"SQLite format 3\0 cut")
    journal = SqliteJournal.open(path)
    assert journal.append([draft(1)], 0)[0].sequence == 1
    journal.close()
    assert not path.with_name("journal.db.new").exists()


def fill(journal: SqliteJournal) -> None:
    """Append until the disk will not take more."""
    for number in range(2000):
        journal.append([draft(number, 2000)], number)


ACKNOWLEDGER = """
import os, sys
from monitor.journal import Draft
from monitor.journal.sqlite import SqliteJournal
journal = SqliteJournal.open(sys.argv[1])
os.write(1, b"open")
for number in range(30):
    journal.append([Draft(kind="hold", at=1.0, by="policy:default", body=b"{}", durable=number % 3 != 2)], number)
    os.write(1, b"ack %d" % number)
os._exit(0)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="the order of system calls needs strace (apt install strace)")
def test_nothing_durable_is_acknowledged_before_the_disk_has_it(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    program = [sys.executable, "-c", ACKNOWLEDGER, str(tmp_path / "journal.db")]
    watched = ["strace", "-f", "-o", str(trace), "-e", "trace=write,fsync,fdatasync", *program]
    subprocess.run(watched, stdout=subprocess.DEVNULL, check=True)
    calls = trace.read_text()
    waits = [part.count("sync(") for part in calls[calls.index('"open"') :].split('"ack ')[:-1]]
    assert len(waits) == 30
    assert all(synced for number, synced in enumerate(waits) if number % 3 != 2)
    assert not any(synced for number, synced in enumerate(waits) if number % 3 == 2)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"a full disk needs the right to mount a small one (run as root): {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_refuses_the_append_keeps_the_rest_and_takes_more_once_there_is_space(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * 300_000)
    journal = SqliteJournal.open(small_disk / "journal.db")
    errors = metrics.JOURNAL_ERRORS._value.get()
    with pytest.raises(JournalError, match="the disk is full; free some space"):
        fill(journal)
    kept = journal.head
    assert kept > 10
    assert metrics.JOURNAL_ERRORS._value.get() == errors + 1
    assert journal.verify().records == kept
    with pytest.raises(JournalError, match="the disk is full"):
        journal.append([draft(kept, 200_000)], kept)
    ballast.unlink()
    assert journal.append([draft(kept, 2000)], kept)[0].sequence == kept + 1
    journal.close()
    again = SqliteJournal.open(small_disk / "journal.db")
    assert again.head == kept + 1
    again.close()


WRITER_UNTIL_FULL = """
import os, sys
from monitor.errors import JournalError
from monitor.journal import Draft, encode
from monitor.journal.sqlite import SqliteJournal
journal = SqliteJournal.open(sys.argv[1])
try:
    while True:
        journal.append([Draft(kind="hold", at=1.0, by="policy:default", body=encode("x" * 900))], None)
except JournalError:
    print(journal.head, flush=True)
    os.kill(os.getpid(), 9)
"""


def test_a_daemon_killed_on_a_full_disk_starts_again_there_and_knows_every_hold(small_disk: Path) -> None:
    path = small_disk / "journal.db"
    (small_disk / "ballast").write_bytes(b"\0" * 200_000)
    killed = subprocess.run([sys.executable, "-c", WRITER_UNTIL_FULL, str(path)], stdout=subprocess.PIPE, text=True, check=False)
    with (small_disk / "more").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(b"\0" * 512)
    assert killed.returncode == -9
    kept = int(killed.stdout)
    for _ in range(2):
        journal = SqliteJournal.open(path)
        assert journal.head == journal.verify().records == kept
        with pytest.raises(JournalError, match="the disk is full"):
            journal.append([draft(kept, 5000)], kept)
        journal.close()
    (small_disk / "ballast").unlink()
    again = SqliteJournal.open(path)
    assert again.append([draft(kept)], kept)[0].sequence == kept + 1
    again.close()


Original = tuple[Path, list[Record]]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    """A closed journal of 400 records, and what is in it."""
    path = tmp_path_factory.mktemp("original") / "journal.db"
    journal = SqliteJournal.open(path)
    records = list(journal.append([draft(number, 20 + number % 900) for number in range(400)], 0))
    journal.close()
    return path, records


def reopened(path: Path) -> list[Record]:
    """What a start finds. Raises JournalError when it finds damage."""
    journal = SqliteJournal.open(path)
    try:
        return list(journal.read(1))
    finally:
        with contextlib.suppress(JournalError):
            journal.close()


def flipped(original: Path, place: Path, offset: int, bit: int) -> Path:
    """A copy of the journal, mark included, with one bit turned."""
    path = place / "journal.db"
    for suffix in ("", ".epoch"):
        shutil.copy(original.with_name("journal.db" + suffix), path.with_name("journal.db" + suffix))
    with path.open("r+b") as file:
        file.seek(offset)
        old = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([old ^ 1 << bit]))
    return path


def test_a_flipped_bit_in_a_record_is_always_found(original: Original, tmp_path: Path) -> None:
    path, records = original
    content = path.read_bytes()
    found = 0
    for seed in range(FLIPS):
        chance = random.Random(seed)
        record = chance.choice(records)
        field = chance.choice([bytes.fromhex(record.hash), record.body, b"policy:default"])
        start = content.index(field, content.index(bytes.fromhex(record.hash)) if field == b"policy:default" else 0)
        victim = flipped(path, tmp_path, start + chance.randrange(min(len(field), 64)), chance.randrange(8))
        with pytest.raises(JournalError):
            reopened(victim)
        found += 1
    assert found == FLIPS


def test_a_flipped_bit_anywhere_in_the_file_is_found_or_changes_no_record(original: Original, tmp_path: Path) -> None:
    path, records = original
    size = path.stat().st_size
    broken = 0
    for seed in range(FLIPS):
        chance = random.Random(1000 + seed)
        victim = flipped(path, tmp_path, chance.randrange(size), chance.randrange(8))
        try:
            assert reopened(victim) == records, seed
        except JournalError:
            broken += 1
    assert broken > FLIPS / 2


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_file_cut_short_is_found(original: Original, tmp_path: Path, kept: float) -> None:
    path, _ = original
    victim = flipped(path, tmp_path, 200, 0)
    size = path.stat().st_size
    victim.write_bytes(path.read_bytes()[: int(size * kept)])
    with pytest.raises(JournalError):
        reopened(victim)


def test_damage_under_a_running_daemon_is_found_by_the_next_verification(original: Original, tmp_path: Path) -> None:
    path, records = original
    victim = tmp_path / "journal.db"
    shutil.copy(path, victim)
    journal = SqliteJournal.open(victim)
    journal._database.execute("PRAGMA cache_size=1")
    offset = victim.read_bytes().index(records[200].body)
    handle = os.open(victim, os.O_RDWR)
    os.pwrite(handle, b"[", offset)
    os.close(handle)
    with pytest.raises(JournalBroken, match="record 201"):
        journal.verify()
    journal.close()
