"""The SQLite journal: only grows, one winner for each head, and says when it is not the journal it was."""

import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import metrics
from monitor.errors import JournalConflict, JournalError
from monitor.journal import Draft, Record, encode
from monitor.journal.sqlite import SqliteJournal


def hold(number: int, *, durable: bool = True) -> Draft:
    """A hold as the daemon would record it."""
    body = encode({"scope": f"pool-{number}", "id": number})
    at, keys = 1_700_000_000.5 + number, (f"pause/{number}",)
    return Draft(kind="hold", at=at, by="policy:default", body=body, durable=durable, effect_keys=keys)


def filled(path: Path, records: int) -> Path:
    """A closed journal with this many records."""
    journal = SqliteJournal.open(path)
    journal.append([hold(number) for number in range(records)], 0)
    journal.close()
    return path


def test_what_was_appended_is_read_back_after_a_restart(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    first = journal.append([hold(1), hold(2)], 0)
    second = journal.append([hold(3, durable=False)], 2)
    epoch = journal.epoch
    journal.close()
    again = SqliteJournal.open(tmp_path / "journal.db")
    assert tuple(again.read(1)) == first + second
    assert [record.sequence for record in again.read(2)] == [2, 3]
    assert list(again.read(4)) == []
    assert (again.head, again.epoch) == (3, epoch)
    assert again.verify().hash == second[0].hash
    again.close()


def test_a_later_journal_has_a_higher_epoch_and_its_records_do_not_fit_an_earlier_one(tmp_path: Path) -> None:
    early = SqliteJournal.open(tmp_path / "a.db", clock=lambda: 1000.0)
    late = SqliteJournal.open(tmp_path / "b.db", clock=lambda: 2000.0)
    assert early.epoch < late.epoch
    assert early.append([hold(1)], 0)[0].prev_hash != late.append([hold(1)], 0)[0].prev_hash
    early.close()
    late.close()


def test_an_append_that_decided_on_an_old_head_is_refused_with_the_head_found(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    journal.append([hold(1)], 0)
    conflicts = metrics.JOURNAL_CONFLICTS._value.get()
    with pytest.raises(JournalConflict) as caught:
        journal.append([hold(2)], 0)
    assert caught.value.head == 1
    with pytest.raises(JournalConflict):
        journal.append([hold(2)], 7)
    assert journal.head == 1
    assert metrics.JOURNAL_CONFLICTS._value.get() == conflicts + 2
    assert metrics.JOURNAL_SEQUENCE._value.get() == 1
    journal.close()


def test_a_receipt_decides_nothing_and_goes_wherever_the_head_is(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    journal.append([hold(1)], 0)
    assert journal.append([hold(2)], None)[0].sequence == 2
    journal.close()


def test_one_bad_draft_keeps_its_whole_append_out_and_nobody_elses(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    bad = Draft(kind="hold", at=float("nan"), by="policy:default", body=b"{}")
    unwritable = Draft(kind="hold", at=1.0, by="human:\ud800", body=b"{}")
    outcomes = journal.commit([([hold(1)], 0), ([hold(2), bad], 1), ([unwritable], 1), ([hold(3)], 1)])
    assert [isinstance(outcome, tuple) for outcome in outcomes] == [True, False, False, True]
    assert [record.body for record in journal.read(1)] == [hold(1).body, hold(3).body]
    journal.verify()
    journal.close()


def test_racing_appenders_have_one_winner_for_each_head(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    won: list[tuple[int, int]] = []
    lost: list[int] = []

    def race(appender: int) -> None:
        for expected in range(40):
            try:
                journal.append([hold(appender)], expected)
            except JournalConflict as conflict:
                lost.append(conflict.head)
            else:
                won.append((expected, appender))

    racers = [threading.Thread(target=race, args=(appender,)) for appender in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    heads = sorted(expected for expected, _ in won)
    assert heads == list(range(journal.head))
    assert len(won) + len(lost) == 6 * 40
    assert journal.verify().records == journal.head
    journal.close()


def test_a_second_daemon_on_the_same_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = SqliteJournal.open(path)
    code = f"from monitor.journal.sqlite import SqliteJournal\nSqliteJournal.open({str(path)!r})"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another Seawall (process " in second.stderr
    with pytest.raises(JournalError, match="another Seawall"):
        SqliteJournal.open(path)
    journal.append([hold(1)], 0)
    journal.close()
    SqliteJournal.open(path).close()


def test_a_second_daemon_is_refused_even_where_someone_removed_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = SqliteJournal.open(path)
    journal.append([hold(1)], 0)
    path.with_name("journal.db.lock").unlink()
    code = f"from monitor.journal.sqlite import SqliteJournal\nSqliteJournal.open({str(path)!r})"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another process has the file open" in second.stderr
    journal.append([hold(2)], 1)
    journal.close()


def test_only_what_can_be_derived_again_may_skip_the_sync(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")

    def level(*batch: Draft) -> int:
        journal.append(batch, None)
        return int(journal._database.execute("PRAGMA synchronous").fetchone()[0])

    kept, cursor = hold(1), hold(2, durable=False)
    normal, full = 1, 2
    assert [level(kept), level(cursor), level(cursor, kept, cursor), level(cursor)] == [full, normal, full, normal]
    journal.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM journal WHERE sequence = 2",
        "UPDATE journal SET by = 'human:mallory' WHERE sequence = 2",
        "INSERT OR REPLACE INTO journal SELECT 2, prev, hash, kind, at, 'm', effect_keys, body FROM journal WHERE sequence = 2",
        "UPDATE epoch SET epoch = 1",
        "DELETE FROM epoch",
    ],
)
def test_the_table_only_grows(tmp_path: Path, statement: str) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    journal.append([hold(1), hold(2), hold(3)], 0)
    with pytest.raises(sqlite3.IntegrityError, match="the journal only grows"):
        journal._database.execute(statement)
    journal.verify()
    journal.close()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM journal WHERE sequence = 3", "record 3 is missing"),
        ("DELETE FROM journal WHERE sequence = 1", "record 1 is missing"),
        ("UPDATE journal SET by = 'human:mallory' WHERE sequence = 3", "record 3 .* is not what was written"),
        ("UPDATE journal SET at = at + 1 WHERE sequence = 1", "record 1 .* is not what was written"),
        ("UPDATE journal SET body = CAST('{}' AS BLOB) WHERE sequence = 2", "record 2 .* is not what was written"),
        ("UPDATE journal SET effect_keys = '[' WHERE sequence = 2", "record 2 is not what was written"),
        ("UPDATE journal SET kind = 'receipt' WHERE sequence = 5", "record 5 .* is not what was written"),
        ("UPDATE journal SET hash = zeroblob(32) WHERE sequence = 4", "record 4 .* is not what was written"),
        ("UPDATE journal SET prev = zeroblob(32) WHERE sequence = 4", "record 4 does not follow"),
        ("UPDATE journal SET sequence = 9 WHERE sequence = 5", "record 5 is missing"),
        ("UPDATE epoch SET epoch = epoch + 1", "another copy"),
        ("INSERT INTO epoch VALUES (1)", "2 epochs"),
        ("DROP TRIGGER journal_no_update", "'journal_no_update' was taken from"),
        ("CREATE TABLE more (x)", "'more' was added to"),
    ],
)
def test_a_change_made_behind_our_back_is_found_at_the_next_start(tmp_path: Path, statement: str, found: str) -> None:
    path = filled(tmp_path / "journal.db", 5)
    tamper(path, statement)
    with pytest.raises(JournalError, match=found):
        SqliteJournal.open(path)


def tamper(path: Path, statement: str) -> None:
    """Change the file as someone with the disk could: triggers away, change, triggers back."""
    database = sqlite3.connect(path, isolation_level=None)
    triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        if f"TRIGGER {name}" not in statement:
            database.execute(f"DROP TRIGGER {name}")
    database.execute(statement)
    for name, sql in triggers:
        if f"TRIGGER {name}" not in statement:
            database.execute(sql)
    database.close()


def test_records_cut_from_the_end_are_missed_by_no_one(tmp_path: Path) -> None:
    path = filled(tmp_path / "journal.db", 5)
    tamper(path, "DELETE FROM journal WHERE sequence = 5")
    with pytest.raises(JournalError, match=r"at least 5 records and found epoch .* with 4"):
        SqliteJournal.open(path)


def test_an_older_copy_put_back_and_a_journal_gone_are_refused_until_a_person_says_so(tmp_path: Path) -> None:
    path = filled(tmp_path / "journal.db", 5)
    backup = shutil.copy(path, tmp_path / "backup.db")
    journal = SqliteJournal.open(path)
    journal.append([hold(6)], 5)
    journal.close()
    shutil.copy(backup, path)
    with pytest.raises(JournalError, match="an older or another copy"):
        SqliteJournal.open(path)
    path.unlink()
    with pytest.raises(JournalError, match="the journal is missing"):
        SqliteJournal.open(path)
    assert not path.exists()
    (tmp_path / "journal.db.epoch").unlink()
    fresh = SqliteJournal.open(path)
    assert fresh.head == 0
    fresh.close()


def test_an_empty_file_a_foreign_file_and_a_foreign_database_are_told_apart_from_a_journal(tmp_path: Path) -> None:
    empty, text, database = tmp_path / "empty.db", tmp_path / "text.db", tmp_path / "other.db"
    empty.touch()
    text.write_text("not a database at all\n" * 100)
    other = sqlite3.connect(database)
    other.execute("CREATE TABLE t (x)")
    other.close()
    for path, said in ((empty, "the file is empty"), (text, "not a database"), (database, "not a Seawall journal")):
        before = path.read_bytes()
        with pytest.raises(JournalError, match=said):
            SqliteJournal.open(path)
        assert path.read_bytes() == before
    with pytest.raises(JournalError, match="does the directory exist"):
        SqliteJournal.open(tmp_path / "nowhere" / "journal.db")


def test_a_journal_of_a_later_format_is_left_alone(tmp_path: Path) -> None:
    path = filled(tmp_path / "journal.db", 1)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version=3")
    database.close()
    with pytest.raises(JournalError, match="journal format 3"):
        SqliteJournal.open(path)


def test_a_closed_journal_says_so_and_its_one_file_holds_everything(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = SqliteJournal.open(path)
    journal.append([hold(1)], 0)
    reading = journal.read(1)
    journal.close()
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.append([hold(2)], 1)
    with pytest.raises(JournalError, match="closed"):
        next(reading)
    assert not path.with_name("journal.db-wal").exists()
    assert path.stat().st_mode & 0o077 == 0


def test_what_is_read_does_not_stop_appends_and_ends_where_the_head_was(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    journal.append([hold(number) for number in range(1200)], 0)
    reading = journal.read(1)
    first = next(reading)
    journal.append([hold(9)], 1200)
    rest = list(reading)
    assert [record.sequence for record in (first, *rest)] == list(range(1, 1201))
    journal.close()


def test_a_body_that_is_not_what_the_reader_expects_names_the_record(tmp_path: Path) -> None:
    journal = SqliteJournal.open(tmp_path / "journal.db")
    (record,) = journal.append([hold(4)], 0)
    assert record.read(dict[str, str | int]) == {"scope": "pool-4", "id": 4}
    with pytest.raises(JournalError, match=re.escape("journal record 1 (hold) is not a")):
        record.read(list[int])
    journal.close()


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
drafts = st.builds(
    Draft,
    kind=texts,
    at=st.floats(allow_nan=False, allow_infinity=False),
    by=texts,
    body=st.one_of(st.binary(max_size=40), st.dictionaries(texts, st.integers(-(2**60), 2**60)).map(encode)),
    durable=st.booleans(),
    effect_keys=st.lists(texts, max_size=3).map(tuple),
)


@settings(max_examples=40, deadline=None)
@given(batches=st.lists(st.lists(drafts, max_size=4), max_size=5))
def test_any_record_reads_back_as_acknowledged(tmp_path_factory: pytest.TempPathFactory, batches: list[list[Draft]]) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    journal = SqliteJournal.open(path)
    acknowledged: list[Record] = []
    for batch in batches:
        acknowledged += journal.append(batch, len(acknowledged))
    journal.close()
    again = SqliteJournal.open(path)
    assert list(again.read(1)) == acknowledged
    assert [(record.kind, record.at, record.by, record.body, record.effect_keys) for record in acknowledged] == [
        (draft.kind, draft.at, draft.by, draft.body, draft.effect_keys) for batch in batches for draft in batch
    ]
    again.close()
