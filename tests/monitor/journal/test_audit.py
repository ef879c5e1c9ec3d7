"""An audit: whoever changes, cuts or rewrites the journal is found, and reading it disturbs nobody, its daemon least."""

import random
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.api.signing import Signer, genuine
from monitor.breaker.fold import Fold, Whole
from monitor.breaker.holds import Mode
from monitor.breaker.people import Order, pause, resume
from monitor.errors import JournalBroken, JournalError
from monitor.journal import Draft, Record, audit, encode, schema
from monitor.journal.archive import archive
from monitor.journal.base import follow
from monitor.journal.checkpoints import EVERY, WITHIN, Checkpoints, file, read
from monitor.journal.sqlite import SqliteJournal

SIGNER = Signer("11" * 32)
FLIPS = 100


def hold(number: int) -> Draft:
    """A record of some length."""
    return Draft(kind="hold", at=float(number), by="policy:default", body=encode({"n": number, "pad": "x" * (number % 300)}))


def trusted(line: bytes) -> bool:
    """Signed by our key?"""
    return genuine(line, SIGNER.public)


def written(path: Path, records: int = 300) -> list[Record]:
    """A closed journal with a signed checkpoint each hundred records."""
    journal = SqliteJournal.open(path)
    points = Checkpoints(journal, SIGNER.document, lambda _: None)
    made: list[Record] = []
    for number in range(records):
        made += journal.append([hold(number)], number)
        if points.due(float(number)):
            points.make(float(number))
    journal.close()
    return made


def found(path: Path, *, key: bool = True) -> audit.Report:
    """What an audit finds, with the checkpoints beside the file."""
    return audit.verify(path, read(file(path)), trusted if key else None)


def test_a_whole_journal_verifies_against_its_signed_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    made = written(path)
    report = found(path)
    assert (report.ok, report.records, report.hash, report.checkpoints, report.signed) == (True, 300, made[-1].hash, 3, 3)


def test_there_is_a_checkpoint_each_hundred_records_or_five_minutes_after_one(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    told: list[bytes] = []
    points = Checkpoints(journal, SIGNER.document, told.append)
    assert not points.due(0.0)
    journal.append([hold(1)], None)
    assert not points.due(10.0)
    assert not points.due(10.0 + WITHIN - 1)
    assert points.due(10.0 + WITHIN)
    points.make(10.0 + WITHIN)
    assert not points.due(9e9)
    journal.append([hold(number) for number in range(EVERY)], None)
    assert points.due(9e9)
    points.make(9e9)
    journal.close()
    assert [line for line, _ in read(points.path)] == told
    assert all(map(trusted, told))


def test_reading_beside_a_live_daemon_disturbs_neither(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = SqliteJournal.open(path)
    for number in range(20):
        journal.append([hold(100 * number + one) for one in range(100)], None)
        report = found(path)
        assert (report.ok, report.problem, report.records) == (True, "", 100 * (number + 1))
    assert journal.verify().records == 2000
    journal.close()


def test_reading_a_dead_daemons_file_leaves_it_as_it_lay(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    program = (
        "import os, sys\nfrom monitor.journal import Draft\nfrom monitor.journal.sqlite import SqliteJournal\n"
        "journal = SqliteJournal.open(sys.argv[1])\n"
        "for n in range(50): journal.append([Draft(kind='hold', at=1.0, by='x', body=b'{}')], n)\nos.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -9
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert found(path, key=False).records == 50
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_one_flipped_bit_in_a_record_is_found_a_hundred_times_of_a_hundred(tmp_path: Path) -> None:
    path, victim = tmp_path / "journal.db", tmp_path / "victim.db"
    records = written(path)
    content = path.read_bytes()
    caught = 0
    for seed in range(FLIPS):
        chance = random.Random(seed)
        record = chance.choice(records)
        own = content.index(bytes.fromhex(record.hash))
        field, start = chance.choice(
            [(32, own), (len(record.body), content.index(record.body)), (14, content.index(b"policy:", own))]
        )
        bent = bytearray(content)
        bent[start + chance.randrange(field)] ^= 1 << chance.randrange(8)
        victim.write_bytes(bent)
        caught += not audit.verify(victim, read(file(path)), trusted).ok
    assert caught == FLIPS


def rewritten(path: Path, records: int, changed: int) -> None:
    """The journal made anew by one who may write it: every hash right, one record another."""
    journal = SqliteJournal.open(path)
    epoch = journal.epoch
    journal.close()
    for one in path.parent.glob("journal.db*"):
        if one != file(path):
            one.unlink()
    journal = SqliteJournal.open(path, clock=lambda: epoch / 1000)
    assert journal.epoch == epoch
    for number in range(records):
        journal.append([hold(-1 if number == changed else number)], number)
    journal.close()


def test_a_journal_written_anew_contradicts_its_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path)
    rewritten(path, 300, changed=150)
    assert "record 200 is another than its checkpoint says" in found(path).problem
    rewritten(path, 250, changed=-1)
    assert "its end is missing" in found(path).problem


def test_a_checkpoint_made_up_by_another_key_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    written(path)
    lines = [Signer("22" * 32).document(line[: line.index(b',"key_id"')] + b"}") for line, _ in read(file(path))]
    file(path).write_bytes(b"\n".join(lines) + b"\n")
    assert "not signed by this key" in found(path).problem
    assert found(path, key=False).ok


@pytest.mark.parametrize("junk", [b"", b"SQLite format 3\0", b"\0" * 5000, b"{}"])
def test_what_is_no_journal_is_said_to_be_none(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(junk)
    report = found(path)
    assert (report.ok, str(path) in report.problem) == (False, True)
    assert not found(tmp_path / "nowhere.db").ok


def older(path: Path, records: int) -> list[Record]:
    """A journal of the first format, as its daemon left it."""
    present = written(path, records)
    kept = path.with_name("kept.db")
    path.rename(kept)
    with sqlite3.connect(kept) as source:
        epoch = source.execute("SELECT epoch FROM epoch").fetchone()[0]
        rows = source.execute("SELECT * FROM journal").fetchall()
    source.close()
    draft = schema.make(path, epoch, version=1)
    with sqlite3.connect(draft) as target:
        target.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    target.close()
    draft.rename(path)
    kept.unlink()
    return present


def test_a_journal_of_the_first_format_is_read_where_it_lies_and_migrated_when_opened(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    records = older(path, 120)
    assert (found(path).ok, found(path).format) == (True, 1)
    journal = SqliteJournal.open(path)
    assert list(journal.read(1)) == records
    journal.append([hold(120)], 120)
    journal.close()
    assert (found(path).ok, found(path).format, found(path).records) == (True, schema.FORMAT, 121)
    fresh = schema.make(tmp_path / "fresh.db", 1)
    told = []
    for one in (path, fresh):
        database = sqlite3.connect(one)
        told.append(sorted(database.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()))
        database.close()
    assert told[0] == told[1], "migrated or new: the same"


MODES = {"bank": Mode.ENFORCE, "pool": Mode.SHADOW}


def with_decisions(path: Path) -> Fold:
    """A journal of pauses and releases, and what it comes to."""
    journal, fold = SqliteJournal.open(path), Fold(dict(MODES))
    for number in range(40):
        name = "bank" if number % 3 else "pool"
        order = Order(who=f"p{number}", reason="drill")
        breaker = fold.breaker(name)
        decision = pause(breaker, order, float(number)) if number % 4 else resume(breaker, order, float(number))
        if decision is not None:
            (record,) = journal.append([Draft(kind="decision", at=decision.at, by=decision.by, body=encode(decision))], fold.head)
            fold.apply_record(record.kind, record.body, record.sequence)
    journal.close()
    return fold


def state_of(records: object) -> Draft:
    """As the command makes it."""
    fold = Fold({})
    for record in records:  # type: ignore[attr-defined]
        fold.apply_record(record.kind, record.body, record.sequence)
    return Draft(kind=Whole.kind, at=99.0, by="archive", body=encode(fold.whole()))


def test_what_is_archived_is_whole_and_the_journal_goes_on_behind_it(tmp_path: Path) -> None:
    path, away = tmp_path / "journal.db", tmp_path / "2026.db"
    before = with_decisions(path)
    records, line = archive(path, away, state_of, 99.0, SIGNER.document)
    assert records == before.head
    assert trusted(line)
    old, new = found(away), found(path)
    assert (old.ok, old.first, old.head) == (True, 1, before.head + 1)
    assert (new.ok, new.first, new.head, new.records, new.signed) == (True, before.head + 1, before.head + 1, 1, 1)
    journal = SqliteJournal.open(path)
    fold = Fold(dict(MODES))
    for record in journal.read(1):
        fold.apply_record(record.kind, record.body, record.sequence)
    assert (fold.breakers, fold.head) == (before.breakers, before.head + 1)
    journal.append([hold(1)], journal.head)
    journal.close()
    with audit.opened(away) as first, audit.opened(path) as second:
        chain = [*first.records(), *list(second.records())[1:]]
        assert follow(chain, first.epoch).records == before.head + 2, "one chain over both"
    assert archive(path, tmp_path / "2027.db", state_of, 100.0, SIGNER.document)[0] == before.head + 2
    assert all(found(one).ok for one in (path, away, tmp_path / "2027.db"))


def test_nothing_of_the_fold_is_left_out_of_what_a_journal_begins_with() -> None:
    assert set(vars(Fold({}))) - {"modes", "head"} == set(Whole.__struct_fields__)


def test_an_archive_never_overwrites_and_a_base_cannot_be_put_in(tmp_path: Path) -> None:
    path, taken = tmp_path / "journal.db", tmp_path / "taken.db"
    with_decisions(path)
    taken.touch()
    with pytest.raises(JournalError, match="is there already"):
        archive(path, taken, state_of, 99.0, SIGNER.document)
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    database = sqlite3.connect(copy)
    database.execute("INSERT INTO base VALUES (5, x'00')")
    database.commit()
    database.close()
    assert not found(copy).ok
    with pytest.raises(JournalBroken):
        SqliteJournal.open(copy)
