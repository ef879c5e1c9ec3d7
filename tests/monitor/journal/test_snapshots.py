"""Snapshots of detector state: the newest whole one, or none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.events import Position
from monitor.errors import JournalError
from monitor.journal.snapshots import Snapshots

CHAIN = "eip155:1"
AT = Position(100, "0xaa", "0xa9")
NEXT = Position(101, "0xab", "0xaa")


def test_the_newest_snapshot_comes_back_and_only_one_older_is_kept(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path / "snapshots")
    assert snapshots.load(CHAIN, "1") is None
    for height in range(5):
        snapshots.save(CHAIN, Position(height, f"0x{height}"), "1", bytes([height]))
    newest = snapshots.load(CHAIN, "1")
    assert newest is not None
    assert (newest.position, newest.blob, newest.chain, newest.schema) == (Position(4, "0x4"), b"\x04", CHAIN, "1")
    assert len(list((tmp_path / "snapshots").iterdir())) == 2


def test_after_a_reorg_the_newest_is_the_one_saved_last_not_the_highest(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(CHAIN, NEXT, "1", b"undone")
    snapshots.save(CHAIN, AT, "1", b"true")
    newest = snapshots.load(CHAIN, "1")
    assert newest is not None
    assert newest.blob == b"true"


def test_what_another_version_had_processed_is_known_though_its_state_is_not(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    snapshots.save(CHAIN, NEXT, "old", b"state", (AT,))
    assert snapshots.load(CHAIN, "new") is None
    found = snapshots.load(CHAIN, None)
    assert found is not None
    assert (found.position, found.lineage) == (NEXT, (AT,))


def test_chains_do_not_see_each_other(tmp_path: Path) -> None:
    snapshots = Snapshots(tmp_path)
    for chain in ("eip155:1", "eip155:10", "eip155:1-1", "../eip155:1"):
        snapshots.save(chain, AT, "1", chain.encode())
    for chain in ("eip155:1", "eip155:10", "eip155:1-1", "../eip155:1"):
        found = snapshots.load(chain, "1")
        assert found is not None
        assert found.blob == chain.encode()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "foreign"])
def test_a_damaged_snapshot_is_reported_and_the_one_before_it_used(tmp_path: Path, damage: str) -> None:
    problems: list[str] = []
    snapshots = Snapshots(tmp_path, problems.append)
    snapshots.save(CHAIN, AT, "1", b"older" * 100)
    snapshots.save(CHAIN, NEXT, "1", b"newer" * 100)
    newest = max(tmp_path.iterdir())
    content = newest.read_bytes()
    broken = {"cut": content[:-1], "flip": content[:-9] + b"!" + content[-8:], "empty": b"", "foreign": b"\x80\x04K\x01."}
    newest.write_bytes(broken[damage])
    found = snapshots.load(CHAIN, "1")
    assert found is not None
    assert found.blob == b"older" * 100
    assert len(problems) == 1
    assert str(newest) in problems[0]


def test_state_of_another_version_is_not_used(tmp_path: Path) -> None:
    problems: list[str] = []
    snapshots = Snapshots(tmp_path, problems.append)
    snapshots.save(CHAIN, AT, "1", b"old")
    assert snapshots.load(CHAIN, "2") is None
    assert "another version" in problems[0]


def test_a_directory_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="save a snapshot of eip155:1"):
        Snapshots(tmp_path / "file").save(CHAIN, AT, "1", b"")


@given(blob=st.binary(max_size=200), height=st.integers(0, 2**60), schema=st.text(max_size=5))
def test_any_state_reads_back(tmp_path_factory: pytest.TempPathFactory, blob: bytes, height: int, schema: str) -> None:
    snapshots = Snapshots(tmp_path_factory.mktemp("snapshots"))
    snapshots.save(CHAIN, Position(height, "0xaa"), schema, blob)
    found = snapshots.load(CHAIN, schema)
    assert found is not None
    assert (found.blob, found.position.height, found.schema) == (blob, height, schema)
