"""What is kept of the headers, on a disk that cuts, damages and fills."""

from pathlib import Path

import msgspec
import pytest

from monitor.gas import memory
from monitor.gas.memory import MAGIC, Memory
from tests.support.chain_of_fees import headers

CHAIN = headers(300)
ROW = 52


@pytest.fixture
def kept(tmp_path: Path) -> Memory:
    made = Memory.beside(tmp_path / "gas", "eip155:1")
    made.append(CHAIN[:200])
    return made


def test_headers_come_back_as_they_were_with_a_next_fee_or_without(kept: Memory) -> None:
    told = msgspec.structs.replace(CHAIN[200], next_fee=0)
    kept.append([told])
    assert kept.read() == [*CHAIN[:200], told]
    assert kept.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("cut", [1, ROW - 1, ROW, ROW + 7])
def test_a_row_that_was_cut_short_is_left_out_and_the_next_follows_where_it_began(kept: Memory, cut: int) -> None:
    content = kept.path.read_bytes()
    kept.path.write_bytes(content[:-cut])
    whole = 200 - -(-cut // ROW)
    assert kept.read() == CHAIN[:whole]
    kept.append(CHAIN[whole:210])
    assert kept.read() == CHAIN[:210]


def test_after_damage_the_newest_unbroken_stretch_is_what_counts(kept: Memory) -> None:
    content = bytearray(kept.path.read_bytes())
    content[len(MAGIC) + 120 * ROW + 9] ^= 1
    kept.path.write_bytes(content)
    assert kept.read() == CHAIN[121:200]
    content[-3] ^= 1
    kept.path.write_bytes(content)
    assert kept.read() == CHAIN[121:199]


def test_a_hole_begins_another_stretch(kept: Memory) -> None:
    kept.append(CHAIN[250:])
    assert kept.read() == CHAIN[250:]


@pytest.mark.parametrize("content", [b"", b"seawall gas headers 9\n" + b"x" * 400, MAGIC, MAGIC + bytes(ROW)])
def test_what_is_no_memory_is_empty_and_begun_anew(tmp_path: Path, content: bytes) -> None:
    made = Memory(tmp_path / "chain.headers")
    made.path.write_bytes(content)
    assert made.read() == []
    made.append(CHAIN[:3])
    assert made.read() == CHAIN[:3]


def test_it_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST", 100)
    made = Memory(tmp_path / "chain.headers")
    for at in range(0, 300, 30):
        made.append(CHAIN[at : at + 30])
        assert made.path.stat().st_size <= len(MAGIC) + 130 * ROW
    assert made.read() == CHAIN[-len(made.read()) :]
    assert len(made.read()) >= 75
