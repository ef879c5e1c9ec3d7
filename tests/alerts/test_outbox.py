"""What is still to be told survives a crash."""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from alerts import outbox as module
from alerts.group import Incident, Taken
from alerts.outbox import Entry, MemoryOutbox, Outbox, OutboxError, SqliteOutbox, Told
from tests.support.notices import told

OWES = """
import sys, time
from pathlib import Path
from alerts.outbox import Entry, SqliteOutbox
from tests.support.notices import told
box = SqliteOutbox(Path(sys.argv[1]))
for n in range(1000000):
    made = told(revision=n)
    box.put([Entry(notification=made, receiver="pager", made=float(n))])
    print(made.id, flush=True)
"""
Make = Callable[[Path], Outbox]


def entry(revision: int = 1, receiver: str = "pager") -> Entry:
    return Entry(notification=told(revision=revision), receiver=receiver, made=float(revision))


@pytest.fixture(params=["sqlite", "memory"])
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Outbox:
    return SqliteOutbox(tmp_path / "outbox.sqlite") if request.param == "sqlite" else MemoryOutbox()


def test_an_entry_waits_until_it_is_delivered(box: Outbox) -> None:
    assert box.put([entry(1), entry(2)]) == [entry(1), entry(2)]
    assert box.pending() == [entry(1), entry(2)]
    box.delivered(entry(1))
    assert box.pending() == [entry(2)]
    box.close()


def test_the_same_notification_is_owed_once_per_receiver_also_after_delivery(box: Outbox) -> None:
    box.put([entry(1)])
    assert box.put([entry(1), entry(1, "chat")]) == [entry(1, "chat")]
    box.delivered(entry(1))
    box.bury(entry(1, "chat"), "gone")
    assert box.put([entry(1), entry(1, "chat")]) == []
    box.close()


def test_failures_are_counted_and_the_dead_are_kept_with_their_reason(box: Outbox) -> None:
    box.put([entry(1), entry(2)])
    again = msgspec.structs.replace(entry(1), attempts=3)
    box.failed(again)
    assert box.pending() == [again, entry(2)]
    box.bury(again, "answered 410")
    box.bury(entry(2), "storm")
    assert [(dead.entry, dead.why) for dead in box.dead()] == [(entry(2), "storm"), (again, "answered 410")]
    box.close()


def test_what_is_done_is_forgotten_at_a_bound(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 3)
    for n in range(6):
        box.put([entry(n)])
        box.delivered(entry(n))
    assert [box.put([entry(n)]) != [] for n in range(6)] == [True, True, True, False, False, False]
    box.close()


def incident(revision: int = 1) -> Incident:
    """An open one, taken up."""
    return Incident(last=told(revision=revision), at=float(revision), taken=Taken(by="human:ada", at=2.0, via="pd"), again=3)


def test_what_was_told_is_kept_with_what_is_owed_for_each_journal(box: Outbox) -> None:
    assert box.told("1") == Told(journal="1")
    box.put([entry(1)], Told(incidents={"a": incident(1), "b": incident(2)}, journal="1", mark=7))
    box.put([], Told(incidents={"a": None, "b": incident(3)}, journal="1", mark=9))
    box.put([entry(2)], Told(journal="2", mark=1))
    assert box.told("1") == Told(incidents={"b": incident(3)}, journal="1", mark=9)
    assert (box.told("2").mark, box.told("3").mark) == (1, None)
    assert box.pending() == [entry(1), entry(2)]
    box.close()


def test_what_receivers_said_is_kept_by_incident_until_it_ends(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMARKS", 3)
    for n in range(5):
        box.delivered(entry(n), f"message {n}")
    box.delivered(entry(4), "message 4, edited")
    kept = {entry(n).notification.incident: f"message {n}" for n in (2, 3)}
    assert box.remarks("pager") == kept | {entry(4).notification.incident: "message 4, edited"}
    ended = msgspec.structs.replace(entry(4).notification, resolved=True)
    box.delivered(msgspec.structs.replace(entry(4), notification=ended), "message 4, done")
    box.delivered(entry(3))
    assert list(box.remarks("pager")) == list(kept)
    assert box.remarks("chat") == {}
    box.close()


async def test_kill_nine_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    for _ in range(3):
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", OWES, str(path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        assert child.stdout is not None
        acknowledged = [(await child.stdout.readline()).decode().strip() for _ in range(40)]
        child.kill()
        acknowledged += (await child.stdout.read()).decode().split("\n")[:-1]
        assert await child.wait() == -signal.SIGKILL
        box = SqliteOutbox(path)
        waiting = {each.notification.id for each in box.pending()}
        box.close()
        assert acknowledged[0]
        assert set(acknowledged) <= waiting
        path.unlink()


def test_an_entry_from_another_version_is_passed_over_and_counted(tmp_path: Path) -> None:
    box = SqliteOutbox(tmp_path / "outbox.sqlite")
    box.put([entry(1), entry(2)])
    with sqlite3.connect(tmp_path / "outbox.sqlite") as db:
        db.execute("UPDATE outbox SET body = '{}' WHERE notification = ?", (entry(1).notification.id,))
    db.close()
    assert box.pending() == [entry(2)]
    assert box.unreadable == 1
    box.close()


def test_an_incident_from_another_version_is_passed_over_and_counted(tmp_path: Path) -> None:
    box = SqliteOutbox(tmp_path / "outbox.sqlite")
    box.put([], Told(incidents={"a": incident(1), "b": incident(2)}, journal="1", mark=7))
    with sqlite3.connect(tmp_path / "outbox.sqlite") as db:
        db.execute("UPDATE incidents SET body = '{}' WHERE key = 'a'")
    db.close()
    assert box.told("1").incidents == {"b": incident(2)}
    assert box.unreadable == 1
    box.close()


def test_a_file_of_an_earlier_version_keeps_what_it_owes_and_knows_of_nothing_told(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "outbox.sqlite") as db:
        db.execute(
            "CREATE TABLE outbox (notification TEXT NOT NULL, receiver TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending',"
            " attempts INTEGER NOT NULL DEFAULT 0, made REAL NOT NULL, why TEXT NOT NULL DEFAULT '', body BLOB NOT NULL,"
            " PRIMARY KEY (notification, receiver))"
        )
        owed = entry(1)
        row = (owed.notification.id, owed.receiver, owed.made, msgspec.json.encode(owed.notification))
        db.execute("INSERT INTO outbox (notification, receiver, made, body) VALUES (?, ?, ?, ?)", row)
    db.close()
    box = SqliteOutbox(tmp_path / "outbox.sqlite")
    assert (box.pending(), box.told("1"), box.remarks("pager")) == ([owed], Told(journal="1"), {})
    box.close()


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    box = SqliteOutbox(tmp_path / "absent" / "outbox.sqlite")
    with pytest.raises(OutboxError, match=r"absent.outbox\.sqlite: could not keep a notification"):
        box.put([entry()])
    (tmp_path / "text").write_text("this is no database " * 200)
    with pytest.raises(OutboxError, match="not a database"):
        SqliteOutbox(tmp_path / "text").put([entry()])
