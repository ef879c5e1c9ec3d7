"""An operator's rules: read as written, refused with a reason, exact for numbers of any width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.invariants.rules import Rule

WIDE = st.integers(0, 2**256 - 1)


@pytest.mark.parametrize(
    "text", ["", "a", "a < b", "a <= b <= c", "a <= ", "a <= B", "a / b", "a / b / c never falls", "a ** b <= c", "3 + <= b"]
)
def test_what_is_no_rule_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="rule"):
        Rule.read(text)


def test_sums_factors_and_plain_numbers_are_read() -> None:
    rule = Rule.read("a + 2 * b - 0.5*c <= 3 + d")
    assert rule.excess({"a": 10, "b": 5, "c": 4, "d": 15}) == 0.0
    assert rule.excess({"a": 10, "b": 5, "c": 4, "d": 0}) == 5.0


@given(debt=WIDE, cover=WIDE)
def test_a_bound_is_exact(debt: int, cover: int) -> None:
    excess = Rule.read("debt <= cover").excess({"debt": debt, "cover": cover})
    assert excess is not None
    assert (excess > 0) == (debt > cover)


@given(before=WIDE, after=WIDE, shares=st.integers(1, 2**256 - 1))
def test_a_ratio_that_does_not_fall_is_no_breach(before: int, after: int, shares: int) -> None:
    rule = Rule.read("assets / shares never falls")
    fall = rule.fall({"assets": before, "shares": shares}, {"assets": after, "shares": shares})
    if after >= before > 0:
        assert fall == 0.0
    elif fall:
        assert 0 < fall <= 1


def test_what_is_not_known_breaks_nothing() -> None:
    assert Rule.read("a <= b").excess({"a": 5}) is None
    assert Rule.read("a / b never falls").fall({"a": 1, "b": 1}, {"a": 0}) is None
