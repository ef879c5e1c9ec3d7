"""Lists as people keep them: CSV or JSON lines, with dates; what is wrong is named, and half a list is no list."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor import parties
from monitor.parties import parse

ONE, TWO = "0x" + "ab" * 20, "0x" + "cd" * 20


def test_the_same_parties_have_the_same_version_however_they_are_written() -> None:
    csv = parse(f"chain, address, note\neip155:1,{ONE.upper().replace('0X', '0x')},x\n,{TWO},\n")
    lines = parse("\n".join(json.dumps(one) for one in ({"address": TWO}, {"address": ONE, "chain": "eip155:1"})) + "\n")
    assert csv.parties == lines.parties
    assert csv.version == lines.version
    assert parse(f"address\n{ONE}\n").version != csv.version


def test_a_date_that_ends_it_still_counts_whole_and_seconds_are_seconds() -> None:
    (one,) = parse(f"address,effective_from,effective_to\n{ONE},2024-01-01T12:00:00+02:00,2024-01-01\n").parties
    (two,) = parse(json.dumps({"address": ONE, "effective_from": 5, "effective_to": "7.5"})).parties
    assert (one.since, one.until) == (1704103200.0, 1704153600.0)
    assert (two.since, two.until) == (5.0, 7.5)


def test_lines_that_cannot_be_read_are_named_and_the_others_count() -> None:
    made = parse(f"address,effective_from\n{ONE},\n0x12,\n{TWO},soon\n,\n")
    assert [party.address for party in made.parties] == [ONE]
    assert [line.split(":")[0] for line in made.wrong] == ["line 3", "line 4", "line 5"]


@pytest.mark.parametrize("text", ["", "\n", "address\n", "name\nBob\n", "{}\n", "[]", "{not json}", "address\n0xzz\n", "\x00"])
def test_what_names_nobody_is_no_list(text: str) -> None:
    with pytest.raises(ValueError, match="names nobody"):
        parse(text)


def test_a_list_that_is_too_long_is_refused_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parties, "MOST_PARTIES", 3)
    with pytest.raises(ValueError, match="more than 3"):
        parse("address\n" + "\n".join(f"0x{number:040x}" for number in range(4)))


@given(st.text())
def test_any_text_is_a_list_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse(text).parties
