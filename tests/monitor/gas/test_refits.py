"""When models are fitted."""

from itertools import pairwise

from monitor.gas.refits import FIRST, after
from monitor.gas.replay import MOST_APART


def test_fits_come_soon_at_first_and_then_further_and_further_apart_but_never_more_than_a_week() -> None:
    due = [after(1)]
    while due[-1] < 1_000_000:
        due.append(after(due[-1]))
    apart = [later - sooner for sooner, later in pairwise(due)]
    assert due[0] == FIRST
    assert apart == sorted(apart)
    assert max(apart) == MOST_APART
