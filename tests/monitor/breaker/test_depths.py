"""Reorganisations counted by depth: against a naive count of every block's own fate, and over a restart."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.breaker.depths import DEEPEST, Depths

STEPS = st.lists(
    st.one_of(st.integers(1, 12).map(lambda n: ("grow", n)), st.integers(1, 9).map(lambda n: ("reorg", n))), max_size=30
)


class Fates:
    """Every block as its own object: how deep it got, and whether it was taken back."""

    def __init__(self) -> None:
        self.chain: list[dict[str, int]] = []
        self.all: list[dict[str, int]] = []

    def grow(self) -> int:
        block = {"depth": 0, "gone": 0}
        self.chain.append(block)
        self.all.append(block)
        for depth, one in enumerate(reversed(self.chain)):
            one["depth"] = max(one["depth"], depth)
        return len(self.chain) - 1

    def reorg(self, depth: int) -> tuple[int, int]:
        first, last = len(self.chain) - depth, len(self.chain) - 1
        for block in self.chain[first:]:
            block["gone"] = 1
        del self.chain[first:]
        return first, last

    def counted(self, depth: int) -> tuple[int, int]:
        reached = [block for block in self.all if block["depth"] >= depth]
        return len(reached), sum(block["gone"] for block in reached)


@given(STEPS)
def test_the_table_is_what_became_of_every_single_block(steps: list[tuple[str, int]]) -> None:
    fates, depths = Fates(), Depths("eip155:1")
    for what, number in steps:
        if what == "grow":
            for _ in range(number):
                depths.committed(fates.grow())
        elif len(fates.chain) >= number:
            depths.taken_back(*fates.reorg(number))
    for depth in range(12):
        odds = depths.odds(depth)
        assert (odds.blocks, odds.reverted) == fates.counted(depth)
    risks = [depths.odds(depth).probability for depth in range(DEEPEST)]
    assert risks == sorted(risks, reverse=True), "deeper is never riskier"


def test_nothing_known_is_not_nothing_feared() -> None:
    assert Depths("eip155:1").odds(0).probability == 0.5


def test_a_later_life_goes_on_counting_and_counts_no_block_twice() -> None:
    whole, first = Depths("eip155:1"), Depths("eip155:1")
    for height in range(50):
        whole.committed(height)
        first.committed(height)
    second = Depths("eip155:1", first.kept)
    for height in range(45, 60):  # a restart begins some blocks back
        second.committed(height)
    for height in range(50, 60):
        whole.committed(height)
    assert second.odds(0) == whole.odds(0)
    assert second.odds(3).blocks <= whole.odds(3).blocks, "what we cannot know of is not claimed"
    for depths in (whole, second):
        depths.taken_back(58, 59)
    assert second.odds(1).reverted == whole.odds(1).reverted == 1
