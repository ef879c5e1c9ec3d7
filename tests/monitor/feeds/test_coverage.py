"""What was processed over what was owed: 1 on any honest life, below it as soon as one block is missing."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.feeds.coverage import GRACE, Coverage


def followed(heights: int, first: int = 1) -> Coverage:
    """A life in which so many blocks came and were processed, one a second."""
    coverage = Coverage()
    for second in range(heights):
        coverage.head(first + second, first=first, now=float(second))
        coverage.done()
    return coverage


def test_a_block_that_was_never_processed_is_missed_once_it_is_owed() -> None:
    coverage = followed(9)
    coverage.head(10, first=1, now=9.0)
    assert coverage.ratio(9.0 + GRACE / 2) == 1.0, "it has just come"
    assert coverage.ratio(9.0 + GRACE) == 9 / 10
    assert coverage.behind(9) == 1
    coverage.done()
    assert coverage.ratio(9.0 + GRACE) == 1.0


def test_catching_up_after_an_outage_shows_its_progress_and_ends_at_one() -> None:
    coverage, now = Coverage(), 100.0
    coverage.head(1_000, first=901, now=now)
    shown = []
    for _ in range(100):
        coverage.done()
        shown.append(coverage.ratio(now + GRACE))
    assert shown == sorted(shown)
    assert (shown[0], shown[-1]) == (0.01, 1.0)


def test_what_is_lost_for_ever_is_never_forgotten() -> None:
    coverage = followed(20)
    coverage.lost(1)
    assert coverage.ratio(100.0) == 20 / 21
    for height in range(21, 200):
        coverage.head(height, first=1, now=100.0)
        coverage.done()
    assert 0.99 < coverage.ratio(200.0) < 1.0


def test_a_reorganisation_takes_back_what_it_orphans_and_the_new_blocks_are_owed_again() -> None:
    coverage = followed(20)
    coverage.reverted(3, 17)
    coverage.head(20, first=18, now=30.0)
    assert coverage.ratio(30.0) == 1.0
    assert coverage.ratio(30.0 + GRACE) == 17 / 20
    for _ in range(3):
        coverage.done()
    assert coverage.ratio(30.0 + GRACE) == 1.0


def test_a_reorganisation_to_below_the_start_makes_the_blocks_there_owed_too() -> None:
    coverage = followed(2, first=101)
    coverage.reverted(5, 97)  # three of them processed by an earlier life
    coverage.head(102, first=98, now=20.0)
    assert coverage.ratio(20.0 + GRACE) == 0.0
    for _ in range(5):
        coverage.done()
    assert coverage.ratio(20.0 + GRACE) == 1.0


@given(st.lists(st.tuples(st.sampled_from(["new", "skip", "reorg"]), st.integers(1, 4)), max_size=60))
def test_the_ratio_is_one_exactly_when_nothing_was_skipped(life: list[tuple[str, int]]) -> None:
    coverage, processed, head, now = Coverage(), set[int](), 0, 0.0
    for what, count in life:
        now += 1.0
        if what == "reorg":
            depth = min(count, head)
            gone = {height for height in processed if height > head - depth}
            processed -= gone
            if depth:
                coverage.reverted(len(gone), head - depth)
            head -= depth
            continue
        for _ in range(count):
            head += 1
            coverage.head(head, first=1, now=now)
            if what == "new":
                processed.add(head)
                coverage.done()
    if head:
        coverage.head(head, first=1, now=now)
    assert (coverage.ratio(now + GRACE) == 1.0) == (processed == set(range(1, head + 1)))
