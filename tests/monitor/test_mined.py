"""Who was mined, and what its block said of it: the last word, as long as the block stands."""

from monitor.mined import KEPT, Mined


def test_a_second_look_clears_nobody_whom_the_first_one_feared() -> None:
    mined = Mined()
    mined.judged("0xevil", 7, harmless=False)
    mined.judged("0xevil", 7, harmless=True, again=True)
    assert not mined.harmless("0xevil")
    mined.judged("0xodd", 7, harmless=True, again=True)
    assert mined.harmless("0xodd")


def test_who_comes_back_in_another_block_is_judged_by_that_one() -> None:
    mined = Mined()
    mined.judged("0x1", 7, harmless=True)
    mined.judged("0x2", 8, harmless=True)
    assert mined.reverted(8) == ["0x2"]
    assert mined.harmless("0x1")
    assert "0x2" not in mined
    mined.judged("0x2", 8, harmless=False)
    assert "0x2" in mined
    assert not mined.harmless("0x2")


def test_the_oldest_are_forgotten() -> None:
    mined = Mined()
    for number in range(KEPT + 1):
        mined.judged(str(number), number, harmless=True)
    assert "0" not in mined
    assert "1" in mined
